alter table grants drop column factor_since;
alter table interactions drop column factor_since;
drop table instances;
drop function instances_come_once();
