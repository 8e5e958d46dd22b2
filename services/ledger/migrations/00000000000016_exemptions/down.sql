drop trigger used_approvals_reset_counters on used_approvals;
drop function approvals_reset_counters();
drop table exemptions, low_value_counters;
drop function exemptions_count();
