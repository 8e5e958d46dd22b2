-- A ledger whose database was restored has forgotten messages that it had: their providers are asked to send them again, and those that are awaited go to it
-- once more. The message itself was cleared when it was delivered, so only the very same bytes fill it again. The checks only let more be.
alter table webhook_inbox drop constraint webhook_inbox_state_check;
alter table webhook_inbox add constraint webhook_inbox_state_check
    check (state in ('pending', 'delivered', 'ignored', 'rejected', 'awaited')) not valid;
create index webhook_inbox_awaited on webhook_inbox (id) where state = 'awaited';

create or replace function webhook_inbox_guard() returns trigger language plpgsql as $$
declare
    comes_again boolean := old.state = 'awaited' and new.state = 'pending';
begin
    if new.body is not null and new.body is distinct from old.body and not (comes_again and sha256(new.body) = old.digest) then
        raise exception 'a webhook message cannot be changed' using errcode = 'check_violation';
    end if;
    if old.state = 'ignored' or old.state = 'delivered' and new.state <> 'awaited' then
        raise exception 'a settled webhook cannot be reopened' using errcode = 'check_violation';
    end if;
    if old.state = 'rejected' and new.state <> 'pending' or old.state = 'awaited' and not comes_again
        or new.state = 'awaited' and old.state <> 'delivered'
        or new.reopened <> old.reopened + (old.state in ('rejected', 'awaited'))::integer
    then
        raise exception 'a rejected webhook can only go back to the queue, and an awaited one too' using errcode = 'check_violation';
    end if;
    return new;
end $$;
