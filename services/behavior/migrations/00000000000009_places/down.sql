-- Decisions of the third version of the features cannot be read without it, and the former version knows nothing that was seen, and no places.
delete from decisions where features_version = 3;
delete from feature_versions where version = 3;
delete from events where kind = 'seen';
delete from event_conflicts where kind = 'seen';
alter table event_conflicts drop column network_key, drop column country;
alter table events drop constraint events_say_where_their_kind_does, drop constraint events_say_what_their_kind_has,
    add constraint events_say_what_their_kind_has check (
    case kind
        when 'payment' then num_nulls(payee_key, amount, currency) = 0 and num_nonnulls(device_key, detail) = 0
        when 'device' then device_key is not null and coalesce(detail in ('software', 'tee', 'secure_element'), false)
            and num_nonnulls(payee_key, amount, currency, decision_id) = 0
        when 'second_factor' then coalesce(detail in ('added', 'removed', 'recovered'), false)
            and num_nonnulls(payee_key, amount, currency, decision_id, device_key) = 0
        when 'login' then coalesce(detail, 'known_device') = 'known_device' and num_nonnulls(payee_key, amount, currency, decision_id, device_key) = 0
        when 'failed_login' then num_nonnulls(payee_key, amount, currency, decision_id, device_key, detail) = 0
        else false
    end);
alter table events drop column network_key, drop column country;
