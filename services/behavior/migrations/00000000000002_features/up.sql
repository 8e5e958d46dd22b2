-- A decision has its features as figures, in the order of their version's names: as an object, their names were most of what was written for a payment.
-- A process of the former version stores no decision from here on, and so judges nobody: payments go on by the rules that hold without a word.

create table feature_versions (
    version integer primary key check (version > 0),
    names text[] not null check (array_ndims(names) = 1)
);
comment on table feature_versions is
    'What the features of each version are called, in the order in which decisions have their values. A migration adds what a new version of the service needs. Kept as long as there are decisions of it.';
insert into feature_versions (version, names) values (1, array[
    'amount', 'amount_deviations', 'amount_ratio', 'amount_robust', 'amount_over_max', 'count_1m', 'count_1h', 'count_24h', 'count_7d',
    'sum_24h_ratio', 'outliers_7d', 'deviation_7d', 'hour_usual', 'hours_since_last', 'payee_count', 'known_payments', 'payee_risk_1d',
    'payee_risk_7d', 'payee_risk_30d', 'payee_paid_30d', 'payee_run_frauds', 'payee_run_share', 'payee_run_days', 'payee_run_silence_days',
    'payee_surge']);

alter table feature_versions enable row level security, force row level security;
create policy everything_for_migrations on feature_versions to current_user using (true) with check (true);
create policy named on feature_versions for select to behavior_app using (true);
grant select on feature_versions to behavior_app;

-- Policies name the role that made them. Where the table has got another owner since, it follows it.
alter policy everything_for_migrations on decisions to current_user;
alter table decisions add column figures double precision[];
update decisions d set figures = array(
    select (d.features ->> n.name)::double precision
    from feature_versions v, unnest(v.names) with ordinality n (name, place)
    where v.version = d.features_version order by n.place);
alter table decisions drop column features;
alter table decisions rename column figures to features;
-- Every one is a number; here, NaN is more than infinity.
alter table decisions alter column features set not null, add constraint features_are_numbers
    check ((array_ndims(features) = 1 and '-Infinity' < all (features) and 'Infinity' > all (features)) is true);
grant insert (features), select (features) on decisions to behavior_app;
comment on column decisions.features is 'The values, in the order of the names that feature_versions has for features_version.';
