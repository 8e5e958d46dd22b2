-- The triggers on entries keep money from being made or lost. Those here keep the rest of the books in step with it, for whoever may only do
-- what ledger_poster may: what a transfer says is what its entries do; every transfer has its entries, one key, and the payout, the end of a
-- payout or the exchange that its kind stands for; none of these exists without its transfer, or is added to a transfer of the past.

-- The house's accounts by their ids, as posting::model::system_account computes them. Bodies that are parsed now: no search_path can turn them.
create function house_account(purpose text, currency text) returns uuid immutable parallel safe
    return ('00000000-0000-8000-8000-' || encode(currency::bytea, 'hex') || case purpose
        when 'settlement' then '000001' when 'fx' then '000002' when 'payout_clearing' then '000003' when 'suspense' then '000004' end)::uuid;
create function is_customers(account uuid) returns boolean immutable parallel safe
    return account not between '00000000-0000-8000-8000-000000000000'::uuid and '00000000-0000-8000-8000-ffffffffffff'::uuid;

-- Without a call of either: a constraint is planned anew in every statement.
alter table accounts add constraint only_the_house_has_house_ids check (
    (purpose <> 'customer')
    = (id between '00000000-0000-8000-8000-000000000000'::uuid and '00000000-0000-8000-8000-ffffffffffff'::uuid));

-- How far the rest has followed the number of the last transfer. Only triggers move these; the commit finds them where sequence is, and so
-- everything behind them belongs to a transfer of a transaction that ended long ago, and everything before them to this one.
alter table head
    add column booked    bigint  not null default 0,
    add column keyed     bigint  not null default 0,
    add column announced bigint  not null default 0,
    add column bare      integer not null default 0 check (bare >= 0);
update head set booked = sequence, keyed = sequence, announced = sequence;
comment on column head.booked is 'The last transfer whose entries are written.';
comment on column head.keyed is 'The last transfer whose key is written in idempotency.';
comment on column head.announced is 'The last transfer that is announced in outbox.';
comment on column head.bare is 'Transfers whose payout, end of a payout or exchange is not written yet.';

-- At the commit: whatever order the statements came in, all of it is there. One row in a batch, so that it may be deferred.
create function head_is_whole() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from head where (booked, keyed, announced, bare) is distinct from (sequence, sequence, sequence, 0)) then
        raise exception 'the head moves with whole transfers only' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create constraint trigger head_whole after update of sequence on head deferrable initially deferred
    for each row execute function head_is_whole();

-- Every entry belongs to a new transfer, every transfer sums to zero in every currency, every line continues its account's line, and the
-- accounts follow the lines, here and nowhere else: as before. New: entries come once, for all transfers that have none yet, and are what these
-- say: one line off from_account and one onto to_account; by way of the house's positions if it is an exchange.
-- What a transfer says and what was written are struck out against each other, which costs half of what looking each transfer up does. Of an
-- exchange the lines in the bought currency are left: the transfer does not say how much that was.
-- Plans are those of a grown table whatever the planner believes: what it plans on an empty one it would still use on that. Hence the settings: no
-- scan of a whole table, no join but the one that looks accounts up by their key, pages that cost nothing, so that rows decide; and no compiler,
-- which would take a hundred milliseconds for what only looks dear. And one statement: starting one costs more than its rows do.
create or replace function entries_balance() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set jit = off set random_page_cost = 0
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
    fitting boolean; theirs boolean; continued boolean;
