drop trigger head_time on head;
drop function head_tells_the_time();
alter table head drop column posted_at;
drop function lock_free_accounts(uuid[]), accounts_there(uuid[]);
