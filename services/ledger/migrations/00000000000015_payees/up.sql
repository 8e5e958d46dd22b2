-- To whom at other banks an owner pays. A payout goes to a payee of its owner that is not removed, and says that payee's name and IBAN; so whoever may
-- only order payouts (ledger_poster) pays nobody out of the house whom the owner has not added.
create table payees (
    id           uuid        primary key,
    owner        text        not null check (length(owner) between 1 and 255),
    name         text        not null check (char_length(name) between 1 and 70),
    iban         text        not null check (iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
    created_at   timestamptz not null default statement_timestamp(),
    removed_at   timestamptz check (removed_at >= created_at),
    cools_off_at timestamptz not null,
    constraint payees_cool_off check (cools_off_at >= created_at and cools_off_at <= created_at + interval '720 hours')
);
comment on table payees is
    'To whom their owner pays at other banks. Name and IBAN are personal data of the payee. But for the removal nothing of a row ever changes, and it stays '
    'when it is removed: payouts name it.';
comment on column payees.created_at is 'By the database''s clock.';
comment on column payees.cools_off_at is 'Until then payouts to it are capped.';
create unique index payees_live on payees (owner, iban) where removed_at is null;
create index payees_of_owner on payees (owner, created_at, id) where removed_at is null;

-- The time of the removal is the database's, whatever the statement says.
create function payees_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if old.removed_at is not null or new.removed_at is null
        or (new.id, new.owner, new.name, new.iban, new.created_at, new.cools_off_at)
           is distinct from (old.id, old.owner, old.name, old.iban, old.created_at, old.cools_off_at)
    then
        raise exception 'a payee is removed once, and nothing else of it changes' using errcode = 'check_violation';
    end if;
    new.removed_at := clock_timestamp();
    return new;
end $$;
create trigger payees_removed before update on payees for each row execute function payees_guard();
create trigger payees_kept before delete or truncate on payees for each statement execute function refuse_change();

-- How many an owner has at a time. Whoever adds one holds the owner's row until the commit, so the count is exact; one that is removed meanwhile makes room
-- a moment later. After the insert: a repetition inserts nothing, and so is not counted.
alter table owners add column payee_ceiling integer not null default 200;
comment on column owners.payee_ceiling is 'Most payees of this owner that are not removed.';
create function payees_bounded() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- Who adds a payee may have no account yet.
    insert into owners (owner, accounts) values (new.owner, 0) on conflict do nothing;
    perform from owners o where o.owner = new.owner for no key update;
    if (select count(*) from payees p where p.owner = new.owner and p.removed_at is null)
        > (select o.payee_ceiling from owners o where o.owner = new.owner) then
        raise exception 'too many payees' using errcode = 'check_violation', constraint = 'payees_within_the_ceiling';
    end if;
    return null;
end $$;
revoke execute on function payees_bounded() from public;
create trigger payees_added after insert on payees for each row execute function payees_bounded();

-- Those of before were ordered to a name and an IBAN.
alter table payouts add column payee_id uuid;
comment on column payouts.payee_id is 'To whom it goes; null for one that was ordered before there were payees. Name and IBAN are copied from there. Never changed.';
create trigger payouts_payee before update of payee_id on payouts for each statement execute function refuse_change();
grant insert (payee_id) on payouts to ledger_poster;

-- For a while after a payee was added, all payouts to it together may not be more than a cap. How long, its row says, and nobody changes it; how much, each payout's
-- row says as it was when that was ordered. The sum is that of the payouts themselves, with the payee's row in hand.
alter table payouts add column new_payee_cap bigint check (new_payee_cap >= 0);
comment on column payouts.new_payee_cap is
    'How much all payouts to its payee in its currency may be together while that is new, by what held when it was ordered (minor units); null is nothing. Never changed.';
create trigger payouts_cap before update of new_payee_cap on payouts for each statement execute function refuse_change();
grant insert (new_payee_cap) on payouts to ledger_poster;
create index payouts_of_creditor on payouts (owner, creditor_iban, currency, created_at);

-- The payee's row is held until the commit: it is removed before the posting, which is refused then, or after it. Owners' rows are locked before payees'
-- (payouts_opened comes first, by its name), in one statement and by one batch at a time.
create function payouts_go_to_payees() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    perform from payees p where p.id in (select i.payee_id from inserted i) order by p.id for no key update;
    if exists (
        select from inserted i
        where not exists (
            select from payees p
            where p.id = i.payee_id and (p.owner, p.name, p.iban) = (i.owner, i.creditor_name, i.creditor_iban) and p.removed_at is null)) then
        raise exception 'a payout to nobody''s payee' using errcode = 'check_violation', constraint = 'payout_to_a_payee';
    end if;
    -- What was given back since counts as well: it was tried.
    if exists (
        select from (
            select i.payee_id, i.currency, min(coalesce(i.new_payee_cap, 0)) as cap from inserted i group by i.payee_id, i.currency) n
        join payees p on p.id = n.payee_id
        where p.cools_off_at > clock_timestamp()
          -- By the IBAN, whoever it was called and however often it was added: otherwise removed and added again it would begin anew.
          and n.cap < (
              select sum(o.amount) from payouts o
              where (o.owner, o.creditor_iban, o.currency) = (p.owner, p.iban, n.currency)
                and o.created_at > clock_timestamp() - (p.cools_off_at - p.created_at))) then
        raise exception 'too much for a new payee' using errcode = 'check_violation', constraint = 'payouts_within_the_cap';
    end if;
    return null;
end $$;
revoke execute on function payouts_go_to_payees() from public;
create trigger payouts_to_payees after insert on payouts referencing new table as inserted
    for each statement execute function payouts_go_to_payees();

alter table payees enable row level security;
alter table payees force row level security;
create policy everything_for_migrations on payees to current_user using (true) with check (true);
create policy own on payees to ledger_app
    using (owner = current_setting('app.subject', true)) with check (owner = current_setting('app.subject', true));
-- Whether there is one at all, for the audit log.
create policy every_payee_is_there_for_posting on payees for select to ledger_poster using (true);
-- Columns that are not listed get their defaults.
grant select, insert (id, owner, name, iban, cools_off_at), update (removed_at) on payees to ledger_app;
grant select (id) on payees to ledger_poster;
