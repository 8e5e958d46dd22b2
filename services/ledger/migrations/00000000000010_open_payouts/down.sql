drop trigger payouts_ended on payouts;
drop trigger payouts_opened on payouts;
drop function owners_follow_payouts();
drop trigger owners_counted on owners;
create trigger owners_counted before insert or update of owner, accounts on owners
    for each statement execute function owners_guard();
alter table owners drop column payout_ceiling, drop column open_payouts;
