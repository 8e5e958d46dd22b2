-- What a refresh token is bound to depends on the client (RFC 9449 section 5).
comment on table refresh_tokens is
    'Refresh tokens, bound to the client of their grant and, where the client is an attested app, to the device key, and therefore not rotated (FAPI 2.0 section 5.3.2.1); 30 days idle, 90 days in all, then deleted.';
comment on column grants.jkt is
    'The key that redeemed the code; null until then. A device key where the client is an attested app, else a key of the client''s own choice.';
