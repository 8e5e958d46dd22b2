create table secrets (
    provider   text        not null check (provider ~ '^[a-z0-9_-]{1,64}$'),
    id         text        not null check (id ~ '^[a-z0-9_-]{1,64}$'),
    version    integer     not null check (version > 0),
    record     bytea,
    sealed_at  timestamptz not null,
    retired_at timestamptz,
    primary key (provider, id, version),
    -- Retiring destroys: a retired version keeps its number and nothing else.
    constraint retired_is_empty check ((record is null) = (retired_at is not null))
);

-- At most two live versions of a secret: consecutive numbers differ modulo 2, and a third one would meet the first.
create unique index secrets_two_live on secrets (provider, id, (version % 2)) where retired_at is null;

comment on table secrets is
    'API keys and webhook secrets of third parties, each sealed under its own data key (AES-256-GCM envelope; provider, id and '
    'version are authenticated with it). Kept until retired; retiring clears the record at once, the row stays as history.';

-- The serving process only reads. Sealing and retiring run as the migrator (`broker seal-secret`).
grant select on secrets to broker_app;
