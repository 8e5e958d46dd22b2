-- The evidence is lost, and with it what the former version cannot do: judge it anew.
alter table app_attest_keys drop column tells_build;
drop table attesting_days;
drop table evidence;
drop table used_challenges;
comment on table challenges is
    'Challenges that are out, as SHA-256. A row is deleted by the one request that uses it, or some seconds after it expired (2 minutes).';
