-- Money that arrived and cannot be booked where it was meant to go, or that left although the books had taken it back: the suspense account of
-- its currency holds the difference until a person allocates it. Above zero: somebody's money. Below zero: the house's loss until it is recovered.
-- Policies name the role that made them. Where the tables have got another owner since, they follow it; else it would see nothing of what follows.
alter policy everything_for_migrations on accounts to current_user;
alter policy everything_for_migrations on entries to current_user;
alter policy everything_for_migrations on transfers to current_user;
do $$ begin
    if not exists (select from accounts where purpose = 'settlement') then
        raise exception 'the accounts of the house cannot be seen: run this as the owner of the tables';
    end if;
end $$;
alter table accounts drop constraint accounts_purpose_check;
alter table accounts add constraint accounts_purpose_check
    check (purpose in ('customer', 'settlement', 'fx', 'payout_clearing', 'suspense'));

insert into accounts (id, currency, purpose, floor, name, opened_at)
select overlay(a.id::text placing '000004' from 31)::uuid, a.currency, 'suspense', -9223372036854775808, 'suspense', now()
from accounts a where a.purpose = 'settlement';

-- deposit:            settlement → customer, or → suspense
-- allocation:         suspense   → customer, by an operator
-- payout_return:      settlement → customer, or → suspense: the creditor's bank sent a paid payout back
-- payout_paid_late:   suspense   → settlement: the bank paid what had been given back to the customer
-- payout_return_late: settlement → suspense: and got it back
alter table transfers drop constraint transfers_kind_check;
alter table transfers add constraint transfers_kind_check
    check (kind in ('deposit', 'transfer', 'exchange', 'payout', 'payout_settlement', 'payout_reversal',
                    'payout_return', 'payout_paid_late', 'payout_return_late', 'allocation'));
alter table idempotency drop constraint idempotency_operation_check;
alter table idempotency add constraint idempotency_operation_check
    check (operation in ('deposit', 'transfer', 'exchange', 'payout', 'payout_closing',
                         'payout_return', 'payout_paid_late', 'payout_return_late', 'allocation'));

-- Who carries the payout out. Only this provider's word on it counts.
alter table payouts add column provider text not null default 'sandbox-bank' check (provider ~ '^[a-z0-9_-]{1,64}$');
alter table payouts alter column provider drop default;
alter table payouts add column unsure_since timestamptz;
alter table payouts add column unsure_by integer check (unsure_by > 0);
alter table payouts add column word text check (word in ('refusal', 'event', 'status'));
alter table payouts add column returned_by uuid;
alter table payouts add column paid_late_by uuid;
comment on column payouts.unsure_since is
    'Since when the partner may have the order without our knowing: written before the first byte of it leaves. Only the partner''s positive '
    'word ends it; a later refusal of the same order does not.';
comment on column payouts.unsure_by is
    'The attempt that began it. As long as it is the only one so far, its own certain end (nothing was sent, or the agreed refusal) still counts.';
comment on column payouts.word is
    'Whose word ended it: the refusal of an order that certainly never reached the books of the partner, the partner''s event, or its answer to '
    'the question where the payout stands.';

-- What has ended so far ended on a partner's event or refusal, before words were kept. Not even the owner sees rows under forced row-level
-- security, and an end cannot be changed: both are lifted for this one statement.
-- And an order that was tried before its history was kept may have arrived.
alter table payouts no force row level security, disable trigger payouts_forward;
update payouts set word = 'event' where closed_by is not null;
update payouts set unsure_since = created_at, unsure_by = 1 where status = 'pending' and attempts > 0;
alter table payouts force row level security, enable trigger payouts_forward;

alter table payouts drop constraint payouts_status_check;
alter table payouts add constraint payouts_status_check check (status in ('pending', 'submitted', 'paid', 'failed', 'returned'));
alter table payouts drop constraint closed_by_a_transfer;
alter table payouts add constraint closed_by_a_transfer check ((closed_by is not null) = (status in ('paid', 'failed', 'returned')));
alter table payouts add constraint closed_by_a_word check ((word is not null) = (closed_by is not null));
alter table payouts add constraint returned_by_a_transfer
    check ((status <> 'returned' or returned_by is not null) and (returned_by is null or status in ('returned', 'failed')));
alter table payouts add constraint paid_late_after_failed check (paid_late_by is null or status = 'failed');
alter table payouts add constraint a_refusal_is_a_failure check (word is distinct from 'refusal' or status = 'failed');
alter table payouts add constraint unsure_by_an_attempt
    check ((unsure_since is null) = (unsure_by is null) and (unsure_by is null or unsure_by <= attempts));

drop index payouts_due;
create index payouts_due on payouts (next_attempt_at) where status in ('pending', 'submitted');
create index payouts_unsure on payouts (unsure_since) where unsure_since is not null and status = 'pending';

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

grant update (unsure_since, unsure_by, word, returned_by, paid_late_by) on payouts to ledger_poster;
