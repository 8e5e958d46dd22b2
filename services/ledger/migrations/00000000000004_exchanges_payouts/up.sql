create table exchanges (
    transfer_id     uuid    primary key,
    bought          bigint  not null check (bought > 0),
    bought_currency text    not null check (octet_length(bought_currency) = 3),
    rate            numeric not null check (rate > 0),
    rate_date       date    not null,
    rate_source     text    not null
);
comment on table exchanges is
    'The rate at which an exchange was made, as it was quoted: units of the bought currency for one of the sold. Append-only, kept for ever.';
create trigger exchanges_append_only before update or delete or truncate on exchanges
    for each statement execute function refuse_change();

create table payouts (
    id              uuid        primary key,
    account_id      uuid        not null,
    owner           text        not null,
    amount          bigint      not null check (amount > 0),
    currency        text        not null check (octet_length(currency) = 3),
    creditor_name   text        not null check (char_length(creditor_name) between 1 and 70),
    creditor_iban   text        not null check (creditor_iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
    reference       text        not null check (char_length(reference) <= 140),
    traceparent     text,
    status          text        not null default 'pending' check (status in ('pending', 'submitted', 'paid', 'failed')),
    partner_id      text,
    attempts        integer     not null default 0 check (attempts >= 0),
    next_attempt_at timestamptz not null,
    created_at      timestamptz not null,
    closed_by       uuid,
    constraint closed_by_a_transfer check ((closed_by is not null) = (status in ('paid', 'failed')))
)
with (fillfactor = 80);
create index payouts_due on payouts (next_attempt_at) where status = 'pending';
comment on table payouts is
    'Orders to pay money out; id is that of the transfer that took the money off the account. Name and IBAN are personal data of the creditor. '
    'The table is also the queue of what the partner has not confirmed yet. Kept for ever.';

-- A payout only moves forward, and what was ordered does not change.
create function payouts_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if (new.id, new.account_id, new.owner, new.amount, new.currency, new.creditor_name, new.creditor_iban, new.reference, new.created_at)
        is distinct from
       (old.id, old.account_id, old.owner, old.amount, old.currency, old.creditor_name, old.creditor_iban, old.reference, old.created_at)
    then
        raise exception 'a payout''s order cannot be changed' using errcode = 'check_violation';
    end if;
    if old.status in ('paid', 'failed') or new.status = 'pending' and old.status <> 'pending' then
        raise exception 'a payout cannot go from % to %', old.status, new.status using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger payouts_forward before update on payouts for each row execute function payouts_guard();
create trigger payouts_kept before delete or truncate on payouts for each statement execute function refuse_change();

alter table exchanges enable row level security;
alter table exchanges force row level security;
alter table payouts enable row level security;
alter table payouts force row level security;
create policy own on exchanges for select to ledger_app using (transfer_id in (select t.id from transfers t));
create policy own on payouts for select to ledger_app using (owner = current_setting('app.subject', true));
create policy every_exchange_for_posting on exchanges to ledger_poster using (true) with check (true);
create policy every_payout_for_posting on payouts to ledger_poster using (true) with check (true);

grant select on exchanges, payouts to ledger_app;
grant select, insert on exchanges, payouts to ledger_poster;
grant update (status, partner_id, attempts, next_attempt_at, closed_by) on payouts to ledger_poster;
