-- What migration 17 has added holds of the approvals of before, too. In a transaction of its own: whoever reads or asks goes on while it looks.
alter table approvals validate constraint approvals_decision_action_check, validate constraint decisions_have_an_action;
