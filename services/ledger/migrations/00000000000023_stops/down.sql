-- Nobody is stopped any more. What an operator took back counts as refused before anything was sent.
alter table payouts no force row level security, disable trigger payouts_forward;
update payouts set word = 'refusal' where word = 'withdrawn';
alter table payouts force row level security, enable trigger payouts_forward;
alter table payouts drop constraint payouts_word_check, drop constraint a_refusal_is_a_failure;
alter table payouts add constraint payouts_word_check check (word in ('refusal', 'event', 'status', 'cancelled'));
alter table payouts add constraint a_refusal_is_a_failure check (word is null or word not in ('refusal', 'cancelled') or status = 'failed');
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
drop function lock_free_accounts(uuid[]);
create function lock_free_accounts(wanted uuid[])
    returns table (id uuid, owner text, purpose text, currency text, balance bigint, floor bigint, version bigint, closed boolean)
    language plpgsql security definer rows 100 set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    return query
        select a.id, a.owner, a.purpose, a.currency, a.balance, a.floor, a.version, a.closed_at is not null
        from accounts a where a.id = any (wanted) for no key update skip locked;
end $$;
revoke execute on function lock_free_accounts(uuid[]) from public;
grant execute on function lock_free_accounts(uuid[]) to ledger_poster;
drop trigger payouts_sent_unless_stopped on payouts;
drop function payouts_wait_for_stops();
drop trigger transfers_unstopped on transfers;
drop function transfers_of_nobody_stopped();
drop trigger accounts_stop on accounts;
drop function accounts_stop_guard();
drop trigger accounts_opened_while_stopped on accounts;
drop function accounts_find_stops();
alter table accounts drop column stopped;
drop table stops;
drop function accounts_follow_stops();
drop function stops_guard();
