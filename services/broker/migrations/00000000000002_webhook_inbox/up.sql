create table webhook_inbox (
    id              uuid        primary key,
    provider        text        not null,
    event_id        text        not null,
    kind            text        not null,
    digest          bytea       not null check (octet_length(digest) = 32),
    body            bytea,
    traceparent     text,
    state           text        not null check (state in ('pending', 'delivered', 'ignored', 'rejected')),
    attempts        integer     not null default 0 check (attempts >= 0),
    received_at     timestamptz not null,
    next_attempt_at timestamptz not null,
    settled_at      timestamptz,
    last_error      text,
    -- What makes a webhook happen once, however often it is sent.
    constraint once unique (provider, event_id),
    -- A message is kept for as long as somebody still has to act on it, and not longer.
    constraint body_while_needed check ((body is not null) = (state in ('pending', 'rejected'))),
    constraint settled_has_a_time check ((settled_at is not null) = (state <> 'pending'))
);

create index webhook_inbox_due on webhook_inbox (next_attempt_at) where state = 'pending';

comment on table webhook_inbox is
    'Verified webhooks of third parties, written before they are acknowledged. The message (it can name a payer) is cleared when '
    'the ledger has it; id and digest stay for 30 days so that a replay finds them. Rejected messages stay until a person decides.';

-- A message once written is what the provider signed: it can be cleared, never changed.
create function webhook_inbox_guard() returns trigger language plpgsql as $$
begin
    if new.body is not null and new.body is distinct from old.body then
        raise exception 'a webhook message cannot be changed' using errcode = 'check_violation';
    end if;
    if old.state in ('delivered', 'ignored') then
        raise exception 'a settled webhook cannot be reopened' using errcode = 'check_violation';
    end if;
    return new;
end $$;

create trigger webhook_inbox_guard before update on webhook_inbox for each row execute function webhook_inbox_guard();

-- The only way to delete: what is settled and older than the given time.
create function webhook_inbox_purge(before timestamptz) returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    with gone as (
        delete from public.webhook_inbox where state in ('delivered', 'ignored') and settled_at < before returning 1
    )
    select count(*) from gone
$$;

revoke all on function webhook_inbox_purge(timestamptz) from public;
grant execute on function webhook_inbox_purge(timestamptz) to broker_app;
grant select, insert on webhook_inbox to broker_app;
grant update (state, body, attempts, next_attempt_at, settled_at, last_error) on webhook_inbox to broker_app;
