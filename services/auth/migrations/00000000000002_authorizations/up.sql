-- The path of one authorization: pushed request -> interaction in a browser -> grant -> code -> refresh token.
-- Whatever would let its holder in (request_uri, cookie, code, refresh token) is stored as SHA-256 only.

create table pushed_requests (
    id_hash       bytea primary key check (octet_length(id_hash) = 32),
    client_id     text not null,
    jkt           text check (length(jkt) = 43),
    parameters    jsonb not null,
    attempts      integer not null default 0 check (attempts >= 0),
    expires_at    timestamptz not null,
    completed_at  timestamptz
);
create index pushed_requests_expires_at on pushed_requests (expires_at);
comment on table pushed_requests is
    'Authorization requests as pushed by authenticated clients (RFC 9126); usable for 90 seconds, completed once, deleted within the hour.';
comment on column pushed_requests.attempts is 'Interactions begun and passwords sent for it, in all browsers together.';
comment on column pushed_requests.jkt is 'Thumbprint of the key whose proof came with the request; the code is bound to it (RFC 9449 section 10.1).';

create table interactions (
    browser_hash      bytea primary key check (octet_length(browser_hash) = 32),
    request_hash      bytea not null references pushed_requests on delete cascade,
    user_id           uuid references users,
    authenticated_at  timestamptz,
    expires_at        timestamptz not null,
    constraint interactions_authenticated check ((user_id is null) = (authenticated_at is null))
);
create index interactions_request_hash on interactions (request_hash);
create index interactions_expires_at on interactions (expires_at);
comment on table interactions is
    'One browser that is answering one pushed request: bound to it by a cookie, replaced at login; ten minutes, deleted when answered.';

create table grants (
    id                uuid primary key,
    user_id           uuid not null references users,
    client_id         text not null,
    scope             text not null,
    jkt               text check (length(jkt) = 43),
    authenticated_at  timestamptz not null,
    created_at        timestamptz not null,
    revoked_at        timestamptz,
    revoked_reason    text,
    constraint grants_revoked check ((revoked_at is null) = (revoked_reason is null))
);
create index grants_user_id on grants (user_id);
comment on table grants is
    'What a person has consented to, for which client, on which device key. The proof of consent: kept, also when revoked.';
comment on column grants.jkt is 'The device key that redeemed the code; null until then.';

create table authorization_codes (
    code_hash       bytea primary key check (octet_length(code_hash) = 32),
    grant_id        uuid not null constraint authorization_codes_one_per_grant unique references grants,
    client_id       text not null,
    redirect_uri    text not null,
    code_challenge  text not null check (length(code_challenge) = 43),
    nonce           text,
    jkt             text check (length(jkt) = 43),
    expires_at      timestamptz not null,
    used_at         timestamptz
);
create index authorization_codes_expires_at on authorization_codes (expires_at);
comment on table authorization_codes is
    'Authorization codes: 60 seconds, one use; kept for a day after that so that a second use is seen and revokes the grant.';

create table refresh_tokens (
    token_hash    bytea primary key check (octet_length(token_hash) = 32),
    grant_id      uuid not null constraint refresh_tokens_one_per_grant unique references grants,
    last_used_at  timestamptz not null,
    expires_at    timestamptz not null
);
create index refresh_tokens_expires_at on refresh_tokens (expires_at);
comment on table refresh_tokens is
    'Refresh tokens, bound to the client and device key of their grant and therefore not rotated (FAPI 2.0 section 5.3.2.1); 30 days idle, 90 days in all, then deleted.';

create table client_assertions (
    id_hash     bytea primary key check (octet_length(id_hash) = 32),
    expires_at  timestamptz not null
);
create index client_assertions_expires_at on client_assertions (expires_at);
comment on table client_assertions is
    'Identifiers of client assertions that were used (RFC 7523 section 3, item 7), for all processes alike; deleted when the assertion has expired.';

grant select, insert, delete on pushed_requests, interactions, authorization_codes, refresh_tokens, client_assertions to auth_app;
grant select, insert on grants to auth_app;
grant update (attempts, completed_at) on pushed_requests to auth_app;
grant update (used_at) on authorization_codes to auth_app;
grant update (last_used_at) on refresh_tokens to auth_app;
grant update (jkt, revoked_at, revoked_reason) on grants to auth_app;
