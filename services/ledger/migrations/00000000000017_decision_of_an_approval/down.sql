alter policy everything_for_migrations on approvals to current_user;
alter table approvals drop column decision_id, drop column decision_action;
