create table head (
    only_row boolean primary key default true check (only_row),
    sequence bigint  not null check (sequence >= 0)
)
with (fillfactor = 10);
insert into head (sequence) values (0);
comment on table head is
    'The number of the last transfer. Whoever commits a batch takes numbers from this row and holds it until the commit, so transfers are '
    'numbered without a gap and in the order in which they became visible.';

create table transfers (
    id           uuid        primary key,
    sequence     bigint      not null unique,
    amount       bigint      not null check (amount > 0),
    posted_at    timestamptz not null,
    from_account uuid        not null,
    to_account   uuid        not null,
    currency     text        not null check (octet_length(currency) = 3),
    kind         text        not null
        check (kind in ('deposit', 'transfer', 'exchange', 'payout', 'payout_settlement', 'payout_reversal')),
    reference    text        not null check (char_length(reference) <= 140),
    counterparty text        not null check (char_length(counterparty) <= 140)
);
comment on table transfers is
    'What happened, once each, numbered without a gap. Its money stands in entries. reference and counterparty (a payer''s name) are personal '
    'data. Append-only, kept for ever.';

create table entries (
    account_id  uuid   not null,
    version     bigint not null check (version > 0),
    transfer_id uuid   not null,
    amount      bigint not null check (amount <> 0),
    balance     bigint not null,
    currency    text   not null,
    primary key (account_id, version)
);
comment on table entries is
    'Double-entry lines: signed minor units, and the balance after each. version counts an account''s entries from 1 without a gap. '
    'Append-only, kept for ever.';

-- No foreign keys: they cost eight times what these checks per statement cost, and they could not say half of it.
create function transfers_are_numbered() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
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
create trigger transfers_numbered after insert on transfers referencing new table as inserted
    for each statement execute function transfers_are_numbered();

-- Every entry belongs to a transfer, every transfer sums to zero in every currency, every line continues its account's line; and the
-- accounts follow the lines, here and nowhere else. So whoever may only insert entries cannot make or lose money.
-- Access is by primary key whatever the planner believes: what it plans on an empty table it would still use on a grown one. Hence the
-- settings, and subqueries where a join could be turned round.
create function entries_balance() returns trigger language plpgsql security definer
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
create trigger entries_balanced after insert on entries referencing new table as inserted
    for each statement execute function entries_balance();

create trigger transfers_append_only before update or delete or truncate on transfers
    for each statement execute function refuse_change();
create trigger entries_append_only before update or delete or truncate on entries
    for each statement execute function refuse_change();
create trigger head_kept before insert or delete or truncate on head
    for each statement execute function refuse_change();

create table outbox (
    last_sequence  bigint      primary key,
    first_sequence bigint      not null check (first_sequence > 0),
    committed_at   timestamptz not null,
    constraint a_range check (first_sequence <= last_sequence)
);
comment on table outbox is
    'One row per committed batch: the transfers from first_sequence to last_sequence are new. Consumers keep their own position, read the ranges '
    'after it in order, and read the transfers themselves. Ranges may be deleted once every consumer is past them.';
create trigger outbox_immutable before update on outbox for each statement execute function refuse_change();

alter table transfers enable row level security;
alter table transfers force row level security;
alter table entries enable row level security;
alter table entries force row level security;
-- accounts is filtered by its own policy inside these.
create policy own on entries for select to ledger_app using (account_id in (select a.id from accounts a));
create policy own on transfers for select to ledger_app
    using (from_account in (select a.id from accounts a) or to_account in (select a.id from accounts a));
create policy everything_for_migrations on entries to current_user using (true) with check (true);
create policy everything_for_migrations on transfers to current_user using (true) with check (true);
create policy every_transfer_for_posting on entries to ledger_poster using (true) with check (true);
create policy every_transfer_for_posting on transfers to ledger_poster using (true) with check (true);

grant select on entries, transfers to ledger_app;
grant select, insert on entries, transfers, outbox to ledger_poster;
grant select, update (sequence) on head to ledger_poster;
revoke execute on function transfers_are_numbered(), entries_balance() from public;
