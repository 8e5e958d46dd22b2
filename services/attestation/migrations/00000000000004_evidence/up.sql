-- Challenges carry a MAC and leave no row until they are used; evidence that enrolled an instance is kept, so that it can be judged anew.
-- Only additions, so that the former version is not in the way of the database. But stop it before this one starts: it would not know this one's challenges
-- and key names, nor this one its apps' evidence (the client is bound into it now).

create table used_challenges (
    hash bytea primary key check (octet_length(hash) = 32),
    expires_at timestamptz not null
);
comment on table used_challenges is
    'Challenges that were used, as SHA-256. Removed some minutes after they expired.';
create index used_challenges_expires_at on used_challenges (expires_at);
grant select, insert, delete on used_challenges to attestation_app;
comment on table challenges is
    'Not written any more: challenges carry their own MAC, and used_challenges has those that were used. Kept so that the former version can be started again; the next migration drops it.';

create table evidence (
    jkt text primary key references instances (jkt) on delete cascade,
    at timestamptz not null,
    -- Android: the certificates, leaf first. iOS: the attestation object, with its receipt.
    parts bytea[] not null check (cardinality(parts) between 1 and 6),
    attesting bytea check (octet_length(attesting) = 32),
    patch_level integer check (patch_level between 0 and 999999)
);
comment on table evidence is
    'What an instance was last believed for, so that it can be judged anew at each renewal. attesting is the SHA-256 of the key that attested (SPKI). Kept as long as its instance.';
create index evidence_attesting on evidence (attesting) where patch_level is not null;
grant select, insert, update on evidence to attestation_app;

create table attesting_days (
    attesting bytea not null check (octet_length(attesting) = 32),
    day date not null,
    enrolments integer not null check (enrolments > 0),
    primary key (attesting, day)
);
comment on table attesting_days is
    'How many instances each attestation key (SHA-256 of its SPKI) has enrolled on a day (UTC): a leaked one enrols many. Kept for 13 months, as verdicts are.';
grant select, insert, update (enrolments) on attesting_days to attestation_app;

alter table app_attest_keys add column tells_build boolean not null default false;
comment on column app_attest_keys.tells_build is
    'An assertion or the attestation has carried a signed build and validation category (iOS 27): none without is accepted from then on.';
grant update (tells_build) on app_attest_keys to attestation_app;
