comment on table refresh_tokens is
    'Refresh tokens, bound to the client and device key of their grant and therefore not rotated (FAPI 2.0 section 5.3.2.1); 30 days idle, 90 days in all, then deleted.';
comment on column grants.jkt is 'The device key that redeemed the code; null until then.';
