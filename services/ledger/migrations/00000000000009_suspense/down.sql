alter table idempotency drop constraint only_customers_are_refused;
drop trigger transfers_in_suspense on transfers;
drop table suspense_items;
drop function suspense_is_explained();
drop function suspense_items_guard();
