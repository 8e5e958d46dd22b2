do $$
declare
    found record;
begin
    for found in select tablename, policyname from pg_policies where schemaname = 'public' loop
        execute format('drop policy %I on %I', found.policyname, found.tablename);
    end loop;
end $$;
alter table secrets no force row level security, disable row level security;
alter table webhook_inbox no force row level security, disable row level security;

create or replace function webhook_inbox_purge(before timestamptz) returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    with gone as (
        delete from public.webhook_inbox where state in ('delivered', 'ignored') and settled_at < before returning 1
    )
    select count(*) from gone
$$;

alter default privileges grant execute on functions to public;
grant execute on function webhook_inbox_guard() to public;
revoke all on all tables in schema public from broker_app;
grant select on secrets to broker_app;
grant select, insert, update (state, body, attempts, next_attempt_at, settled_at, last_error, reopened) on webhook_inbox to broker_app;
