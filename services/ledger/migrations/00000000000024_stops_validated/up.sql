-- What migration 23 has added holds of the payouts of before, too. In a transaction of its own: whoever pays goes on while it looks.
alter table payouts validate constraint payouts_word_check, validate constraint a_refusal_is_a_failure;
