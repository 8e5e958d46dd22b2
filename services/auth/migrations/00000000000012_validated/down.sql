-- What was looked at is as it was: there is nothing to undo.
select;
