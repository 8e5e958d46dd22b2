-- Who awaits a second factor has shown less than the former version takes a login to be.
delete from interactions where awaits_user_id is not null;
drop policy anonymous_or_own on interactions;
create policy anonymous_or_own on interactions for insert to auth_app with check (user_id is null or user_id = subject());
drop policy own on grants;
create policy own on grants for insert to auth_app with check (user_id = subject());
alter table interactions drop column awaits_user_id, drop column second_factor, drop column enrolling_sealed;
drop index grants_expires_at;
alter table grants drop column second_factor;
drop table recovery_codes;
drop table totp_secrets;
drop function rises();

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
