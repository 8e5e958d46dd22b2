drop table outbox;
drop table entries;
drop table transfers;
drop table head;
drop function entries_balance();
drop function transfers_are_numbered();
