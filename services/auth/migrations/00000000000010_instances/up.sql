-- Since when an instance of an app acts for a person, and since when a person has had the second factor that they show. Access tokens say both, and resource
-- servers may let what is new do less: whoever has found a password out comes with a phone, and perhaps with a second factor, of today.

-- Policies name the role that made them. Where these tables have got another owner since, it follows them: they are read here, and by the trigger.
alter policy everything_for_migrations on users to current_user;
alter policy everything_for_migrations on grants to current_user;

create table instances (
    user_id  uuid not null references users,
    jkt      text not null check (length(jkt) = 43),
    since    timestamptz not null,
    first    boolean not null default false,
    primary key (user_id, jkt)
);
comment on table instances is
    'Instances of the app that have acted for a person, each with the time when the person first logged in on it. Never changed, and kept: a phone that comes back is no new one.';
comment on column instances.jkt is 'The thumbprint of the key of the instance.';
comment on column instances.first is
    'It came with the account: it is the person''s first one, and came within an hour of the registration. The database says so, whatever the statement says.';

-- Those of before, by what was granted to them. (Servers are among them, by the keys that they had: no harm, for nobody asks for how long a server is there.)
insert into instances (user_id, jkt, since, first)
    select g.user_id, g.jkt, g.since, g.place = 1 and g.since <= u.created_at + interval '1 hour'
    from (
        select user_id, jkt, min(created_at) as since, row_number() over (partition by user_id order by min(created_at), jkt) as place
        from grants where jkt is not null and expires_at is null group by user_id, jkt) g
    join users u on u.id = g.user_id;

create function instances_come_once() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- Of several at once one is the first.
    perform pg_advisory_xact_lock(32, hashtext(new.user_id::text));
    new.first := not exists (select from instances i where i.user_id = new.user_id)
        and exists (select from users u where u.id = new.user_id and new.since <= u.created_at + interval '1 hour');
    return new;
end $$;
create trigger instances_come before insert on instances for each row execute function instances_come_once();

alter table instances enable row level security, force row level security;
create policy everything_for_migrations on instances to current_user using (true) with check (true);
-- A transaction sees and adds those of its own person: of the one it is about, or of the one whose code or refresh token it holds.
create policy of_its_person on instances for select to auth_app
    using (user_id = subject() or user_id in (select g.user_id from grants g));
create policy of_its_person_from_now_on on instances for insert to auth_app
    with check (user_id = subject() or user_id in (select g.user_id from grants g));
-- What is not listed is the trigger's.
grant select, insert (user_id, jkt, since) on instances to auth_app;

-- What is there already says neither (12 looks at it).
alter table interactions add column factor_since timestamptz,
    add constraint interactions_factor_since check (factor_since is null or second_factor is not null) not valid;
comment on column interactions.factor_since is
    'Since when the person has had what they have shown beside the password; null for nothing, and for a recovery code, which only stands in.';
alter table grants add column factor_since timestamptz,
    add constraint grants_factor_since check (factor_since is null or second_factor is not null) not valid;
comment on column grants.factor_since is
    'Since when the person had had what they showed beside the password when it was given; null for nothing, for a recovery code, and for what was granted before this was noted.';
grant insert (factor_since) on interactions to auth_app;
grant select (factor_since), insert (factor_since) on grants to auth_app;
