-- Another model or other rules can be tried beside those that judge.

create table dry_runs (
    decision_id uuid primary key,
    decided text not null check (decided in ('allow', 'step_up', 'delay')),
    score double precision not null check (score between 0 and 1),
    action text not null check (action in ('allow', 'step_up', 'delay')),
    reasons jsonb not null check (jsonb_typeof(reasons) = 'array'),
    model text not null,
    rules text not null
);
comment on table dry_runs is
    'What the model and the rules that were tried beside those that judged would have said of a payment; decided is what was said. Nothing comes of it. Append-only; kept as long as the decision.';

alter table dry_runs enable row level security, force row level security;
create policy everything_for_migrations on dry_runs to current_user using (true) with check (true);
create policy told on dry_runs for insert to behavior_app with check (true);
-- As decisions: one by its id. A transaction that says so sees those that would have been decided otherwise.
create policy one on dry_runs for select to behavior_app using (decision_id::text = subject());
create policy differing on dry_runs for select to behavior_app using (subject() = 'dry run' and action <> decided);
grant insert, select on dry_runs to behavior_app;

-- Ids rise with time.
create index dry_runs_differing on dry_runs (model, rules, decision_id) where action <> decided;

-- Of the newest ones, so that it takes no longer with every payment; figures, and no list.
create function dry_run_counts(model text, rules text, newest integer)
    returns table (decided text, action text, payments bigint) language sql stable security definer set search_path = public, pg_temp as $$
    select r.decided, r.action, count(*)
    from (select * from dry_runs order by decision_id desc limit least(newest, 100000)) r
    where r.model = $1 and r.rules = $2
    group by r.decided, r.action
$$;
grant execute on function dry_run_counts(text, text, integer) to behavior_app;
