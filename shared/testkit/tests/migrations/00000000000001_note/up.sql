create table note (id int primary key, text text not null);
comment on table note is 'A test''s notes; for as long as the test runs.';
grant select, insert on note to note_app;
