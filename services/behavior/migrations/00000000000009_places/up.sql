-- What happens at a user's door happens somewhere. A process of the former version cannot read what was seen: stop it first.

-- Policies name the role that made them. Where the table has got another owner since, it follows it.
alter policy everything_for_migrations on events to current_user;
alter policy everything_for_migrations on feature_versions to current_user;

alter table events add column country text, add column network_key bigint;
-- What is there already says no place, and each kind what it said before.
alter table events drop constraint events_say_what_their_kind_has, add constraint events_say_what_their_kind_has check (
    case kind
        when 'payment' then num_nulls(payee_key, amount, currency) = 0 and num_nonnulls(device_key, detail) = 0
        when 'device' then device_key is not null and coalesce(detail in ('software', 'tee', 'secure_element'), false)
            and num_nonnulls(payee_key, amount, currency, decision_id) = 0
        when 'second_factor' then coalesce(detail in ('added', 'removed', 'recovered'), false)
            and num_nonnulls(payee_key, amount, currency, decision_id, device_key) = 0
        when 'login' then coalesce(detail, 'known_device') = 'known_device' and num_nonnulls(payee_key, amount, currency, decision_id, device_key) = 0
        when 'failed_login' then num_nonnulls(payee_key, amount, currency, decision_id, device_key, detail) = 0
        when 'seen' then country is not null and num_nonnulls(payee_key, amount, currency, decision_id, device_key, detail) = 0
        else false
    end) not valid;
alter table events add constraint events_say_where_their_kind_does check (
    num_nonnulls(country, network_key) = 0
    or (kind in ('login', 'failed_login', 'seen') and coalesce(country ~ '^[A-Z]{2}$', false))) not valid;
comment on column events.country is 'Of a login, a failed one, or what was seen: the country that the network was registered for from which it came; null, if that is not known. No address comes here.';
comment on column events.network_key is 'Whose network that was: the first 64 bits of a digest of what its operator''s number is called.';

alter table event_conflicts add column country text, add column network_key bigint;

insert into feature_versions (version, names) select 3, names || array[
    'country_days', 'network_days', 'travel_speed', 'countries_around_1h', 'networks_around_1h'] from feature_versions where version = 2;

grant select (country, network_key), insert (country, network_key) on events to behavior_app;
grant select (country, network_key) on events to behavior_reader;
