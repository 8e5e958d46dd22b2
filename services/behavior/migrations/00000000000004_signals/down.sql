-- Decisions of the second version of the features cannot be read without it, and the former version knows no other events than payments.
delete from decisions where features_version = 2;
delete from feature_versions where version = 2;
delete from events where kind <> 'payment';
delete from event_conflicts where kind <> 'payment';
alter table event_conflicts alter column payee_key set not null, alter column amount set not null, alter column currency set not null;
alter table event_conflicts drop column detail, drop column device_key, drop column kind;
alter table events drop constraint events_say_what_their_kind_has, add constraint events_kind_check check (kind in ('payment'));
alter table events alter column payee_key set not null, alter column amount set not null, alter column currency set not null;
alter table events drop column detail, drop column device_key;
