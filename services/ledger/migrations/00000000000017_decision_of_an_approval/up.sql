-- A payment that comes back approved is not asked about again: what was thought of it when its payer was asked is what is written with the posting. A
-- process of the former version keeps no decision with what it asks for, and asks about it again.
alter policy everything_for_migrations on approvals to current_user;
alter table approvals
    add column decision_id uuid,
    add column decision_action text,
    -- Of what is there already, migration 19 says so, without keeping everybody out meanwhile.
    add constraint approvals_decision_action_check check (decision_action in ('allow', 'step_up', 'delay')) not valid,
    add constraint decisions_have_an_action check ((decision_id is null) = (decision_action is null)) not valid;
comment on column approvals.decision_id is
    'What the behavior analytics call their decision on this payment, and decision_action what it said; null where they did not say in time, or were not asked.';
grant insert (decision_id, decision_action) on approvals to ledger_app;
