-- Who has shown a passkey has shown more than the former version can say; who awaits one, less than it takes a login to be.
delete from interactions where awaits_user_id is not null or second_factor = 'passkey';
-- That there was a second factor stays said.
update grants set second_factor = 'recovery' where second_factor = 'passkey';

drop policy anonymous_or_own on interactions;
create policy anonymous_or_own on interactions for insert to auth_app
    with check ((user_id is null or (user_id = subject() and (second_factor is not null or not exists (select from totp_secrets))))
                and (awaits_user_id is null or awaits_user_id = subject()));
drop policy own on grants;
create policy own on grants for insert to auth_app
    with check (user_id = subject() and (second_factor is not null or not exists (select from totp_secrets)));
drop policy own on recovery_codes;
create policy own on recovery_codes to auth_app using (user_id = subject()) with check (user_id = subject());

drop trigger totp_secrets_take_codes_along on totp_secrets;
drop table passkey_ceremonies;
drop table passkeys;
drop function no_codes_without_a_factor();
drop function under_way();
drop function end_other_sign_ins();
drop function few();
drop function counts_up();

delete from recovery_codes c where not exists (select from totp_secrets t where t.user_id = c.user_id);
alter table recovery_codes drop constraint recovery_codes_user_id_fkey;
alter table recovery_codes
    add constraint recovery_codes_user_id_fkey foreign key (user_id) references totp_secrets on delete cascade;
comment on table recovery_codes is
    'Codes that each stand in for the authenticator app once: HMAC-SHA-256 of 80 random bits, under a key outside the database. A used one is deleted; all go with the app or with new ones.';

alter table interactions drop constraint interactions_second_factor,
    add constraint interactions_second_factor check (second_factor is null or (second_factor in ('otp', 'recovery') and user_id is not null));
alter table grants drop constraint grants_second_factor, add constraint grants_second_factor check (second_factor in ('otp', 'recovery'));
