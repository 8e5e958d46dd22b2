drop table verdicts;
drop table used_evidence;
drop table app_attest_keys;
drop table instances;
drop table challenges;
drop function app_attest_keys_guard();
drop function instances_guard();
