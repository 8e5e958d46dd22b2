drop table labels, decisions, event_conflicts, events, log_head;
drop function log_head_guard(), numbers_are_taken(), subject();
alter default privileges grant execute on functions to public;
