drop policy shown_by_cookie on interactions;
revoke insert, update on interactions from auth_app;
grant insert on interactions to auth_app;
alter table interactions drop column shown_sealed;
drop table approved_payments;
-- Without an end they would be grants that hold until they are revoked.
delete from authorization_codes where grant_id in (select id from grants where expires_at is not null);
delete from refresh_tokens where grant_id in (select id from grants where expires_at is not null);
delete from grants where expires_at is not null;
alter table grants drop column expires_at;

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
    delete from login_throttles where last_attempt_at < past - interval '30 days';
    get diagnostics gone = row_count;
    return total + gone;
end $$;
