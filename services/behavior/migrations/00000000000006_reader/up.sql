-- Whoever exports the log does nothing else. So `behaviorctl export` runs under a role of its own, which reads what the profiles are made of and can write
-- nothing: whose job it is to rebuild them elsewhere needs neither the role that serves nor the one that migrates. Decisions and who said a word it does not see.
grant select (last_number) on log_head to behavior_reader;
grant select (id, number, kind, at, user_key, payee_key, amount, currency, decision_id, device_key, detail) on events to behavior_reader;
grant select (payment, number, known_at, label, before, paid_at, payee_key) on labels to behavior_reader;

create policy exported on log_head for select to behavior_reader using (true);
create policy exported on events for select to behavior_reader using (true);
create policy exported on labels for select to behavior_reader using (true);
