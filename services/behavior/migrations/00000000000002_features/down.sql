alter table decisions add column named jsonb;
update decisions d set named = (
    select jsonb_object_agg(n.name, n.value)
    from feature_versions v, unnest(v.names, d.features) n (name, value) where v.version = d.features_version);
alter table decisions drop column features;
alter table decisions rename column named to features;
alter table decisions alter column features set not null, add check (jsonb_typeof(features) = 'object');
grant insert (features), select (features) on decisions to behavior_app;
drop table feature_versions;
