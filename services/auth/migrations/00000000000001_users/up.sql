-- Who can log in. Instants are passed in by the service, never taken from the database's clock.
create table users (
    id             uuid primary key,
    email_lookup   bytea not null constraint users_email_taken unique check (octet_length(email_lookup) = 32),
    email_sealed   bytea not null,
    name_sealed    bytea not null,
    password_hash  text not null check (password_hash like '$argon2id$%'),
    created_at     timestamptz not null
);

comment on table users is
    'One row per person with a login; kept while the person is a customer. Personal data is sealed per row (AES-256-GCM under the auth KEK), so erasing the row''s sealed values erases the person.';
comment on column users.id is 'The pseudonymous subject (`sub`): all that other services ever learn.';
comment on column users.email_lookup is 'HMAC-SHA-256 of the normalised e-mail address: found by equality, not readable.';
comment on column users.password_hash is 'argon2id PHC string; the pepper is outside the database.';

grant select, insert on users to auth_app;
grant update (password_hash) on users to auth_app;
