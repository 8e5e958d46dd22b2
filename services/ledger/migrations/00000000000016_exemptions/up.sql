-- Which payments were made without their payer's approval, and by what exemption (Regulation (EU) 2018/389, Articles 15 and 16). Small ones add up: how many and
-- how much since the payer has last approved one, the database counts.
create table exemptions (
    transfer_id   uuid    primary key,
    owner         text    not null check (length(owner) between 1 and 255),
    exemption     text    not null check (exemption in ('low_value', 'own_account')),
    amount        bigint  not null check (amount > 0),
    currency      text    not null check (octet_length(currency) = 3),
    most_amount   bigint  not null check (most_amount >= 0),
    most_payments bigint  not null check (most_payments >= 0)
);
comment on table exemptions is
    'Payments that were made without their payer''s approval, each with its transfer''s transaction, and with what held for small ones together then. '
    'Append-only, kept for ever.';
create trigger exemptions_append_only before update or delete or truncate on exemptions
    for each statement execute function refuse_change();

create table low_value_counters (
    owner    text    not null,
    currency text    not null,
    amount   bigint  not null check (amount >= 0),
    payments bigint  not null check (payments >= 0),
    primary key (owner, currency)
);
comment on table low_value_counters is
    'What an owner has paid in small payments since the last one that was approved (minor units). Only the triggers of exemptions and used_approvals write it.';

create function exemptions_count() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    if exists (
        select from inserted i
        where not exists (
            select from transfers t
            join accounts f on f.id = t.from_account
            join accounts p on p.id = t.to_account
            where t.id = i.transfer_id and t.xmin = pg_current_xact_id()::xid and t.kind in ('transfer', 'payout')
              and (t.amount, t.currency, f.owner) = (i.amount, i.currency, i.owner)
              and (p.owner is not distinct from f.owner) = (i.exemption = 'own_account'))) then
        raise exception 'an exemption without its payment' using errcode = 'check_violation';
    end if;
    insert into low_value_counters as c (owner, currency, amount, payments)
        select i.owner, i.currency, sum(i.amount), count(*) from inserted i
        where i.exemption = 'low_value' group by i.owner, i.currency order by i.owner, i.currency
        on conflict (owner, currency) do update set amount = c.amount + excluded.amount, payments = c.payments + excluded.payments;
    if exists (
        select from inserted i join low_value_counters c on (c.owner, c.currency) = (i.owner, i.currency)
        where i.exemption = 'low_value' and (c.amount > i.most_amount or c.payments > i.most_payments)) then
        raise exception 'too many small payments' using errcode = 'check_violation', constraint = 'low_value_used_up';
    end if;
    return null;
end $$;
revoke execute on function exemptions_count() from public;
create trigger exemptions_add_up after insert on exemptions
    referencing new table as inserted for each statement execute function exemptions_count();

-- Whoever has approved a payment begins anew, in every currency.
create function approvals_reset_counters() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    update low_value_counters c set amount = 0, payments = 0
        where c.owner in (select i.owner from inserted i) and (c.amount, c.payments) <> (0, 0);
    return null;
end $$;
revoke execute on function approvals_reset_counters() from public;
create trigger used_approvals_reset_counters after insert on used_approvals
    referencing new table as inserted for each statement execute function approvals_reset_counters();

alter table exemptions enable row level security, force row level security;
create policy everything_for_migrations on exemptions to current_user using (true) with check (true);
create policy every_exemption_for_posting on exemptions for insert to ledger_poster with check (true);
grant insert on exemptions to ledger_poster;

alter table low_value_counters enable row level security, force row level security;
create policy everything_for_migrations on low_value_counters to current_user using (true) with check (true);
create policy own on low_value_counters for select to ledger_app using (owner = current_setting('app.subject', true));
grant select on low_value_counters to ledger_app;
