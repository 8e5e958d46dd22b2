-- An operator stops a customer: nothing that this customer orders is posted, and no payout that waits is sent, until the stop is ended. What is stopped is
-- said on the accounts, which every posting reads under a lock: whoever has been told that a customer is stopped knows that nothing goes out any more.
create table stops (
    id         uuid        primary key,
    customer   text        not null check (length(customer) between 1 and 255),
    reason     text        not null check (char_length(reason) between 1 and 140),
    begun_by   text        not null check (length(begun_by) between 1 and 255),
    begun_at   timestamptz not null default clock_timestamp(),
    end_reason text        check (char_length(end_reason) between 1 and 140),
    ended_by   text        check (length(ended_by) between 1 and 255),
    ended_at   timestamptz,
    constraint ended_wholly check (num_nulls(end_reason, ended_by, ended_at) in (0, 3))
);
comment on table stops is
    'Customers whom an operator has stopped, with the reason; a stop has ended or it holds. customer is the owner of accounts, a pseudonymous subject. Kept for ever.';
create unique index one_stop_of_a_customer on stops (customer) where ended_at is null;

create function stops_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if tg_op = 'INSERT' then
        if new.ended_at is not null then
            raise exception 'a stop begins before it ends' using errcode = 'check_violation';
        end if;
        new.begun_at := clock_timestamp();
    elsif old.ended_at is not null or new.ended_at is null
        or (new.id, new.customer, new.reason, new.begun_by, new.begun_at) is distinct from (old.id, old.customer, old.reason, old.begun_by, old.begun_at)
    then
        raise exception 'a stop is ended, once, and never changed' using errcode = 'check_violation';
    else
        new.ended_at := clock_timestamp();
    end if;
    return new;
end $$;
revoke execute on function stops_guard() from public;
create trigger stops_true before insert or update on stops for each row execute function stops_guard();
create trigger stops_kept before delete or truncate on stops for each statement execute function refuse_change();

alter table accounts add column stopped boolean not null default false;
comment on column accounts.stopped is 'Its owner may not take money off it. Derived from stops: only the triggers there move it.';

-- Accounts first, as postings take them, then the owner, whose row whoever opens an account holds until the commit. One that was opened meanwhile is met by
-- the second look; one that is opened later finds the stop (accounts_opened_while_stopped).
create function accounts_follow_stops() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    holds boolean := new.ended_at is null;
begin
    perform from accounts where owner = new.customer order by id for update;
    update accounts set stopped = holds where owner = new.customer and stopped <> holds;
    perform from owners where owner = new.customer for update;
    update accounts set stopped = holds where owner = new.customer and stopped <> holds;
    return null;
end $$;
revoke execute on function accounts_follow_stops() from public;
create trigger stops_begun_or_ended after insert or update on stops for each row execute function accounts_follow_stops();

create function accounts_find_stops() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update accounts set stopped = true
    where id = new.id and exists (select from stops where customer = new.owner and ended_at is null);
    return null;
end $$;
revoke execute on function accounts_find_stops() from public;
-- By its name after accounts_opened, which takes the owner's row: triggers fire in the order of their names.
create trigger accounts_opened_while_stopped after insert on accounts
    for each row when (new.owner is not null) execute function accounts_find_stops();

create function accounts_stop_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if pg_trigger_depth() < 2 then
        raise exception 'a customer is stopped by a stop only' using errcode = 'insufficient_privilege';
    end if;
    return null;
end $$;
revoke execute on function accounts_stop_guard() from public;
create trigger accounts_stop before update of stopped on accounts for each statement execute function accounts_stop_guard();

-- As a rule nobody is stopped, and then this costs a batch one look at an empty index.
create function transfers_of_nobody_stopped() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
    if exists (select from stops where ended_at is null) and exists (
        select from inserted t join accounts a on a.id = t.from_account where a.stopped and t.kind in ('transfer', 'exchange', 'payout')) then
        raise exception 'an order of a customer who is stopped' using errcode = 'check_violation';
    end if;
    return null;
end $$;
revoke execute on function transfers_of_nobody_stopped() from public;
create trigger transfers_unstopped after insert on transfers referencing new table as inserted
    for each statement execute function transfers_of_nobody_stopped();

-- Whoever begins to send one that has certainly not been sent takes a lock that postings do not wait for and a stop does: it is sent before the stop is there, or
-- not taken up. It waits for nobody: who is being stopped in this moment is not taken up either, and the others of the same claim are.
create function payouts_wait_for_stops() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from accounts where id = new.account_id and not stopped for key share skip locked;
    return case when found then new end;
end $$;
revoke execute on function payouts_wait_for_stops() from public;
create trigger payouts_sent_unless_stopped before update of attempts on payouts
    for each row when (old.status = 'pending' and old.unsure_since is null and new.attempts > old.attempts) execute function payouts_wait_for_stops();

