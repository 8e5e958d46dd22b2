-- The broker's rows belong to providers, and it serves all of them in one process: there is no subject that a transaction could name. So its policies
-- keep from the serving role what no policy grants, and say nothing of whose a row is. What a taken-over broker cannot do is in the column grants
-- and triggers: write a secret, change a message, or make one be forgotten early.

-- Functions are nobody's to call until they are granted; triggers fire all the same.
alter default privileges revoke execute on functions from public;
revoke execute on all functions in schema public from public;

alter table secrets enable row level security, force row level security;
alter table webhook_inbox enable row level security, force row level security;

-- Forced: the owner has no rows either, unless a policy says so. This is for migrations, for `broker seal-secret` and for the purge.
create policy everything_for_migrations on secrets to current_user using (true) with check (true);
create policy everything_for_migrations on webhook_inbox to current_user using (true) with check (true);

-- For reading only: were the right to write ever granted by mistake, there would still be no policy for it.
create policy every_secret_for_serving on secrets for select to broker_app using (true);

create policy new_messages on webhook_inbox for insert to broker_app with check (attempts = 0 and reopened = 0);
create policy every_message_for_delivery on webhook_inbox for select to broker_app using (true);
create policy every_message_moves on webhook_inbox for update to broker_app using (true);

-- The only way to delete: what has been settled for 30 days by the database's own time. Until then a replay meets its digest, whatever the
-- serving role asks for.
create or replace function webhook_inbox_purge(before timestamptz) returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    with gone as (
        delete from public.webhook_inbox
        where state in ('delivered', 'ignored') and settled_at < least(before, now() - interval '30 days') returning 1
    )
    select count(*) from gone
$$;

-- By column, and only what a statement of the service names.
revoke all on all tables in schema public from broker_app;
grant select (provider, id, version, record, retired_at) on secrets to broker_app;
grant select,
      insert (id, provider, event_id, kind, digest, body, traceparent, state, received_at, next_attempt_at, settled_at, last_error),
      update (state, body, attempts, next_attempt_at, settled_at, last_error, reopened) on webhook_inbox to broker_app;
