-- Messages that are still awaited stand in the way: they would not be known any more.
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
drop index webhook_inbox_awaited;
alter table webhook_inbox drop constraint webhook_inbox_state_check;
alter table webhook_inbox add constraint webhook_inbox_state_check check (state in ('pending', 'delivered', 'ignored', 'rejected'));
