drop index payouts_unsure;
drop index payouts_due;
create index payouts_due on payouts (next_attempt_at) where status = 'pending';
alter table payouts drop constraint a_refusal_is_a_failure, drop constraint unsure_by_an_attempt, drop constraint paid_late_after_failed,
    drop constraint returned_by_a_transfer, drop constraint closed_by_a_word;
alter table payouts drop column paid_late_by, drop column returned_by, drop column word, drop column unsure_by, drop column unsure_since, drop column provider;