begin
    with fresh as materialized (
        select t.id, t.kind, t.sequence, t.amount, t.currency, t.from_account, t.to_account
        from transfers t
        where t.sequence > (select h.booked from head h where h.only_row) and t.sequence <= (select h.sequence from head h where h.only_row)
    ), left_over as materialized (
        select s.id, s.account_id, s.amount, s.currency, sum(s.side) as surplus
        from (
            select i.transfer_id as id, i.account_id, i.amount, i.currency, 1 as side from inserted i
            union all
            select f.id, f.from_account, -f.amount, f.currency, -1 from fresh f
            union all
            select f.id, case f.kind when 'exchange' then house_account('fx', f.currency) else f.to_account end, f.amount, f.currency, -1
            from fresh f) s
        group by s.id, s.account_id, s.amount, s.currency having sum(s.side) <> 0
    ), unlike as materialized (
        select s.id
        from (
            select o.id, o.account_id, o.amount, o.currency, o.surplus, null::uuid as buyer, null::text as sold from left_over o
            union all
            select f.id, null, null, null, null, f.to_account, f.currency from fresh f where f.kind = 'exchange') s
        group by s.id
        having (count(s.buyer) = 1 and count(s.account_id) = 2 and bool_and(s.surplus = 1)
                and sum(s.amount) = 0 and min(s.currency) = max(s.currency) and min(s.currency) <> min(s.sold)
                and (array_agg(s.account_id) filter (where s.amount > 0))[1] = (array_agg(s.buyer) filter (where s.buyer is not null))[1]
                and (array_agg(s.account_id) filter (where s.amount < 0))[1] = house_account('fx', min(s.currency))) is not true
    ), news as materialized (
        select min(sequence) as low, max(sequence) as high, count(*) as whole from fresh
    ), follows as (
        update head h set booked = n.high from news n
        where h.only_row and h.booked = n.low - 1 and n.high - n.low + 1 = n.whole and not exists (select from unlike)
        returning 1
    ), lines as (
        select account_id, currency, version, balance, amount,
               lag(version) over line as version_before, lag(balance) over line as balance_before, lead(version) over line is null as is_last
        from inserted window line as (partition by account_id, currency order by version)
    ), moves as materialized (
        -- Lines that are not in their account's currency are a move that finds no account.
        select account_id, currency, max(version) as version, min(balance) filter (where is_last) as balance, min(balance) as lowest,
               min(version) as first_version, min(balance - amount) filter (where version_before is null) as first_balance,
               bool_and(version_before is null or (version = version_before + 1 and balance = balance_before + amount)) as continued
        from lines group by account_id, currency
    ), followed as (
        update accounts a set balance = m.balance, version = m.version
        from moves m
        where a.id = m.account_id and a.currency = m.currency and a.closed_at is null
          and a.version = m.first_version - 1 and a.balance = m.first_balance
          -- The CHECK on accounts sees the last balance only.
          and m.lowest >= a.floor
        returning 1
    )
    select not exists (select from unlike), exists (select from follows),
           (select bool_and(m.continued) from moves m) and (select count(*) from followed) = (select count(*) from moves)
    into fitting, theirs, continued;
    if continued is null then
        return null; -- not one entry
    end if;
    if not fitting and exists (select from inserted group by transfer_id, currency having sum(amount) <> 0) then
        raise exception 'entries of a transfer do not sum to zero' using errcode = 'check_violation';
    end if;
    if not fitting and not exists (
        select from inserted i left join transfers t on t.id = i.transfer_id
        where t.sequence is null or t.sequence <= (select h.booked from head h where h.only_row)) then
        raise exception 'entries unlike their transfer' using errcode = 'check_violation';
    end if;
    if not fitting or not theirs then
        raise exception 'entries without their transfer' using errcode = 'check_violation';
    end if;
    if not continued then
        raise exception 'entries do not continue their accounts' using errcode = 'check_violation';
    end if;
    return null;
end $$;

-- One key for each new transfer, under the operation of its kind.
create function keys_name_transfers() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set jit = off set enable_seqscan = off
as $$
begin
    update head h set keyed = k.high
    from (
        select min(p.sequence) as low, max(p.sequence) as high, count(*) as whole, bool_and(p.rows = 2 and p.transfers = 1) as fitting
        from (
            select max(s.sequence) as sequence, count(*) as rows, count(s.sequence) as transfers
            from (
                select t.id, t.sequence,
                       case when t.kind in ('payout_settlement', 'payout_reversal') then 'payout_closing' else t.kind end as operation
                from transfers t
                where t.sequence > (select h.keyed from head h where h.only_row) and t.sequence <= (select h.sequence from head h where h.only_row)
                union all
                select i.transfer_id, null, i.operation from inserted i where i.transfer_id is not null) s
            group by s.id, s.operation) p) k
    where h.only_row and k.fitting and h.keyed = k.low - 1 and k.high - k.low + 1 = k.whole;
    if not found and exists (select from inserted where transfer_id is not null) then
        raise exception 'keys that are not those of the new transfers' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create trigger idempotency_fitting after insert on idempotency referencing new table as inserted
    for each statement execute function keys_name_transfers();

-- One range at a time, of all that is new.
create function ranges_follow() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update head h set announced = r.high
    from (select min(first_sequence) as low, max(last_sequence) as high, count(*) as ranges from inserted) r
    where h.only_row and r.ranges = 1 and h.announced = r.low - 1 and h.sequence = r.high;
    if not found then
        raise exception 'a range that is not that of the new transfers' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create trigger outbox_fitting after insert on outbox referencing new table as inserted
    for each statement execute function ranges_follow();

-- On a ledger without a transfer the head stands at zero, and nothing else would see what is numbered up to there.
alter table transfers add constraint numbered_from_one check (sequence > 0);

