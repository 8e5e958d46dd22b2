create or replace function webhook_inbox_guard() returns trigger language plpgsql as $$
begin
    if new.body is not null and new.body is distinct from old.body then
        raise exception 'a webhook message cannot be changed' using errcode = 'check_violation';
    end if;
    if old.state in ('delivered', 'ignored') then
        raise exception 'a settled webhook cannot be reopened' using errcode = 'check_violation';
    end if;
    return new;
end $$;
drop index webhook_inbox_rejected;
alter table webhook_inbox drop column reopened;
