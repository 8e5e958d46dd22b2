-- What happened, what was decided and what turned out. Nobody is named: a user and a payee are the first 64 bits of a digest of a pseudonym.

-- Functions are nobody's to call until they are granted; triggers fire all the same.
alter default privileges revoke execute on functions from public;

create function subject() returns text stable parallel safe return nullif(current_setting('app.subject', true), '');
grant execute on function subject() to behavior_app;

create table log_head (
    single boolean primary key default true check (single),
    last_number bigint not null check (last_number >= 0)
);
comment on table log_head is
    'One row: the number of the last event or label. Whoever writes one takes its number here and holds the row until the commit, so that the order of the numbers is the order of the commits. Kept for ever.';
insert into log_head (last_number) values (0);

create table events (
    id uuid primary key,
    number bigint not null unique check (number > 0),
    kind text not null check (kind in ('payment')),
    at timestamptz not null,
    received_at timestamptz not null,
    reported_by text not null,
    user_key bigint not null,
    payee_key bigint not null,
    amount bigint not null check (amount > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    decision_id uuid
);
comment on table events is
    'What happened, once for each id, in the order in which it is learned (number). amount is in minor units. Append-only; all profiles are made of it, so it is kept for 13 months, and what is older is no longer learned after a restart.';

create table event_conflicts (
    event_id uuid not null,
    digest bytea not null check (octet_length(digest) = 32),
    received_at timestamptz not null,
    reported_by text not null,
    at timestamptz not null,
    user_key bigint not null,
    payee_key bigint not null,
    amount bigint not null,
    currency text not null,
    decision_id uuid,
    primary key (event_id, digest)
);
comment on table event_conflicts is
    'Events that were refused because their id was another event''s: each content once, by its SHA-256. For people to look at; append-only; kept for 13 months.';

create table decisions (
    id uuid primary key,
    decided_at timestamptz not null,
    request_id uuid,
    at timestamptz not null,
    user_key bigint not null,
    payee_key bigint not null,
    amount bigint not null check (amount > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    features_version integer not null check (features_version > 0),
    features jsonb not null check (jsonb_typeof(features) = 'object'),
    learned bigint not null check (learned >= 0),
    score double precision not null check (score between 0 and 1),
    action text not null check (action in ('allow', 'step_up', 'delay')),
    reasons jsonb not null check (jsonb_typeof(reasons) = 'array'),
    model text not null,
    rules text not null
);
comment on table decisions is
    'What was thought of each payment that was asked about, with all that it rests on: the features, the versions that judged, and the number of the last event that had been learned. Append-only; kept for 13 months.';
create index decisions_request_id on decisions (request_id) where request_id is not null;

create table labels (
    payment uuid not null,
    number bigint not null unique check (number > 0),
    known_at timestamptz not null,
    about text not null check (about in ('decision', 'event')),
    label text not null check (label in ('fraud', 'honest')),
    before text check (before in ('fraud', 'honest')),
    paid_at timestamptz not null,
    payee_key bigint not null,
    primary key (payment, number),
    check (before is distinct from label)
);
comment on table labels is
    'What turned out of a payment, as people said it, the newest word last; before is the word that it replaces. payment is the decision''s id, or the event''s where no decision was asked for. Numbered with the events: it is learned when it becomes known. Append-only; kept for 13 months.';

-- A number that was given is never given again, and nobody takes so many that there are none left.
create function log_head_guard() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.last_number <= old.last_number or new.last_number > old.last_number + 100 then
        raise exception 'numbers only rise, by a batch at most' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger log_head_guard before update on log_head for each row execute function log_head_guard();

-- Whoever writes has taken its numbers in the same transaction, so nothing appears behind what others have read already. The head was written by this
-- transaction, so it says which numbers those are, give or take the batch before.
create function numbers_are_taken() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (
        select from inserted i, log_head h
        where h.xmin is distinct from pg_current_xact_id()::xid or i.number > h.last_number or i.number <= h.last_number - 100) then
        raise exception 'a number that this transaction has not taken' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create trigger events_numbered after insert on events referencing new table as inserted
    for each statement execute function numbers_are_taken();
create trigger labels_numbered after insert on labels referencing new table as inserted
    for each statement execute function numbers_are_taken();

alter table log_head enable row level security, force row level security;
alter table events enable row level security, force row level security;
alter table event_conflicts enable row level security, force row level security;
alter table decisions enable row level security, force row level security;
alter table labels enable row level security, force row level security;

-- Forced: the owner has no rows either, unless a policy says so. This is for migrations.
create policy everything_for_migrations on log_head to current_user using (true) with check (true);
create policy everything_for_migrations on events to current_user using (true) with check (true);
create policy everything_for_migrations on event_conflicts to current_user using (true) with check (true);
create policy everything_for_migrations on decisions to current_user using (true) with check (true);
create policy everything_for_migrations on labels to current_user using (true) with check (true);

-- The fold reads everybody's events and labels, and the app has in memory what they make: there is nothing to hide from it in these two.
create policy counted on log_head to behavior_app using (true) with check (true);
create policy told on events for insert to behavior_app with check (true);
create policy learned on events for select to behavior_app using (true);
create policy told on labels for insert to behavior_app with check (true);
create policy learned on labels for select to behavior_app using (true);
create policy told on event_conflicts for insert to behavior_app with check (true);

-- A decision is seen by who knows its id (app.subject). Events and labels name some; of the others no statement of a taken-over app makes a list.
create policy told on decisions for insert to behavior_app with check (true);
create policy one on decisions for select to behavior_app using (id::text = subject());

-- By column, and only what a statement of the service names. Nothing is changed or deleted but the head.
grant select (last_number), update (last_number) on log_head to behavior_app;
grant insert, select (id, number, at, user_key, payee_key, amount, currency, decision_id) on events to behavior_app;
grant insert on event_conflicts to behavior_app;
grant insert, select on decisions to behavior_app;
grant insert, select (payment, number, label, before, paid_at, payee_key) on labels to behavior_app;
