-- A transaction of the app says whose rows it is about (app.subject) or which it looks for (app.sought: what it holds the hash of), and sees no
-- others. A subject has 74 random bits and a hash 256, so there is no statement by which a taken-over app lists people, consents or codes.
-- The former version says neither and would find nobody: stop it before this one starts.

-- Functions of this and later migrations are nobody's to call until they are granted.
alter default privileges revoke execute on functions from public;

create function subject() returns uuid stable parallel safe return nullif(current_setting('app.subject', true), '')::uuid;
create function sought() returns bytea[] stable parallel safe return nullif(current_setting('app.sought', true), '')::bytea[];
grant execute on function subject(), sought() to auth_app;

alter table users enable row level security, force row level security;
alter table pushed_requests enable row level security, force row level security;
alter table interactions enable row level security, force row level security;
alter table grants enable row level security, force row level security;
alter table authorization_codes enable row level security, force row level security;
alter table refresh_tokens enable row level security, force row level security;
alter table client_assertions enable row level security, force row level security;
alter table login_throttles enable row level security, force row level security;

-- Forced: the owner has no rows either, unless a policy says so. This is for migrations and for forget().
create policy everything_for_migrations on users to current_user using (true) with check (true);
create policy everything_for_migrations on pushed_requests to current_user using (true) with check (true);
create policy everything_for_migrations on interactions to current_user using (true) with check (true);
create policy everything_for_migrations on grants to current_user using (true) with check (true);
create policy everything_for_migrations on authorization_codes to current_user using (true) with check (true);
create policy everything_for_migrations on refresh_tokens to current_user using (true) with check (true);
create policy everything_for_migrations on client_assertions to current_user using (true) with check (true);
create policy everything_for_migrations on login_throttles to current_user using (true) with check (true);

create policy own on users to auth_app using (id = subject()) with check (id = subject());
-- A login begins with an address and ends with a subject.
create policy by_address on users for select to auth_app using (email_lookup = any (sought()));

create policy by_cookie on interactions for select to auth_app using (browser_hash = any (sought()));
create policy ended_by_cookie on interactions for delete to auth_app using (browser_hash = any (sought()));
create policy anonymous_or_own on interactions for insert to auth_app with check (user_id is null or user_id = subject());

-- Nobody has logged in yet where a request is pushed: whose it will be, no policy can ask.
create policy pushed_by_anybody on pushed_requests for insert to auth_app with check (true);
-- interactions is filtered by its own policy inside these, and so are the tables below.
create policy by_handle_or_cookie on pushed_requests for select to auth_app
    using (id_hash = any (sought()) or id_hash in (select i.request_hash from interactions i));
create policy moved_by_handle_or_cookie on pushed_requests for update to auth_app
    using (id_hash = any (sought()) or id_hash in (select i.request_hash from interactions i));

create policy by_code on authorization_codes for select to auth_app using (code_hash = any (sought()));
create policy used_by_code on authorization_codes for update to auth_app using (code_hash = any (sought()));
create policy by_token on refresh_tokens for select to auth_app using (token_hash = any (sought()));
create policy used_by_token on refresh_tokens for update to auth_app using (token_hash = any (sought()));

create policy own_or_by_handle on grants for select to auth_app
    using (user_id = subject()
           or id in (select c.grant_id from authorization_codes c) or id in (select t.grant_id from refresh_tokens t));
create policy own on grants for insert to auth_app with check (user_id = subject());
create policy moved_by_code on grants for update to auth_app using (id in (select c.grant_id from authorization_codes c));
-- Only for a grant that this transaction may see.
create policy under_a_grant on authorization_codes for insert to auth_app with check (grant_id in (select g.id from grants g));
create policy under_a_grant on refresh_tokens for insert to auth_app with check (grant_id in (select g.id from grants g));

create policy by_identifier on login_throttles to auth_app
    using (identifier_hash = any (sought())) with check (identifier_hash = any (sought()));

-- An assertion is a client's, not a person's, and the statement that uses it up is the only one there is. That it cannot be read, changed or
-- deleted is in the grants; this policy says nothing beside.
create policy used_by_anybody on client_assertions for insert to auth_app with check (true);

-- What has happened to a row happens once. The columns are the trigger's arguments.
create function happens_once() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    was jsonb := to_jsonb(old); becomes jsonb := to_jsonb(new); happened text;
begin
    foreach happened in array tg_argv loop
        if was ->> happened is not null and becomes ->> happened is distinct from was ->> happened then
            raise exception '% of % is written once', happened, tg_table_name using errcode = 'insufficient_privilege';
        end if;
    end loop;
    return new;
end $$;
create trigger grants_end_once before update on grants
    for each row execute function happens_once('jkt', 'revoked_at', 'revoked_reason');
create trigger authorization_codes_used_once before update on authorization_codes
    for each row execute function happens_once('used_at');
create trigger pushed_requests_completed_once before update on pushed_requests
    for each row execute function happens_once('completed_at');

-- The only way to delete what nobody holds the handle of: what its table says is not kept. The time is the service's, but never ahead of the
-- database's: a taken-over app cannot have an assertion accepted again or the second use of a code go unseen.
create function forget(moment timestamptz) returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
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
    delete from login_throttles where last_attempt_at < past - interval '30 days';
    get diagnostics gone = row_count;
    return total + gone;
end $$;
grant execute on function forget(timestamptz) to auth_app;

-- By column, and only what a statement of the service names. What is not listed gets its default: nothing is born used, revoked or completed.
revoke all on all tables in schema public from auth_app;
grant select (id, email_lookup, email_sealed, name_sealed, password_hash),
      insert (id, email_lookup, email_sealed, name_sealed, password_hash, created_at), update (password_hash) on users to auth_app;
grant select, insert (id_hash, client_id, jkt, parameters, expires_at), update (attempts, completed_at) on pushed_requests to auth_app;
grant select, insert, delete on interactions to auth_app;
grant select (id, user_id, client_id, scope, jkt, authenticated_at, revoked_at),
      insert (id, user_id, client_id, scope, authenticated_at, created_at),
      update (jkt, revoked_at, revoked_reason) on grants to auth_app;
grant select, insert (code_hash, grant_id, client_id, redirect_uri, code_challenge, nonce, jkt, expires_at),
      update (used_at) on authorization_codes to auth_app;
grant select, insert, update (last_used_at) on refresh_tokens to auth_app;
grant insert on client_assertions to auth_app;
grant select (identifier_hash, failures, blocked_until), insert, update (failures, blocked_until, last_attempt_at),
      delete on login_throttles to auth_app;
