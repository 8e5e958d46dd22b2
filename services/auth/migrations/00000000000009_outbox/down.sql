drop function forget_outbox(timestamptz);
alter table refresh_tokens drop column device_told;
drop table outbox;
