drop trigger payouts_to_payees on payouts;
drop function payouts_go_to_payees();
drop trigger payouts_payee on payouts;
alter table payouts drop column payee_id;
drop table payees;
drop function payees_bounded();
drop function payees_guard();
alter table owners drop column payee_ceiling;
