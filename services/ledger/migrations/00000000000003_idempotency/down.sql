drop function recorded_outcomes(text[], text[], text[]);
drop table idempotency;
