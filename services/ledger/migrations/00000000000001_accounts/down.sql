drop function lock_accounts(uuid[]);
drop table accounts;
drop function accounts_guard();
drop function refuse_change();
