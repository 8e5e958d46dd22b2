-- All rows that are there are read, in a transaction of its own: others read and write meanwhile.
alter table interactions validate constraint interactions_factor_since;
alter table grants validate constraint grants_factor_since;
alter table outbox validate constraint outbox_says_what_its_kind_has, validate constraint outbox_says_where_its_kind_does;
alter table refresh_tokens validate constraint refresh_tokens_say_where_and_when;
