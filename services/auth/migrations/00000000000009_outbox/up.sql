-- What happens at a person's door, on its way to the behavior analytics.

create table outbox (
    id               uuid primary key,
    kind             text not null,
    user_id          uuid,
    happened_at      timestamptz not null,
    jkt              text,
    detail           text,
    since            timestamptz,
    attempts         integer not null default 0 check (attempts >= 0),
    next_attempt_at  timestamptz not null,
    constraint outbox_says_what_its_kind_has check (
        case kind
            when 'login' then user_id is not null and jkt is null and coalesce(detail, 'known_device') = 'known_device'
            when 'failed_login' then num_nonnulls(jkt, detail) = 0
            when 'device' then num_nulls(user_id, jkt, detail) = 0
            when 'second_factor' then num_nulls(user_id, detail) = 0 and jkt is null
            else false
        end),
    constraint outbox_knows_since_when_of_devices check (since is null or kind = 'device')
);
create index outbox_next_attempt_at on outbox (next_attempt_at);
create index outbox_happened_at on outbox (happened_at);
comment on table outbox is
    'What the behavior analytics are to be told: deleted when they have been, as a rule within a second, and kept up to 7 days while they cannot be told. Where nobody is to be told, nothing is written. The table is also the queue.';
comment on column outbox.user_id is
    'Of a failed login with an address that nobody has it is null: the row is written so that time does not tell, and never told. No foreign key, for the same reason.';
comment on column outbox.jkt is 'The thumbprint of the key of an instance of the app.';
comment on column outbox.since is
    'Of a device that acted for the person before anybody was told of devices: when the person logged in on it. Null, if that is when it happened.';
comment on column outbox.detail is 'How well that key is kept, what has become of a second factor, or that a login was on a device that was known.';

alter table outbox enable row level security, force row level security;
create policy everything_for_migrations on outbox to current_user using (true) with check (true);
-- A transaction leaves word of its own person: of the one it is about, or of the one whose code it holds.
create policy of_its_person on outbox for insert to auth_app
    with check ((user_id is null and kind = 'failed_login') or user_id = subject() or user_id in (select g.user_id from grants g));
-- The courier tells what everybody has left: what has happened since behavior was told last, and for 7 days at most.
create policy told on outbox for select to auth_app using (true);
create policy claimed on outbox for update to auth_app using (true);
create policy done on outbox for delete to auth_app using (true);

grant select, insert (id, kind, user_id, happened_at, jkt, detail, since, next_attempt_at), update (attempts, next_attempt_at), delete on outbox to auth_app;

-- Who has a phone since before this, or since before anybody was to be told, is told of when it next refreshes its tokens: else the phone that comes next would pass as
-- the first, and the owner's as the new one.
alter table refresh_tokens add column device_told boolean not null default false;
comment on column refresh_tokens.device_told is 'Whether word was left of the device that has it.';
grant select (device_told), insert (device_told), update (device_told) on refresh_tokens to auth_app;

-- What nobody has listened to for a week. By itself, so that nothing else waits for it, and so much at a time; never ahead of the database's clock.
create function forget_outbox(moment timestamptz) returns bigint language sql security definer set search_path = public, pg_temp as $$
    with old as (select id from outbox where happened_at < least(moment, now()) - interval '7 days' order by happened_at limit 5000 for update skip locked),
    gone as (delete from outbox using old where outbox.id = old.id returning 1)
    select count(*) from gone
$$;
grant execute on function forget_outbox(timestamptz) to auth_app;
