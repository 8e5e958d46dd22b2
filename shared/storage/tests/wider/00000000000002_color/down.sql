alter table notes drop column color;
