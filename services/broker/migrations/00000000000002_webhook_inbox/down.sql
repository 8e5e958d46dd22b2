drop function webhook_inbox_purge(timestamptz);
drop table webhook_inbox;
drop function webhook_inbox_guard();
