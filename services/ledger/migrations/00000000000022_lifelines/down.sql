-- Books that have found something cannot go back: their transfers are of a kind that the earlier version does not know, and the checks say so.
drop trigger outcomes_open on idempotency;
drop trigger transfers_open on transfers;
drop function outcomes_wait(), transfers_wait(), books_are_open(), lifeline();
drop table lifelines;
drop index transfers_found;
alter table transfers drop constraint transfers_kind_check;
alter table transfers add constraint transfers_kind_check
    check (kind in ('deposit', 'transfer', 'exchange', 'payout', 'payout_settlement', 'payout_reversal',
                    'payout_return', 'payout_paid_late', 'payout_return_late', 'allocation'));
alter table idempotency drop constraint idempotency_operation_check;
alter table idempotency add constraint idempotency_operation_check
    check (operation in ('deposit', 'transfer', 'exchange', 'payout', 'payout_closing',
                         'payout_return', 'payout_paid_late', 'payout_return_late', 'allocation'));
create or replace function transfers_are_numbered() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    low bigint; high bigint; amount bigint; added integer; fitting boolean;
begin
    select min(sequence), max(sequence), count(*), count(*) filter (where kind not in ('deposit', 'transfer', 'allocation')),
           bool_and(from_account <> to_account and case kind
               when 'transfer' then is_customers(from_account) and is_customers(to_account)
               when 'exchange' then is_customers(from_account) and is_customers(to_account)
               when 'deposit' then from_account = house_account('settlement', currency)
                                   and (is_customers(to_account) or to_account = house_account('suspense', currency))
               when 'payout' then is_customers(from_account) and to_account = house_account('payout_clearing', currency)
               when 'payout_settlement' then from_account = house_account('payout_clearing', currency)
                                             and to_account = house_account('settlement', currency)
               when 'payout_reversal' then from_account = house_account('payout_clearing', currency)
                                           and (is_customers(to_account) or to_account = house_account('suspense', currency))
               when 'payout_return' then from_account = house_account('settlement', currency)
                                         and (is_customers(to_account) or to_account = house_account('suspense', currency))
               when 'payout_paid_late' then from_account = house_account('suspense', currency)
                                            and to_account = house_account('settlement', currency)
               when 'payout_return_late' then from_account = house_account('settlement', currency)
                                              and to_account = house_account('suspense', currency)
               when 'allocation' then from_account = house_account('suspense', currency) and is_customers(to_account)
               else false end)
    into low, high, amount, added, fitting from inserted;
    if amount > 0 and (high - low + 1 <> amount or high <> (select h.sequence from head h)
        or low > 1 and not exists (select from transfers t where t.sequence = low - 1)) then
        raise exception 'transfers are not numbered without a gap' using errcode = 'check_violation';
    end if;
    if not fitting then
        raise exception 'a transfer between accounts that are not of its kind' using errcode = 'check_violation';
    end if;
    if added > 0 then
        update head set bare = bare + added where only_row;
    end if;
    return null;
end $$;
