create or replace function payouts_go_to_payees() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    perform from payees p where p.id in (select i.payee_id from inserted i) order by p.id for share;
    if exists (
        select from inserted i
        where not exists (
            select from payees p
            where p.id = i.payee_id and (p.owner, p.name, p.iban) = (i.owner, i.creditor_name, i.creditor_iban) and p.removed_at is null)) then
        raise exception 'a payout to nobody''s payee' using errcode = 'check_violation', constraint = 'payout_to_a_payee';
    end if;
    return null;
end $$;
drop index payouts_of_creditor;
drop trigger payouts_cap on payouts;
alter table payouts drop column new_payee_cap;
create or replace function payees_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if old.removed_at is not null or new.removed_at is null
        or (new.id, new.owner, new.name, new.iban, new.created_at) is distinct from (old.id, old.owner, old.name, old.iban, old.created_at)
    then
        raise exception 'a payee is removed once, and nothing else of it changes' using errcode = 'check_violation';
    end if;
    new.removed_at := clock_timestamp();
    return new;
end $$;
alter table payees drop column cools_off_at;
