drop table payouts;
drop table exchanges;
drop function payouts_guard();
