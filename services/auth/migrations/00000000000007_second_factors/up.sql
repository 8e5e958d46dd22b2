-- A second factor beside the password: an authenticator app (RFC 6238), and codes on paper for whoever has lost it.

create table totp_secrets (
    user_id     uuid primary key references users,
    sealed      bytea not null,
    last_step   bigint not null check (last_step >= 0),
    created_at  timestamptz not null
);
comment on table totp_secrets is
    'The authenticator app of a person, one at most: its secret, sealed per row (AES-256-GCM under the auth KEK). Kept until the person removes it.';
comment on column totp_secrets.last_step is
    'The last step of 30 seconds whose code was used. It only rises, so that no code is used twice (RFC 6238 section 5.2).';

create table recovery_codes (
    code_hash  bytea primary key check (octet_length(code_hash) = 32),
    user_id    uuid not null references totp_secrets on delete cascade
);
create index recovery_codes_user_id on recovery_codes (user_id);
comment on table recovery_codes is
    'Codes that each stand in for the authenticator app once: HMAC-SHA-256 of 80 random bits, under a key outside the database. A used one is deleted; all go with the app or with new ones.';

-- Who needs a second factor and has shown the password only is nobody yet.
alter table interactions
    add column awaits_user_id uuid references users,
    add column second_factor text,
    add column enrolling_sealed bytea,
    add constraint interactions_awaits check (awaits_user_id is null or user_id is null),
    add constraint interactions_second_factor check (second_factor is null or (second_factor in ('otp', 'recovery') and user_id is not null));
comment on column interactions.awaits_user_id is 'Whose password was right, where a second factor is still to come.';
comment on column interactions.second_factor is 'What was shown beside the password; null for nothing.';
comment on column interactions.enrolling_sealed is 'The secret of an authenticator app that is being set up; sealed. It goes with the interaction.';

alter table grants add column second_factor text
    constraint grants_second_factor check (second_factor in ('otp', 'recovery'));
comment on column grants.second_factor is 'What was shown beside the password when it was given; null for nothing.';
create index grants_expires_at on grants (expires_at) where expires_at is not null;

alter table totp_secrets enable row level security, force row level security;
alter table recovery_codes enable row level security, force row level security;
create policy everything_for_migrations on totp_secrets to current_user using (true) with check (true);
create policy everything_for_migrations on recovery_codes to current_user using (true) with check (true);
create policy own on totp_secrets to auth_app using (user_id = subject()) with check (user_id = subject());
create policy own on recovery_codes to auth_app using (user_id = subject()) with check (user_id = subject());
-- Whoever has an app is logged in with a second factor or not at all, and allows nothing without. (totp_secrets is filtered by its own policy in these.)
drop policy anonymous_or_own on interactions;
create policy anonymous_or_own on interactions for insert to auth_app
    with check ((user_id is null or (user_id = subject() and (second_factor is not null or not exists (select from totp_secrets))))
                and (awaits_user_id is null or awaits_user_id = subject()));
drop policy own on grants;
create policy own on grants for insert to auth_app
    with check (user_id = subject() and (second_factor is not null or not exists (select from totp_secrets)));

create function rises() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.last_step <= old.last_step then
        raise exception 'last_step of % only rises', tg_table_name using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger totp_secrets_used_once before update on totp_secrets for each row execute function rises();

grant select, insert, update (last_step), delete on totp_secrets to auth_app;
grant select, insert, delete on recovery_codes to auth_app;
grant insert (awaits_user_id, second_factor), update (enrolling_sealed) on interactions to auth_app;
grant select (second_factor), insert (second_factor) on grants to auth_app;

create or replace function forget(moment timestamptz) returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    past constant timestamptz := least(moment, now()); gone bigint; total bigint;
begin
    -- Requests before interactions, as an answer takes them. An hour, in which the interactions that began with them end.
    delete from pushed_requests where expires_at < past - interval '1 hour';
    get diagnostics total = row_count;
    delete from interactions where expires_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    -- A day, in which a second use is seen.
    delete from authorization_codes where expires_at < past - interval '1 day';
    get diagnostics gone = row_count;
    total := total + gone;
    delete from refresh_tokens where expires_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    delete from client_assertions where expires_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    delete from approved_payments where expires_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    -- Of a payment's approval, when its code is gone: what was approved is proven where it was paid. Other grants are kept.
    delete from grants g where g.expires_at < past - interval '1 day'
        and not exists (select from authorization_codes c where c.grant_id = g.id)
        and not exists (select from approved_payments p where p.grant_id = g.id)
        and not exists (select from refresh_tokens t where t.grant_id = g.id);
    get diagnostics gone = row_count;
    total := total + gone;
    delete from login_throttles where last_attempt_at < past - interval '30 days';
    get diagnostics gone = row_count;
    return total + gone;
end $$;