-- As before. New: a transfer is between the accounts of its kind; and what a transfer of some kinds stands for is a row elsewhere, which comes
-- later in the transaction.
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

-- Takes off as many as there are, all of which must fit. That none is counted twice is what the unique indexes are for.
create function clothe(rows bigint, fitting bigint, what text) returns void language plpgsql set search_path = public, pg_temp as $$
begin
    if rows <> fitting then
        raise exception '% without its transfer', what using errcode = 'check_violation';
    end if;
    if rows > 0 then
        update head set bare = bare - rows where only_row;
    end if;
end $$;

create function exchanges_fit() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
    perform clothe(count(*), count(*) filter (where
        t.kind = 'exchange' and t.xmin = pg_current_xact_id()::xid and t.sequence <= (select h.booked from head h where h.only_row)
        -- The newest of the account's entries, or nearly.
        and (select (e.amount, e.currency) = (i.bought, i.bought_currency)
             from entries e where e.account_id = t.to_account and e.transfer_id = t.id order by e.version desc limit 1)), 'an exchange')
    from inserted i left join lateral (select xmin, * from transfers t where t.id = i.transfer_id limit 1) t on true;
    return null;
end $$;
create trigger exchanges_fitting after insert on exchanges referencing new table as inserted
    for each statement execute function exchanges_fit();

create function payouts_fit() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
    perform clothe(count(*), count(*) filter (where
        t.kind = 'payout' and t.xmin = pg_current_xact_id()::xid
        and (t.from_account, t.amount, t.currency) = (i.account_id, i.amount, i.currency)
        and (select a.owner from accounts a where a.id = i.account_id) = i.owner), 'a payout')
    from inserted i left join lateral (select xmin, * from transfers t where t.id = i.id limit 1) t on true;
    return null;
end $$;
create trigger payouts_fitting after insert on payouts referencing new table as inserted
    for each statement execute function payouts_fit();

-- A transfer ends one payout, once.
create unique index payouts_closed_by on payouts (closed_by) where closed_by is not null;
create unique index payouts_returned_by on payouts (returned_by) where returned_by is not null;
create unique index payouts_paid_late_by on payouts (paid_late_by) where paid_late_by is not null;

create function payouts_end() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
    perform clothe(count(*), count(*) filter (where
        t.xmin = pg_current_xact_id()::xid and (t.amount, t.currency) = (e.amount, e.currency)
        and case e.step
            when 'paid' then t.kind = 'payout_settlement'
            when 'failed' then t.kind = 'payout_reversal' and t.to_account in (e.account_id, house_account('suspense', e.currency))
            when 'returned' then t.to_account in (e.account_id, house_account('suspense', e.currency))
                                 and t.kind = case when e.status = 'returned' then 'payout_return' else 'payout_return_late' end
            when 'paid_late' then t.kind = 'payout_paid_late' end), 'the end of a payout')
    from (
        select n.account_id, n.amount, n.currency, n.status, s.step, s.transfer
        from after n cross join lateral (select * from before o where o.id = n.id limit 1) o
             cross join lateral (values (n.status, n.closed_by, o.closed_by), ('returned', n.returned_by, o.returned_by),
                                        ('paid_late', n.paid_late_by, o.paid_late_by)) s (step, transfer, was)
        where s.transfer is distinct from s.was) e
    left join lateral (select xmin, * from transfers t where t.id = e.transfer limit 1) t on true;
    return null;
end $$;
create trigger payouts_ending after update on payouts referencing old table as before new table as after
    for each statement execute function payouts_end();

-- Columns that are not listed get their defaults: a payout begins at its beginning.
revoke insert on payouts from ledger_poster;
grant insert (id, account_id, owner, amount, currency, creditor_name, creditor_iban, reference, traceparent, provider, next_attempt_at,
              created_at) on payouts to ledger_poster;

revoke execute on function head_is_whole(), keys_name_transfers(), ranges_follow(), clothe(bigint, bigint, text), exchanges_fit(),
    payouts_fit(), payouts_end() from public;

-- A second look at all of it, from what is stored and not from what was written: in steps, so that asking often is cheap and asking for
-- everything is many short questions. How far it has come is kept here, by check_books alone.
create table book_check (
    only_row boolean primary key default true check (only_row),
    sequence bigint  not null check (sequence >= 0)
);
comment on table book_check is 'The transfers up to this one were found right, with their entries.';
insert into book_check (sequence) values (0);
create table book_check_accounts (
    account_id uuid   primary key,
    version    bigint not null check (version > 0),
    balance    bigint not null
);
comment on table book_check_accounts is 'The last entry of each account that was found right. Made anew by a check from the beginning.';

