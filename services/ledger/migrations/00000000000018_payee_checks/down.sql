drop trigger payouts_to_the_named on payouts;
drop function payouts_go_to_the_named();
drop trigger payees_removed_forgotten on payees;
drop function payee_checks_forget();
drop table payee_checks;
drop function payee_checks_bounded();
drop function payee_checks_guard();
alter table owners drop column check_budget, drop column check_ceiling, drop column checks, drop column checks_on;
