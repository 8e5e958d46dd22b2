-- For a while after a payee was added, all payouts to it together may not be more than a cap. How long, its row says, and nobody changes it; how much, each payout's
-- row says as it was when that was ordered. The sum is that of the payouts themselves, with the payee's row in hand.
alter table payees add column cools_off_at timestamptz;
-- Those that were there before it have cooled off.
alter table payees disable trigger user;
update payees set cools_off_at = created_at;
alter table payees enable trigger user;
alter table payees alter column cools_off_at set not null;
alter table payees add constraint payees_cool_off check (cools_off_at >= created_at and cools_off_at <= created_at + interval '720 hours');
comment on column payees.cools_off_at is 'Until then payouts to it are capped.';
grant insert (cools_off_at) on payees to ledger_app;

create or replace function payees_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if old.removed_at is not null or new.removed_at is null
        or (new.id, new.owner, new.name, new.iban, new.created_at, new.cools_off_at)
           is distinct from (old.id, old.owner, old.name, old.iban, old.created_at, old.cools_off_at)
    then
        raise exception 'a payee is removed once, and nothing else of it changes' using errcode = 'check_violation';
    end if;
    new.removed_at := clock_timestamp();
    return new;
end $$;

alter table payouts add column new_payee_cap bigint check (new_payee_cap >= 0);
comment on column payouts.new_payee_cap is
    'How much all payouts to its payee in its currency may be together while that is new, by what held when it was ordered (minor units); null is nothing. Never changed.';
create trigger payouts_cap before update of new_payee_cap on payouts for each statement execute function refuse_change();
grant insert (new_payee_cap) on payouts to ledger_poster;
create index payouts_of_creditor on payouts (owner, creditor_iban, currency, created_at);

create or replace function payouts_go_to_payees() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    perform from payees p where p.id in (select i.payee_id from inserted i) order by p.id for no key update;
    if exists (
        select from inserted i
        where not exists (
            select from payees p
            where p.id = i.payee_id and (p.owner, p.name, p.iban) = (i.owner, i.creditor_name, i.creditor_iban) and p.removed_at is null)) then
        raise exception 'a payout to nobody''s payee' using errcode = 'check_violation', constraint = 'payout_to_a_payee';
    end if;
    -- What was given back since counts as well: it was tried.
    if exists (
        select from (
            select i.payee_id, i.currency, min(coalesce(i.new_payee_cap, 0)) as cap from inserted i group by i.payee_id, i.currency) n
        join payees p on p.id = n.payee_id
        where p.cools_off_at > clock_timestamp()
          -- By the IBAN, whoever it was called and however often it was added: otherwise removed and added again it would begin anew.
          and n.cap < (
              select sum(o.amount) from payouts o
              where (o.owner, o.creditor_iban, o.currency) = (p.owner, p.iban, n.currency)
                and o.created_at > clock_timestamp() - (p.cools_off_at - p.created_at))) then
        raise exception 'too much for a new payee' using errcode = 'check_violation', constraint = 'payouts_within_the_cap';
    end if;
    return null;
end $$;
