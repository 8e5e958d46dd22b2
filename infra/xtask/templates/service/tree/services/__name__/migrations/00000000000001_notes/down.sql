drop table notes;
drop function subject();
alter default privileges grant execute on functions to public;
