create table notes (
    id bigint primary key,
    subject text not null,
    body text not null constraint notes_body_short check (length(body) <= 20)
);
comment on table notes is 'Test rows of shared/storage; live as long as the test database.';
alter table notes enable row level security;
alter table notes force row level security;
create policy own on notes using (subject = current_setting('app.subject', true));
grant select, insert, update on notes to storage_app;
