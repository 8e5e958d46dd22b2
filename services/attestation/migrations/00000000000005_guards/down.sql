do $$
declare
    found record;
begin
    for found in select tablename, policyname from pg_policies where schemaname = 'public' loop
        execute format('drop policy %I on %I', found.policyname, found.tablename);
    end loop;
    for found in select relname from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity loop
        execute format('alter table %I no force row level security, disable row level security', found.relname);
    end loop;
end $$;
drop function forget_challenges(timestamptz);
drop trigger attesting_days_guard on attesting_days;
drop function attesting_days_guard(), subject();

create table challenges (
    hash bytea primary key check (octet_length(hash) = 32),
    platform text not null check (platform in ('android', 'ios')),
    purpose text not null check (purpose in ('attestation', 'assertion')),
    expires_at timestamptz not null
);
comment on table challenges is
    'Not written any more: challenges carry their own MAC, and used_challenges has those that were used. Kept so that the former version can be started again; the next migration drops it.';
create index challenges_expires_at on challenges (expires_at);

alter default privileges grant execute on functions to public;
grant execute on function instances_guard(), app_attest_keys_guard() to public;
revoke all on all tables in schema public from attestation_app;
grant select, insert, delete on challenges, used_challenges to attestation_app;
grant select, insert, update (platform, client_id, app_id, app_build, level, decoyed, believed, attested_at, renewed_at)
    on instances to attestation_app;
grant select, insert, update (counter, tells_build) on app_attest_keys to attestation_app;
grant select, insert on used_evidence, verdicts to attestation_app;
grant select, insert, update on evidence to attestation_app;
grant select, insert, update (enrolments) on attesting_days to attestation_app;