alter table stops enable row level security;
alter table stops force row level security;
create policy everything_for_migrations on stops to current_user using (true) with check (true);
create policy every_stop_for_operators on stops to ledger_poster using (true) with check (true);
grant select, insert (id, customer, reason, begun_by), update (end_reason, ended_by, ended_at) on stops to ledger_poster;

drop function lock_free_accounts(uuid[]);
create function lock_free_accounts(wanted uuid[])
    returns table (id uuid, owner text, purpose text, currency text, balance bigint, floor bigint, version bigint, closed boolean, stopped boolean)
    language plpgsql security definer rows 100 set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    return query
        select a.id, a.owner, a.purpose, a.currency, a.balance, a.floor, a.version, a.closed_at is not null, a.stopped
        from accounts a where a.id = any (wanted) for no key update skip locked;
end $$;
revoke execute on function lock_free_accounts(uuid[]) from public;
grant execute on function lock_free_accounts(uuid[]) to ledger_poster;

-- An operator takes back, in its payer's stead, what nobody has begun to send and what its payer could take back or a stop keeps here.
alter table payouts drop constraint payouts_word_check;
alter table payouts add constraint payouts_word_check check (word in ('refusal', 'event', 'status', 'cancelled', 'withdrawn')) not valid;
alter table payouts drop constraint a_refusal_is_a_failure;
alter table payouts add constraint a_refusal_is_a_failure check (word is null or word not in ('refusal', 'cancelled', 'withdrawn') or status = 'failed') not valid;
comment on column payouts.word is
    'Whose word ended it: the refusal of an order that certainly never reached the books of the partner, the partner''s event, its answer to the question '
    'where the payout stands, its payer''s while it was held, or an operator''s before anybody had begun to send it.';
create or replace function payouts_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if (new.id, new.account_id, new.owner, new.amount, new.currency, new.creditor_name, new.creditor_iban, new.reference, new.created_at,
        new.provider, new.held_until)
        is distinct from
       (old.id, old.account_id, old.owner, old.amount, old.currency, old.creditor_name, old.creditor_iban, old.reference, old.created_at,
        old.provider, old.held_until)
    then
        raise exception 'a payout''s order cannot be changed' using errcode = 'check_violation';
    end if;
    if new.status = 'pending' and old.status <> 'pending'
        or old.status = 'paid' and new.status not in ('paid', 'returned')
        or old.status in ('failed', 'returned') and new.status <> old.status
        or new.status = 'returned' and old.status not in ('paid', 'returned')
    then
        raise exception 'a payout cannot go from % to %', old.status, new.status using errcode = 'check_violation';
    end if;
    -- Certainty belongs to the order's history: what may have reached the partner may have reached it whatever comes later. One attempt that
    -- is the only one so far may say that it did not.
    if new.attempts < old.attempts
        or old.unsure_by is not null and (new.unsure_by, new.unsure_since) is distinct from (old.unsure_by, old.unsure_since)
           and not (new.unsure_by is null and new.status = 'pending' and old.unsure_by = old.attempts and new.attempts = old.attempts)
        or new.word = 'refusal' and old.word is null
           and not (old.status = 'pending' and (old.unsure_by is null or old.unsure_by = old.attempts))
    then
        raise exception 'what the partner may have is not made certain by a later word' using errcode = 'check_violation';
    end if;
    -- While it is held its payer or an operator may end it, and nobody else does anything with it; afterwards its payer may not, even if nobody has begun yet,
    -- and an operator may if it waits for the end of a stop.
    if old.word is null and new.word = 'withdrawn' and old.status = 'pending' and old.unsure_since is null
        and exists (select from public.accounts a where a.id = old.account_id and a.stopped)
    then
        null;
    elsif old.word is null and new.word in ('cancelled', 'withdrawn') then
        if old.status <> 'pending' or old.attempts > 0 or (old.held_until > clock_timestamp()) is not true then
            raise exception 'a payout that is not held' using errcode = 'check_violation', constraint = 'payout_is_held';
        end if;
    elsif old.held_until > clock_timestamp() and (new.status, new.attempts) is distinct from (old.status, old.attempts) then
        raise exception 'a payout that is held' using errcode = 'check_violation';
    end if;
    if old.closed_by is not null and (new.closed_by, new.word) is distinct from (old.closed_by, old.word)
        or old.returned_by is not null and new.returned_by is distinct from old.returned_by
        or old.paid_late_by is not null and new.paid_late_by is distinct from old.paid_late_by
    then
        raise exception 'the end of a payout cannot be changed' using errcode = 'check_violation';
    end if;
    return new;
end $$;
