drop index accounts_of_owner;
create index accounts_of_owner on accounts (owner, id) where owner is not null;
drop trigger accounts_closed on accounts;
drop trigger accounts_opened on accounts;
drop function owners_follow();
drop table owners;
drop function owners_guard();
