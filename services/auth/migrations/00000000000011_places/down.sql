alter table refresh_tokens drop constraint refresh_tokens_say_where_and_when, drop column seen_told_at, drop column seen_in;
delete from outbox where kind = 'seen';
alter table outbox drop constraint outbox_says_where_its_kind_does, drop constraint outbox_says_what_its_kind_has,
    add constraint outbox_says_what_its_kind_has check (
    case kind
        when 'login' then user_id is not null and jkt is null and coalesce(detail, 'known_device') = 'known_device'
        when 'failed_login' then num_nonnulls(jkt, detail) = 0
        when 'device' then num_nulls(user_id, jkt, detail) = 0
        when 'second_factor' then num_nulls(user_id, detail) = 0 and jkt is null
        else false
    end);
alter table outbox drop column network, drop column country;
