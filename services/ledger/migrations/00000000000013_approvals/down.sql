drop table used_approvals, approvals;
drop function used_approvals_guard();
drop function approvals_guard();
drop function forget_approvals();
