-- A rejected message can be judged anew: because its provider sends it again, or because a person says so.
alter table webhook_inbox add column reopened integer not null default 0 check (reopened >= 0);
comment on column webhook_inbox.reopened is 'How often it went from rejected back to pending.';
create index webhook_inbox_rejected on webhook_inbox (id) where state = 'rejected';

-- A message once written is what the provider signed: it can be cleared, never changed. What is settled stays so; what is rejected goes back to the
-- queue and nowhere else, and each time is counted.
create or replace function webhook_inbox_guard() returns trigger language plpgsql as $$
begin
    if new.body is not null and new.body is distinct from old.body then
        raise exception 'a webhook message cannot be changed' using errcode = 'check_violation';
    end if;
    if old.state in ('delivered', 'ignored') then
        raise exception 'a settled webhook cannot be reopened' using errcode = 'check_violation';
    end if;
    if old.state = 'rejected' and new.state <> 'pending'
        or new.reopened <> old.reopened + (old.state = 'rejected')::integer
    then
        raise exception 'a rejected webhook can only go back to the queue' using errcode = 'check_violation';
    end if;
    return new;
end $$;

grant update (reopened) on webhook_inbox to broker_app;
