-- A transaction of the app says which instance it is about (app.subject: the thumbprint of its key, 256 bits) and sees that one. So there is no
-- statement by which a taken-over app lists instances, or takes the marks of all of them.
-- The former version says nothing and would know no instance: stop it before this one starts.

-- Functions are nobody's to call until they are granted; triggers fire all the same.
alter default privileges revoke execute on functions from public;
revoke execute on all functions in schema public from public;

-- As the migration before this one announced.
drop table challenges;

create function subject() returns text stable parallel safe return nullif(current_setting('app.subject', true), '');
grant execute on function subject() to attestation_app;

alter table instances enable row level security, force row level security;
alter table app_attest_keys enable row level security, force row level security;
alter table evidence enable row level security, force row level security;
alter table verdicts enable row level security, force row level security;
alter table pardons enable row level security, force row level security;
alter table used_evidence enable row level security, force row level security;
alter table used_challenges enable row level security, force row level security;
alter table attesting_days enable row level security, force row level security;

-- Forced: the owner has no rows either, unless a policy says so. This is for migrations and for the functions that act as it.
create policy everything_for_migrations on instances to current_user using (true) with check (true);
create policy everything_for_migrations on app_attest_keys to current_user using (true) with check (true);
create policy everything_for_migrations on evidence to current_user using (true) with check (true);
create policy everything_for_migrations on verdicts to current_user using (true) with check (true);
create policy everything_for_migrations on pardons to current_user using (true) with check (true);
create policy everything_for_migrations on used_evidence to current_user using (true) with check (true);
create policy everything_for_migrations on used_challenges to current_user using (true) with check (true);
create policy everything_for_migrations on attesting_days to current_user using (true) with check (true);

create policy own on instances to attestation_app using (jkt = subject()) with check (jkt = subject());
create policy own on app_attest_keys to attestation_app using (jkt = subject()) with check (jkt = subject());
create policy own on evidence to attestation_app using (jkt = subject()) with check (jkt = subject());
create policy own on verdicts for insert to attestation_app with check (jkt = subject());

-- What was used is nobody's. That it can be neither read, changed nor deleted is in the grants; these policies say nothing beside.
create policy used_by_anybody on used_evidence for insert to attestation_app with check (true);
create policy used_by_anybody on used_challenges for insert to attestation_app with check (true);

-- A count is of an attestation key, which many instances share: whose it is, no policy can ask. But it begins with one.
create policy counted_from_one on attesting_days for insert to attestation_app with check (enrolments = 1);
create policy counted_for_all on attesting_days for select to attestation_app using (true);
create policy counted_on on attesting_days for update to attestation_app using (true);

-- And goes on by one: it cannot be set back below the limit.
create function attesting_days_guard() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.enrolments <> old.enrolments + 1 then
        raise exception 'enrolments are counted one by one' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger attesting_days_guard before update on attesting_days for each row execute function attesting_days_guard();

-- The only way to delete a challenge that was used. The time is the service's, but never ahead of the database's: a taken-over app cannot have one
-- accepted again.
create function forget_challenges(before timestamptz) returns bigint language sql security definer set search_path = pg_catalog, pg_temp as $$
    with gone as (delete from public.used_challenges where expires_at <= least(before, now()) returning 1)
    select count(*) from gone
$$;
grant execute on function forget_challenges(timestamptz) to attestation_app;

-- By column, and only what a statement of the service names. What was really thought of an instance it writes and never reads.
revoke all on all tables in schema public from attestation_app;
grant select, insert, update (platform, client_id, app_id, app_build, level, decoyed, believed, attested_at, renewed_at)
    on instances to attestation_app;
grant select, insert, update (counter, tells_build) on app_attest_keys to attestation_app;
grant select, insert, update (at, parts, attesting, patch_level) on evidence to attestation_app;
grant insert on verdicts, used_evidence, used_challenges to attestation_app;
grant select, insert, update (enrolments) on attesting_days to attestation_app;
