-- Other things happen than payments: logins, failed ones, devices, second factors. A process of the former version cannot read them: stop it first.

-- Policies name the role that made them. Where the table has got another owner since, it follows it.
alter policy everything_for_migrations on events to current_user;
alter policy everything_for_migrations on feature_versions to current_user;

alter table events add column device_key bigint, add column detail text;
alter table events alter column payee_key drop not null, alter column amount drop not null, alter column currency drop not null;
-- What is there already is looked at by a later migration, while others go on.
alter table events drop constraint events_kind_check, add constraint events_say_what_their_kind_has check (
    case kind
        when 'payment' then num_nulls(payee_key, amount, currency) = 0 and num_nonnulls(device_key, detail) = 0
        when 'device' then device_key is not null and coalesce(detail in ('software', 'tee', 'secure_element'), false)
            and num_nonnulls(payee_key, amount, currency, decision_id) = 0
        when 'second_factor' then coalesce(detail in ('added', 'removed', 'recovered'), false)
            and num_nonnulls(payee_key, amount, currency, decision_id, device_key) = 0
        when 'login' then coalesce(detail, 'known_device') = 'known_device' and num_nonnulls(payee_key, amount, currency, decision_id, device_key) = 0
        when 'failed_login' then num_nonnulls(payee_key, amount, currency, decision_id, device_key, detail) = 0
        else false
    end) not valid;
comment on column events.device_key is 'Of an installation of the app, the first 64 bits of a digest of its key''s thumbprint.';
comment on column events.detail is 'How well the key of a device is kept, what has become of a second factor, or that a login was on a device that was known.';

alter table event_conflicts add column kind text not null default 'payment', add column device_key bigint, add column detail text;
alter table event_conflicts alter column kind drop default;
alter table event_conflicts alter column payee_key drop not null, alter column amount drop not null, alter column currency drop not null;

insert into feature_versions (version, names) select 2, names || array[
    'device_days', 'newest_device_days', 'device_level', 'failed_logins_1h', 'failed_logins_24h', 'minutes_since_failed_login',
    'failed_before_login', 'second_factor_days'] from feature_versions where version = 1;

grant select (kind, device_key, detail), insert (device_key, detail) on events to behavior_app;
