create table login_throttles (
    identifier_hash  bytea primary key check (octet_length(identifier_hash) = 32),
    failures         integer not null check (failures >= 0),
    blocked_until    timestamptz not null,
    last_attempt_at  timestamptz not null
);
create index login_throttles_last_attempt_at on login_throttles (last_attempt_at);
comment on table login_throttles is
    'Consecutive failed logins per identifier, whether or not anybody has that identifier; gone at the next success, deleted 30 days after the last attempt.';
comment on column login_throttles.identifier_hash is 'HMAC-SHA-256 of the normalised identifier; with the device key for a device that has logged in as that user before.';

grant select, insert, update, delete on login_throttles to auth_app;
