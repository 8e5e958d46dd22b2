-- What new instances of the app move to others: within the time in which one cools off, all of an owner's together are at most a cap. By the owner and not by the
-- instance, or whoever has a password would come with one phone after another.

-- Policies name the role that made them. Where these tables have got another owner since, it follows them: the trigger reads them.
alter policy everything_for_migrations on accounts to current_user;
alter policy everything_for_migrations on transfers to current_user;

create table new_instance_payments (
    transfer_id      uuid        primary key,
    owner            text        not null check (length(owner) between 1 and 255),
    counts           boolean     not null,
    amount           bigint      not null check (amount > 0),
    currency         text        not null check (octet_length(currency) = 3),
    most_amount      bigint      not null check (most_amount >= 0),
    cool_off_seconds integer     not null check (cool_off_seconds between 1 and 2592000),
    counted_at       timestamptz not null default clock_timestamp()
);
comment on table new_instance_payments is
    'Payments by instances of the app that were new to their user, and for which no second factor of before vouched: each with its transfer''s transaction, and with what '
    'held for all of the owner''s together then (minor units). That an instance was new is the service''s word. Append-only, kept for ever.';
comment on column new_instance_payments.counts is 'Not what goes to an account of the same owner.';
comment on column new_instance_payments.counted_at is 'By the database''s clock.';
create index new_instance_payments_of_owner on new_instance_payments (owner, currency, counted_at) where counts;
create trigger new_instance_payments_append_only before update or delete or truncate on new_instance_payments
    for each statement execute function refuse_change();

create function new_instances_count() returns trigger language plpgsql security definer
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
              and (p.owner is distinct from f.owner) = i.counts)) then
        raise exception 'a payment of a new instance without its transfer' using errcode = 'check_violation';
    end if;
    -- One after the other for each owner, until the commit; in one order, so that nobody waits in a circle. What was committed meanwhile is seen below.
    perform pg_advisory_xact_lock(20, o.place) from (select distinct hashtext(i.owner) as place from inserted i order by 1) o;
    if exists (
        select from (
            select i.owner, i.currency, min(i.most_amount) as most, max(i.cool_off_seconds) as seconds
            from inserted i where i.counts group by i.owner, i.currency) n
        where n.most < (
            select sum(p.amount) from new_instance_payments p
            where (p.owner, p.currency) = (n.owner, n.currency) and p.counts
              and p.counted_at > clock_timestamp() - make_interval(secs => n.seconds))) then
        raise exception 'too much by new instances' using errcode = 'check_violation', constraint = 'new_instances_within_the_cap';
    end if;
    return null;
end $$;
revoke execute on function new_instances_count() from public;
create trigger new_instance_payments_add_up after insert on new_instance_payments
    referencing new table as inserted for each statement execute function new_instances_count();

alter table new_instance_payments enable row level security, force row level security;
create policy everything_for_migrations on new_instance_payments to current_user using (true) with check (true);
create policy own on new_instance_payments for select to ledger_app using (owner = current_setting('app.subject', true));
create policy every_payment_for_posting on new_instance_payments for insert to ledger_poster with check (true);
grant select on new_instance_payments to ledger_app;
-- When it was counted is the database's to say.
grant insert (transfer_id, owner, counts, amount, currency, most_amount, cool_off_seconds) on new_instance_payments to ledger_poster;