-- Not even the owner sees rows under forced row-level security.
create policy everything_for_checks on exchanges for select to current_user using (true);

-- Looks at up to that many transfers after the last that was found right, and at the entries that they must have: the next of each account, for
-- the committer lets versions run as numbers do. Goes no further than the first step with a fault; to this a batch whose lines stand in another
-- order than its transfers is one, although no trigger refuses it.
create function check_books(step bigint)
    returns table (checked_transfers bigint, transfers_without_entries bigint, transfers_unlike_entries bigint, gapped_accounts bigint,
                   unequal_accounts bigint)
    language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off set jit = off
as $$
declare
    start bigint; finish bigint;
begin
    select c.sequence into start from book_check c where c.only_row for update;
    select least(h.sequence, start + step) into finish from head h where h.only_row;
    return query
    with news as materialized (
        select t.*, x.bought, x.bought_currency
        from transfers t left join lateral (select * from exchanges x where t.kind = 'exchange' and x.transfer_id = t.id limit 1) x on true
        where t.sequence > start and t.sequence <= finish
    ), sides as materialized (
        select n.id, s.account_id, s.amount, s.currency, case when n.kind = 'exchange' then 4 else 2 end as lines
        from news n cross join lateral (
            values (n.from_account, -n.amount, n.currency, true),
                   (n.to_account, n.amount, n.currency, n.kind <> 'exchange'),
                   (n.to_account, n.bought, n.bought_currency, n.kind = 'exchange'),
                   (house_account('fx', n.currency), n.amount, n.currency, n.kind = 'exchange'),
                   (house_account('fx', n.bought_currency), -n.bought, n.bought_currency, n.kind = 'exchange')
        ) s (account_id, amount, currency, there) where s.there
    ), counted as materialized (
        select s.account_id, count(*) as lines from sides s where s.account_id is not null group by s.account_id
    ), lines as materialized (
        select c.account_id, e.transfer_id, e.amount, e.currency, e.balance, e.version, e.version = k.version + row_number() over line as numbered,
               e.balance = k.balance + sum(e.amount) over line as continued, row_number() over line = c.lines as is_last
        from counted c
             cross join lateral (
                 select coalesce(max(k.version), 0) as version, coalesce(max(k.balance), 0) as balance
                 from book_check_accounts k where k.account_id = c.account_id) k
             cross join lateral (
                 select * from entries e where e.account_id = c.account_id and e.version > k.version order by e.version limit c.lines) e
        window line as (partition by c.account_id order by e.version)
    ), found as (
        select s.id, s.lines, count(l.transfer_id) as there, count(*) as pairs,
               count(*) filter (where l.amount = s.amount and l.currency = s.currency) as fitting
        from sides s left join lines l on l.transfer_id = s.id and l.account_id = s.account_id
        group by s.id, s.lines
    ), verdict as materialized (
        select (select count(*) from found f where f.there = 0) + (finish - start - (select count(*) from news)) as without_entries,
               (select count(*) from found f where f.there > 0 and (f.fitting <> f.lines or f.pairs <> f.lines)) as unlike,
               (select count(distinct l.account_id) from lines l where not l.numbered)
               + (select count(*) from counted c where not exists (select from lines l where l.account_id = c.account_id and l.is_last))
               -- One after the last that the account knows of.
               + (select count(*) from lines l where l.is_last and (select a.version from accounts a where a.id = l.account_id) = l.version
                  and exists (select from entries e where e.account_id = l.account_id and e.version = l.version + 1)) as gapped,
               (select count(distinct l.account_id) from lines l where not l.continued) as unequal
    ), right_so_far as (
        select v.* from verdict v where (v.without_entries, v.unlike, v.gapped, v.unequal) = (0, 0, 0, 0)
    ), kept as (
        insert into book_check_accounts (account_id, version, balance)
        select l.account_id, l.version, l.balance from lines l where l.is_last and exists (select from right_so_far)
        on conflict (account_id) do update set version = excluded.version, balance = excluded.balance
    ), moved as (
        update book_check c set sequence = finish where c.only_row and finish > start and exists (select from right_so_far)
    )
    select case when exists (select from right_so_far) then finish else start end, v.without_entries, v.unlike, v.gapped, v.unequal
    from verdict v;
end $$;

-- From the beginning. Hides nothing: what was found right is looked at again.
create function check_books_again() returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update book_check set sequence = 0 where only_row;
    delete from book_check_accounts;
end $$;

revoke execute on function check_books(bigint), check_books_again() from public;
grant execute on function check_books(bigint), check_books_again() to ledger_poster;
grant select on book_check_accounts to ledger_poster;
