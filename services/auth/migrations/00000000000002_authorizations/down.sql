drop table client_assertions;
drop table refresh_tokens;
drop table authorization_codes;
drop table grants;
drop table interactions;
drop table pushed_requests;
