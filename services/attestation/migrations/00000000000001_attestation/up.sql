-- The app role gets what its statements need and no more. Nothing here names a person: an instance is the thumbprint of a key.

create table challenges (
    hash bytea primary key check (octet_length(hash) = 32),
    platform text not null check (platform in ('android', 'ios')),
    purpose text not null check (purpose in ('attestation', 'assertion')),
    expires_at timestamptz not null
);
comment on table challenges is
    'Challenges that are out, as SHA-256. A row is deleted by the one request that uses it, or some seconds after it expired (2 minutes).';
create index challenges_expires_at on challenges (expires_at);
grant select, insert, delete on challenges to attestation_app;

create table instances (
    jkt text primary key check (length(jkt) = 43),
    platform text not null check (platform in ('android', 'ios')),
    client_id text not null,
    app_id text not null,
    app_build bigint not null,
    level text not null check (level in ('software', 'tee', 'strongbox', 'secure_enclave')),
    decoyed boolean not null,
    attested_at timestamptz not null,
    renewed_at timestamptz not null
);
comment on table instances is
    'Installations of the app that have attested, by the RFC 7638 thumbprint of their device key. decoyed: gets decoys, for ever. Kept while the instance renews; removed by operations one year after renewed_at.';
grant select, insert on instances to attestation_app;
grant update (platform, client_id, app_id, app_build, level, decoyed, attested_at, renewed_at) on instances to attestation_app;

create table app_attest_keys (
    key_id bytea primary key check (octet_length(key_id) = 32),
    jkt text not null references instances (jkt) deferrable initially deferred,
    public_key bytea not null check (octet_length(public_key) = 65),
    counter bigint not null check (counter between 0 and 4294967295)
);
comment on table app_attest_keys is
    'Attested App Attest keys (iOS), each of one instance for ever, with the highest assertion counter seen. Kept as long as their instance.';
grant select, insert, update (counter) on app_attest_keys to attestation_app;

create table used_evidence (
    hash bytea primary key check (octet_length(hash) = 32),
    used_at timestamptz not null
);
comment on table used_evidence is
    'SHA-256 of evidence that enrolled an instance: each enrols once. Kept for two years, longer than any challenge or certificate that could make it valid again.';
grant select, insert on used_evidence to attestation_app;

create table verdicts (
    support_id text primary key,
    at timestamptz not null,
    kind text not null check (kind in ('attestation', 'assertion')),
    genuine boolean not null,
    reasons text[] not null,
    notes text[] not null,
    jkt text not null,
    platform text not null,
    client_id text not null,
    app_id text not null,
    app_build bigint not null,
    level text not null,
    policy text not null,
    token_ids text[] not null,
    check (genuine = (cardinality(reasons) = 0))
);
comment on table verdicts is
    'What was really thought of each piece of evidence, for operators only, under the support id that genuine and decoy answers both carry. token_ids are the jti of what was issued. Append-only; kept for 13 months.';
create index verdicts_jkt on verdicts (jkt, at);
grant select, insert on verdicts to attestation_app;

-- What the code promises is also impossible to break from the app role.
create function instances_guard() returns trigger language plpgsql as $$
begin
    if old.decoyed and not new.decoyed then
        raise exception 'a decoyed instance stays decoyed' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger instances_guard before update on instances for each row execute function instances_guard();

create function app_attest_keys_guard() returns trigger language plpgsql as $$
begin
    if new.counter <= old.counter then
        raise exception 'an assertion counter only rises' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger app_attest_keys_guard before update on app_attest_keys for each row execute function app_attest_keys_guard();
