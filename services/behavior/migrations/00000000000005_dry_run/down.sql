drop function dry_run_counts(text, text, integer);
drop table dry_runs;
