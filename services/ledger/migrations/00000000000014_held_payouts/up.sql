-- A payout may be held before it goes to the partner: its money has left the account, and its payer can take it back until the time is over. That is told
-- by the database's clock, in the transaction that takes it back or that begins to send it.
alter table payouts add column held_until timestamptz check (held_until > created_at and held_until <= created_at + interval '168 hours');
comment on column payouts.held_until is
    'Until when the order is not sent and its payer can take it back; null for one that was not held. Never changed.';
alter table payouts drop constraint payouts_word_check;
alter table payouts add constraint payouts_word_check check (word in ('refusal', 'event', 'status', 'cancelled'));
alter table payouts drop constraint a_refusal_is_a_failure;
alter table payouts add constraint a_refusal_is_a_failure check (word is null or word not in ('refusal', 'cancelled') or status = 'failed');
comment on column payouts.word is
    'Whose word ended it: the refusal of an order that certainly never reached the books of the partner, the partner''s event, its answer to the question '
    'where the payout stands, or its payer''s while it was held.';
grant insert (held_until) on payouts to ledger_poster;

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
    -- While it is held its payer may end it, and nobody else does anything with it; afterwards its payer may not, even if nobody has begun yet.
    if old.word is null and new.word = 'cancelled' then
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

-- How long the payment is held if it is a payout, said when its payer is asked.
alter table approvals add column hold_seconds integer not null default 0 check (hold_seconds between 0 and 604800);
comment on column approvals.hold_seconds is 'How long the payout is held before it is sent, at least; 0 for not at all, and for a transfer it says nothing.';
grant insert (hold_seconds) on approvals to ledger_app;

-- The guard below runs as the owner of the tables, whom forced row-level security shows no payout either.
create policy read_for_guards on payouts for select to current_user using (true);
create or replace function used_approvals_guard() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    if exists (select from approvals a where a.id = new.approval_id and a.expires_at <= clock_timestamp()) then
        raise exception 'an approval that has expired' using errcode = 'check_violation', constraint = 'approval_in_time';
    end if;
    if not exists (
        select from transfers t join approvals a on a.id = new.approval_id
        where t.id = new.transfer_id and t.xmin = pg_current_xact_id()::xid
          and (t.kind, t.from_account, t.amount, t.currency) = (a.operation, a.from_account, a.amount, a.currency)) then
        raise exception 'an approval without its transfer' using errcode = 'check_violation', constraint = 'approval_of_this_order';
    end if;
    -- What was to be held when its payer was asked is held when it is ordered, whatever is thought of it by then.
    if exists (
        select from approvals a join payouts p on p.id = new.transfer_id
        where a.id = new.approval_id and a.hold_seconds > 0
          and (p.held_until >= p.created_at + make_interval(secs => a.hold_seconds)) is not true) then
        raise exception 'a payout that was to be held' using errcode = 'check_violation', constraint = 'approval_of_this_order';
    end if;
    return new;
end $$;

-- Who has taken one back, and orders it again.
create index payouts_cancelled on payouts (owner) where word = 'cancelled';
