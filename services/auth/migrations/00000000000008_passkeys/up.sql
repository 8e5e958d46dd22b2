-- Passkeys (W3C Web Authentication): a second factor beside or instead of the authenticator app.

create table passkeys (
    id               uuid primary key,
    user_id          uuid not null references users,
    credential_id    bytea not null unique check (octet_length(credential_id) between 1 and 1023),
    public_key       bytea not null check (octet_length(public_key) = 65),
    sign_count       bigint not null check (sign_count between 0 and 4294967295),
    backup_eligible  boolean not null,
    backed_up        boolean not null check (backup_eligible or not backed_up),
    name_sealed      bytea not null,
    created_at       timestamptz not null,
    last_used_at     timestamptz
);
create index passkeys_user_id on passkeys (user_id);
comment on table passkeys is
    'The passkeys of a person, five at most (credential records, WebAuthn section 4). Kept until the person removes them.';
comment on column passkeys.credential_id is 'By which browsers know it; nobody else''s has the same.';
comment on column passkeys.public_key is 'A point of P-256 as 04, x and y; for ES256.';
comment on column passkeys.sign_count is 'The counter of the last use. It rises, or is zero always.';
comment on column passkeys.backup_eligible is 'Whether its maker may copy it to other devices, as of the last use.';
comment on column passkeys.name_sealed is 'What the person calls it; sealed per row (AES-256-GCM under the auth KEK).';

create table passkey_ceremonies (
    browser_hash  bytea primary key references interactions on delete cascade,
    user_id       uuid not null references users,
    nonce         bytea not null check (octet_length(nonce) = 32),
    expires_at    timestamptz not null
);
create index passkey_ceremonies_user_id on passkey_ceremonies (user_id);
comment on table passkey_ceremonies is
    'What the challenge of an interaction''s page is made of, once: whoever answers it deletes it. Ten minutes, and no longer than the interaction.';

-- Recovery codes stand in for either, and go with the last.
alter table recovery_codes drop constraint recovery_codes_user_id_fkey;
alter table recovery_codes add constraint recovery_codes_user_id_fkey foreign key (user_id) references users;
comment on table recovery_codes is
    'Codes that each stand in for app and passkeys once: HMAC-SHA-256 of 80 random bits, under a key outside the database. A used one is deleted; all go with the last second factor or with new ones.';

alter table interactions drop constraint interactions_second_factor,
    add constraint interactions_second_factor
        check (second_factor is null or (second_factor in ('otp', 'passkey', 'recovery') and user_id is not null));
alter table grants drop constraint grants_second_factor,
    add constraint grants_second_factor check (second_factor in ('otp', 'passkey', 'recovery'));

alter table passkeys enable row level security, force row level security;
alter table passkey_ceremonies enable row level security, force row level security;
create policy everything_for_migrations on passkeys to current_user using (true) with check (true);
create policy everything_for_migrations on passkey_ceremonies to current_user using (true) with check (true);
create policy own on passkeys to auth_app using (user_id = subject()) with check (user_id = subject());
create policy own on passkey_ceremonies to auth_app using (user_id = subject()) with check (user_id = subject());
-- Whoever has a second factor is logged in with one or not at all, and allows nothing without. (Both tables are filtered by their own policies in these.)
drop policy anonymous_or_own on interactions;
create policy anonymous_or_own on interactions for insert to auth_app
    with check ((user_id is null or (user_id = subject() and (second_factor is not null
                                                              or not (exists (select from totp_secrets) or exists (select from passkeys)))))
                and (awaits_user_id is null or awaits_user_id = subject()));
drop policy own on grants;
create policy own on grants for insert to auth_app
    with check (user_id = subject()
                and (second_factor is not null or not (exists (select from totp_secrets) or exists (select from passkeys))));
-- Codes stand in for something.
drop policy own on recovery_codes;
create policy own on recovery_codes to auth_app using (user_id = subject())
    with check (user_id = subject() and (exists (select from totp_secrets) or exists (select from passkeys)));

create function counts_up() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.sign_count <= old.sign_count and (new.sign_count > 0 or old.sign_count > 0) then
        raise exception 'sign_count of % rises', tg_table_name using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger passkeys_count_up before update on passkeys for each row execute function counts_up();

create function few() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    -- The lock of whoever changes what a person has: two that are counted at once would both be the fifth.
    perform pg_advisory_xact_lock(31, hashtext(new.user_id::text));
    if (select count(*) from passkeys p where p.user_id = new.user_id) >= 5 then
        raise exception 'a person has five passkeys at most' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger passkeys_are_few before insert on passkeys for each row execute function few();

create function no_codes_without_a_factor() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    if not exists (select from totp_secrets t where t.user_id = old.user_id)
        and not exists (select from passkeys p where p.user_id = old.user_id) then
        delete from recovery_codes c where c.user_id = old.user_id;
    end if;
    return null;
end $$;
create trigger totp_secrets_take_codes_along after delete on totp_secrets for each row execute function no_codes_without_a_factor();
create trigger passkeys_take_codes_along after delete on passkeys for each row execute function no_codes_without_a_factor();

-- A second factor that goes, or recovery codes that are renewed, end what the person has under way elsewhere: who sits there may have come in with what is gone.
-- By a function, because the app deletes only what it holds the cookie of. It spares the one that the transaction looks for.
create function end_other_sign_ins() returns void language sql security definer set search_path = public, pg_temp as $$
    delete from interactions i where i.user_id = subject() and not i.browser_hash = any (coalesce(sought(), '{}'));
$$;
-- Whether that one has not been ended so.
create function under_way() returns boolean stable language sql set search_path = public, pg_temp as $$
    select exists (select from interactions i where i.browser_hash = any (sought()));
$$;
grant execute on function end_other_sign_ins(), under_way() to auth_app;

grant select, insert (id, user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, name_sealed, created_at),
      update (sign_count, backup_eligible, backed_up, last_used_at), delete on passkeys to auth_app;
grant select, insert, update (user_id, nonce, expires_at), delete on passkey_ceremonies to auth_app;
