drop function forget(timestamptz);
drop trigger grants_end_once on grants;
drop trigger authorization_codes_used_once on authorization_codes;
drop trigger pushed_requests_completed_once on pushed_requests;
drop function happens_once();

-- Policies that look into another table first.
drop policy under_a_grant on authorization_codes;
drop policy under_a_grant on refresh_tokens;
drop policy own_or_by_handle on grants;
drop policy moved_by_code on grants;
drop policy by_handle_or_cookie on pushed_requests;
drop policy moved_by_handle_or_cookie on pushed_requests;
do $$
declare
    found record;
begin
    for found in select tablename, policyname from pg_policies where schemaname = 'public' loop
        execute format('drop policy %I on %I', found.policyname, found.tablename);
    end loop;
    for found in select relname from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity loop
        execute format('alter table %I no force row level security, disable row level security', found.relname);
    end loop;
end $$;
drop function subject(), sought();
alter default privileges grant execute on functions to public;

revoke all on all tables in schema public from auth_app;
grant select, insert on users, grants to auth_app;
grant update (password_hash) on users to auth_app;
grant select, insert, delete on pushed_requests, interactions, authorization_codes, refresh_tokens, client_assertions to auth_app;
grant update (attempts, completed_at) on pushed_requests to auth_app;
grant update (used_at) on authorization_codes to auth_app;
grant update (last_used_at) on refresh_tokens to auth_app;
grant update (jkt, revoked_at, revoked_reason) on grants to auth_app;
grant select, insert, update, delete on login_throttles to auth_app;
