-- From where somebody logs in, fails to, or goes on acting, as far as a table of networks says it, on its way to the behavior analytics. No address.

-- Policies name the role that made them. Where the table has got another owner since, it follows it.
alter policy everything_for_migrations on outbox to current_user;

-- What is there already says no place, and each kind what it said before (12 looks at it).
alter table outbox add column country text, add column network text;
alter table outbox drop constraint outbox_says_what_its_kind_has, add constraint outbox_says_what_its_kind_has check (
    case kind
        when 'login' then user_id is not null and jkt is null and coalesce(detail, 'known_device') = 'known_device'
        when 'failed_login' then num_nonnulls(jkt, detail) = 0
        when 'seen' then num_nulls(user_id, country) = 0 and num_nonnulls(jkt, detail) = 0
        when 'device' then num_nulls(user_id, jkt, detail) = 0
        when 'second_factor' then num_nulls(user_id, detail) = 0 and jkt is null
        else false
    end) not valid;
alter table outbox add constraint outbox_says_where_its_kind_does check (
    num_nonnulls(country, network) = 0
    or (kind in ('login', 'failed_login', 'seen') and coalesce(country ~ '^[A-Z]{2}$', false) and coalesce(network ~ '^[0-9a-f]{16}$', true))) not valid;
comment on column outbox.country is 'The country that the network was registered for from which it came; null, where that is not known.';
comment on column outbox.network is 'Whose network that was: 64 bits of a digest of its operator''s number.';
grant select (country, network), insert (country, network) on outbox to auth_app;

-- Who refreshes tokens where they did before is not told of each time.
alter table refresh_tokens add column seen_in text, add column seen_told_at timestamptz,
    add constraint refresh_tokens_say_where_and_when check ((seen_in is null) = (seen_told_at is null)) not valid;
comment on column refresh_tokens.seen_in is 'Country and network from which it was used when word was left of that last.';
grant select (seen_in, seen_told_at), update (seen_in, seen_told_at) on refresh_tokens to auth_app;
