drop policy exported on labels;
drop policy exported on events;
drop policy exported on log_head;
revoke select (payment, number, known_at, label, before, paid_at, payee_key) on labels from behavior_reader;
revoke select (id, number, kind, at, user_key, payee_key, amount, currency, decision_id, device_key, detail) on events from behavior_reader;
revoke select (last_number) on log_head from behavior_reader;
