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

drop table outbox;
