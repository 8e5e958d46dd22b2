alter table notes add column color text;
