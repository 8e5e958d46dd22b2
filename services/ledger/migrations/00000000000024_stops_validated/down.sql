-- What holds of all goes with migration 17.
select 1;
