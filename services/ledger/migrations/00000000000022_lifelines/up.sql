-- What was committed after the point to which a database is restored is forgotten here and not by the world: a partner has paid what these books do not
-- know. PostgreSQL begins a new timeline when a recovery from an archive ends or a standby is promoted, and a new cluster has a system identifier of its own:
-- so after these the books know that they were restored, and take no customer's order until somebody has compared them with the partners (`ledger restored`,
-- docs/runbooks/restore.md, which says what they do not notice).
create table lifelines (
    system_identifier bigint      not null,
    timeline          bigint      not null check (timeline > 0),
    opened_at         timestamptz not null default statement_timestamp(),
    primary key (system_identifier, timeline)
);
comment on table lifelines is
    'The cluster and timelines on which the books were opened: by the migration that made this table, and after each restore by `ledger restored open`. '
    'Append-only, and nothing that serves may add to it.';
create trigger lifelines_append_only before update or delete or truncate on lifelines for each statement execute function refuse_change();

create function lifeline(out system_identifier bigint, out timeline bigint) language sql stable set search_path = pg_catalog, pg_temp as $$
    -- The timeline of what is written now. That of the last checkpoint can be one behind.
    select c.system_identifier, ('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::bigint from pg_control_system() c
$$;
-- Books that are in use stay open, for nothing says that they have lost anything. On a later timeline they may have been restored to a time before this table,
-- and nobody can tell: they wait for `ledger restored open`.
insert into lifelines (system_identifier, timeline)
select l.system_identifier, l.timeline from lifeline() l where l.timeline = 1 or not exists (select from transfers);
do $$ begin
    if not exists (select from lifelines) then
        raise warning 'this database was restored or promoted once: the books are closed until `ledger restored open` (docs/runbooks/restore.md)';
    end if;
end $$;

-- Asked in each posting, so its plan is kept.
create function books_are_open() returns boolean language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
    return exists (
        select from lifelines o, pg_control_system() c
        where o.system_identifier = c.system_identifier
          and o.timeline = ('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::bigint);
end $$;

-- Facts are booked at any time, intents wait. An order that is found at a partner is taken off its payer's account while the books are closed, and at no
-- other time; into suspense, when it has turned out whose it was, never more of a currency than suspense has paid: so neither is a way for a taken-over poster
-- to take anything. Who posts has the head in hand, so no two of them add up the same.
create index transfers_found on transfers (currency) where kind = 'payout_found';
create function transfers_wait() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    open boolean := books_are_open();
begin
    if not open and exists (select from inserted where kind in ('transfer', 'exchange', 'payout')) then
        raise exception 'the books were restored, and nobody has opened them' using errcode = 'check_violation', constraint = 'books_are_open';
    end if;
    if open and exists (select from inserted where kind = 'payout_found' and to_account = house_account('settlement', currency)) then
        raise exception 'nothing is found while the books are open' using errcode = 'check_violation', constraint = 'books_are_closed';
    end if;
    if exists (select from inserted where kind = 'payout_found' and to_account = house_account('suspense', currency)) and exists (
        select from transfers t where t.kind = 'payout_found' group by t.currency
        having sum(t.amount) filter (where t.to_account = house_account('suspense', t.currency))
             > coalesce(sum(t.amount) filter (where t.from_account = house_account('suspense', t.currency)), 0)) then
        raise exception 'more is claimed than suspense has paid' using errcode = 'check_violation', constraint = 'claims_within_what_was_found';
    end if;
    return null;
end $$;
create trigger transfers_open after insert on transfers referencing new table as inserted
    for each statement execute function transfers_wait();

-- A refusal writes no transfer and is kept for ever: judged by books that lack something, it would be about money that is there or a payee who is known.
create function outcomes_wait() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from inserted where operation in ('transfer', 'exchange', 'payout')) and not books_are_open() then
        raise exception 'the books were restored, and nobody has opened them' using errcode = 'check_violation', constraint = 'books_are_open';
    end if;
    return null;
end $$;
create trigger outcomes_open after insert on idempotency referencing new table as inserted
    for each statement execute function outcomes_wait();
revoke execute on function lifeline(), books_are_open(), transfers_wait(), outcomes_wait() from public;
grant execute on function books_are_open() to ledger_poster;

-- payout_found: customer, or suspense → settlement: the partner has this order, and the books had forgotten it; customer → suspense: whose it was came
-- out later.
alter table transfers drop constraint transfers_kind_check;
alter table transfers add constraint transfers_kind_check
    check (kind in ('deposit', 'transfer', 'exchange', 'payout', 'payout_settlement', 'payout_reversal',
                    'payout_return', 'payout_paid_late', 'payout_return_late', 'allocation', 'payout_found')) not valid;
alter table idempotency drop constraint idempotency_operation_check;
alter table idempotency add constraint idempotency_operation_check
    check (operation in ('deposit', 'transfer', 'exchange', 'payout', 'payout_closing',
                         'payout_return', 'payout_paid_late', 'payout_return_late', 'allocation', 'payout_found')) not valid;

-- As before, with the new kind.
create or replace function transfers_are_numbered() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    low bigint; high bigint; amount bigint; added integer; fitting boolean;
begin
    select min(sequence), max(sequence), count(*), count(*) filter (where kind not in ('deposit', 'transfer', 'allocation', 'payout_found')),
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
               when 'payout_found' then (is_customers(from_account) or from_account = house_account('suspense', currency))
                                        and to_account in (house_account('settlement', currency), house_account('suspense', currency))
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
