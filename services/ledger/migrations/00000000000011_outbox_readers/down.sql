drop table outbox_readers;
drop function outbox_readers_guard();
