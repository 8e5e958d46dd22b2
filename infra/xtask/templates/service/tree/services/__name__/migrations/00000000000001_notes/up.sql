-- What operators write down. It names nobody unless its text does.

-- Functions are nobody's to call until they are granted; triggers fire all the same.
alter default privileges revoke execute on functions from public;

create function subject() returns text stable parallel safe return nullif(current_setting('app.subject', true), '');
grant execute on function subject() to __name___app;

create table notes (
    id uuid primary key,
    text text not null check (char_length(text) between 1 and 1000),
    written_by text not null check (written_by ~ '^[a-z0-9-]{1,64}$'),
    written_at timestamptz not null
);
comment on table notes is
    'What an operator wrote, once for each id. Append-only: nothing of a row ever changes. Kept for ever: nothing deletes any yet.';
comment on column notes.written_by is 'The workload in whose name it was written, by its certificate.';
comment on column notes.written_at is 'By the service''s clock.';

alter table notes enable row level security, force row level security;

-- Forced: the owner has no rows either, unless a policy says so. This is for migrations.
create policy everything_for_migrations on notes to current_user using (true) with check (true);

-- A note is written and seen by who says which one (app.subject): no statement of a taken-over app makes a list of them.
create policy written on notes for insert to __name___app with check (id::text = subject());
create policy one on notes for select to __name___app using (id::text = subject());

-- Nothing is changed or deleted.
grant insert, select on notes to __name___app;
