-- What the behavior analytics thought of a payment before it was made. The word is written with the posting that it is about, or never. It is in
-- shadow: nothing here refuses what they say, a decision that they name twice neither, for the money moves in the same transaction.
create table risk_words (
    transfer_id uuid primary key,
    decision_id uuid not null,
    action      text not null check (action in ('allow', 'step_up', 'delay'))
);
comment on table risk_words is
    'The decision of the behavior analytics on a payment, for each that was asked about and answered in time; decision_id is their name for it. '
    'Append-only, kept for ever.';
create trigger risk_words_append_only before update or delete or truncate on risk_words
    for each statement execute function refuse_change();

create function risk_words_fit() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
    if exists (
        select from inserted i left join lateral (select xmin, kind from transfers t where t.id = i.transfer_id limit 1) t on true
        where (t.kind in ('transfer', 'payout') and t.xmin = pg_current_xact_id()::xid) is not true) then
        raise exception 'a word on a payment that is not made with it' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create trigger risk_words_fitting after insert on risk_words referencing new table as inserted
    for each statement execute function risk_words_fit();
revoke execute on function risk_words_fit() from public;

alter table risk_words enable row level security;
alter table risk_words force row level security;
create policy every_word_for_posting on risk_words to ledger_poster using (true) with check (true);
grant select, insert on risk_words to ledger_poster;
