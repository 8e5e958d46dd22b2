-- All events that are there are read, in a transaction of its own: others read and write meanwhile.
alter table events validate constraint events_say_what_their_kind_has;
alter table events validate constraint events_say_where_their_kind_does;
