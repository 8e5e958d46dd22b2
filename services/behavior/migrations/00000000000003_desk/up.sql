-- The analysts' desk lists alerts, and shows a payment among the others of its user.

-- Policies name the role that made them. Where the table has got another owner since, it follows it.
alter policy everything_for_migrations on labels to current_user;

-- Who said it. Until now only the operator could; a process of the former version takes the operator's words only, and names nobody.
alter table labels add column said_by text not null default 'operator' check (said_by ~ '^[a-z0-9-]{1,64}$');
comment on column labels.said_by is 'The workload in whose name it was said, by its certificate.';
grant select (said_by, known_at) on labels to behavior_app;

-- Beside the one decision whose id is known (policy "one"), a transaction that says so sees alerts, or the decisions of the one user whom it names.
create policy alerts on decisions for select to behavior_app using (subject() = 'alerts' and action <> 'allow');
create policy of_a_user on decisions for select to behavior_app using (subject() = 'user ' || user_key);

-- Ids rise with time. Few decisions are alerts, so these two cost little where decisions are written.
create index decisions_alerts on decisions (id) where action <> 'allow';
create index decisions_alerts_of_a_user on decisions (user_key, at) where action <> 'allow';
create index events_of_a_user on events (user_key, at, number);
create index events_decision_id on events (decision_id) where decision_id is not null;
