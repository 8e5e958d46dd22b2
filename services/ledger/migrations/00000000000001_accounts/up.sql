-- Refuses whatever it is attached to. Grants say the same to the roles that serve; this stops a careless statement of the owner, who could
-- disable it. So nobody signs in as the owner: a role without login owns the tables, and only a migration acts as it.
create function refuse_change() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    raise exception '% on % is not allowed: the ledger only grows', tg_op, tg_table_name using errcode = 'insufficient_privilege';
end $$;

create table accounts (
    id        uuid        primary key,
    -- The three that every posting reads and the two of them that it moves.
    balance   bigint      not null default 0,
    version   bigint      not null default 0 check (version >= 0),
    floor     bigint      not null default 0,
    opened_at timestamptz not null,
    closed_at timestamptz,
    currency  text        not null check (octet_length(currency) = 3),
    purpose   text        not null default 'customer' check (purpose in ('customer', 'settlement', 'fx', 'payout_clearing')),
    owner     text        check (length(owner) between 1 and 255),
    name      text        not null check (char_length(name) between 1 and 60),
    constraint floor_holds check (balance >= floor),
    constraint customers_have_owners check ((purpose = 'customer') = (owner is not null)),
    constraint customers_have_no_overdraft check (purpose <> 'customer' or floor >= 0)
)
-- Half of each page stays free, so that a new balance finds room beside the old one and no index is touched (HOT).
with (fillfactor = 50);

create index accounts_of_owner on accounts (owner, id) where owner is not null;

comment on table accounts is
    'Who may move which money, and how much of it there is now (minor units). balance and version are derived: only the trigger on '
    'entries moves them. Names are personal data of the owner. Kept for ever; a closed account stays.';
comment on column accounts.floor is 'The balance may not go below it. 0 for customers.';
comment on column accounts.version is 'Number of entries so far.';

-- What an account is never changes; how much is on it changes through entries only.
create function accounts_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if pg_trigger_depth() < 2 then
        raise exception 'a balance moves by entries only' using errcode = 'insufficient_privilege';
    end if;
    return null;
end $$;

create trigger accounts_identity before update of id, currency, purpose, owner, opened_at on accounts
    for each statement execute function refuse_change();
create trigger accounts_balance before update of balance, version on accounts
    for each statement execute function accounts_guard();
create trigger accounts_kept before delete or truncate on accounts
    for each statement execute function refuse_change();

-- The accounts of the house: one per purpose and currency, under an id that code can compute (posting::model::system_account).
insert into accounts (id, currency, purpose, floor, name, opened_at)
select ('00000000-0000-8000-8000-' || encode(convert_to(c.code, 'UTF8'), 'hex') || p.tag)::uuid, c.code, p.purpose, p.floor, p.purpose, now()
from (values ('settlement', '000001', -9223372036854775808), ('fx', '000002', -9223372036854775808), ('payout_clearing', '000003', 0))
         as p (purpose, tag, floor),
     unnest(array['AUD','BRL','CAD','CHF','CNY','CZK','DKK','EUR','GBP','HKD','HUF','IDR','ILS','INR','ISK','JPY','KRW','KWD','MXN','MYR',
                  'NOK','NZD','PHP','PLN','RON','SEK','SGD','THB','TRY','USD','ZAR']) as c (code);

-- Row-level security, forced: with it, a service that forgets to ask "whose?" finds nothing. The subject is set per transaction.
alter table accounts enable row level security;
alter table accounts force row level security;
create policy everything_for_migrations on accounts to current_user using (true) with check (true);
create policy own on accounts to ledger_app
    using (owner = current_setting('app.subject', true)) with check (owner = current_setting('app.subject', true));
create policy every_account_for_posting on accounts for select to ledger_poster using (true);

-- Columns that are not listed get their defaults: nobody opens an account with money on it, or without a floor.
grant select, insert (id, currency, owner, name, opened_at) on accounts to ledger_app;
grant select on accounts to ledger_poster;

-- Locks in the order of ids, so that two batches cannot wait for each other. A function, because locking a row would otherwise need the
-- right to change it. NO KEY UPDATE: it conflicts with other postings only.
create function lock_accounts(wanted uuid[])
    returns table (id uuid, owner text, purpose text, currency text, balance bigint, floor bigint, version bigint, closed boolean)
    language plpgsql security definer set search_path = public, pg_temp rows 100
as $$
begin
    return query
        select a.id, a.owner, a.purpose, a.currency, a.balance, a.floor, a.version, a.closed_at is not null
        from accounts a where a.id = any (wanted) order by a.id for no key update;
end $$;
revoke execute on function lock_accounts(uuid[]) from public;
grant execute on function lock_accounts(uuid[]) to ledger_poster;
