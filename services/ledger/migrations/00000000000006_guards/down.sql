drop function check_books(bigint), check_books_again();
drop policy everything_for_checks on exchanges;
drop table book_check_accounts;
drop table book_check;
drop trigger payouts_ending on payouts;
drop trigger payouts_fitting on payouts;
drop trigger exchanges_fitting on exchanges;
drop trigger outbox_fitting on outbox;
drop trigger idempotency_fitting on idempotency;
drop trigger head_whole on head;
drop function payouts_end(), payouts_fit(), exchanges_fit(), clothe(bigint, bigint, text), ranges_follow(), keys_name_transfers(), head_is_whole();
drop index payouts_closed_by, payouts_returned_by, payouts_paid_late_by;
revoke insert (id, account_id, owner, amount, currency, creditor_name, creditor_iban, reference, traceparent, provider, next_attempt_at,
               created_at) on payouts from ledger_poster;
grant insert on payouts to ledger_poster;

alter table transfers drop constraint numbered_from_one;
-- Both as they were in 2_postings.
create or replace function transfers_are_numbered() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    low bigint; high bigint; amount bigint;
begin
    select min(sequence), max(sequence), count(*) into low, high, amount from inserted;
    if amount > 0 and (high - low + 1 <> amount or high <> (select h.sequence from head h)
        or low > 1 and not exists (select from transfers t where t.sequence = low - 1)) then
        raise exception 'transfers are not numbered without a gap' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create or replace function entries_balance() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
    whole boolean;
begin
    if exists (select from inserted group by transfer_id, currency having sum(amount) <> 0) then
        raise exception 'entries of a transfer do not sum to zero' using errcode = 'check_violation';
    end if;
    -- In the same transaction: nothing is added to a transfer later.
    if exists (
        select from inserted i
        where (select t.xmin from transfers t where t.id = i.transfer_id) is distinct from pg_current_xact_id()::xid) then
        raise exception 'entries without their transfer' using errcode = 'check_violation';
    end if;
    with lines as materialized (
        select account_id, currency, version, balance, amount,
               lag(version) over line as version_before, lag(balance) over line as balance_before, lag(currency) over line as currency_before,
               first_value(version) over line as first_version, first_value(balance - amount) over line as first_balance,
               min(balance) over line as lowest, lead(version) over line is null as is_last
        from inserted window line as (partition by account_id order by version)
    ), followed as (
        update accounts a set balance = l.balance, version = l.version
        from (select lines.*, (select x.ctid from accounts x where x.id = lines.account_id) as place from lines where is_last) l
        where a.ctid = l.place and a.currency = l.currency and a.closed_at is null
          and a.version = l.first_version - 1 and a.balance = l.first_balance
          -- The CHECK on accounts sees the last balance only.
          and l.lowest >= a.floor
        returning 1
    )
    select (select count(*) from followed) = (select count(*) from lines where is_last)
       and not exists (
           select from lines
           where version <> version_before + 1 or balance <> balance_before + amount or currency <> currency_before)
    into whole;
    if not whole then
        raise exception 'entries do not continue their accounts' using errcode = 'check_violation';
    end if;
    return null;
end $$;

alter table head drop column booked, drop column keyed, drop column announced, drop column bare;
alter table accounts drop constraint only_the_house_has_house_ids;
drop function house_account(text, text), is_customers(uuid);
