-- A payer's approval of one payment: what they were shown, and what became of it until the client has its token.

alter table interactions add column shown_sealed bytea;
comment on column interactions.shown_sealed is
    'The payment whose approval was asked for, as it was last shown; sealed, because it names a payee. It goes with the interaction.';

alter table grants add column expires_at timestamptz;
comment on column grants.expires_at is
    'When what was granted is over: of a payment''s approval. Null for what holds until it is revoked.';

create table approved_payments (
    grant_id    uuid primary key references grants,
    sealed      bytea not null,
    expires_at  timestamptz not null
);
create index approved_payments_expires_at on approved_payments (expires_at);
comment on table approved_payments is
    'What a payer has approved, for the token of the code that is on its way: 60 seconds, deleted when the code is redeemed. Sealed, because it names a payee.';

alter table approved_payments enable row level security, force row level security;
create policy everything_for_migrations on approved_payments to current_user using (true) with check (true);
create policy by_code on approved_payments for select to auth_app using (grant_id in (select c.grant_id from authorization_codes c));
create policy taken_by_code on approved_payments for delete to auth_app using (grant_id in (select c.grant_id from authorization_codes c));
-- Only for a grant that this transaction may see.
create policy under_a_grant on approved_payments for insert to auth_app with check (grant_id in (select g.id from grants g));
create policy shown_by_cookie on interactions for update to auth_app using (browser_hash = any (sought()));

grant select, insert, delete on approved_payments to auth_app;
-- By column: nothing is born shown.
revoke insert on interactions from auth_app;
grant insert (browser_hash, request_hash, user_id, authenticated_at, expires_at), update (shown_sealed) on interactions to auth_app;
grant select (expires_at), insert (expires_at) on grants to auth_app;

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
    delete from login_throttles where last_attempt_at < past - interval '30 days';
    get diagnostics gone = row_count;
    return total + gone;
end $$;
