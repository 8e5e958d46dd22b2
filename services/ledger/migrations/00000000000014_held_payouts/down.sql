-- What was cancelled stays given back; that its payer said so is lost, and it counts as refused before anything was sent. What is held is sent when its time
-- is over, and cannot be taken back any more.
alter table payouts no force row level security, disable trigger payouts_forward;
update payouts set word = 'refusal' where word = 'cancelled';
alter table payouts force row level security, enable trigger payouts_forward;
create or replace function payouts_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if (new.id, new.account_id, new.owner, new.amount, new.currency, new.creditor_name, new.creditor_iban, new.reference, new.created_at,
        new.provider)
        is distinct from
       (old.id, old.account_id, old.owner, old.amount, old.currency, old.creditor_name, old.creditor_iban, old.reference, old.created_at,
        old.provider)
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
    if old.closed_by is not null and (new.closed_by, new.word) is distinct from (old.closed_by, old.word)
        or old.returned_by is not null and new.returned_by is distinct from old.returned_by
        or old.paid_late_by is not null and new.paid_late_by is distinct from old.paid_late_by
    then
        raise exception 'the end of a payout cannot be changed' using errcode = 'check_violation';
    end if;
    return new;
end $$;
alter table payouts drop constraint payouts_word_check;
alter table payouts add constraint payouts_word_check check (word in ('refusal', 'event', 'status'));
alter table payouts drop constraint a_refusal_is_a_failure;
alter table payouts add constraint a_refusal_is_a_failure check (word is distinct from 'refusal' or status = 'failed');
alter table payouts drop column held_until;
drop index payouts_cancelled;
drop policy read_for_guards on payouts;
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
    return new;
end $$;
alter table approvals drop column hold_seconds;
