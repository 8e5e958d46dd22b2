-- What payers are asked to approve, and what was paid with it. A payment that needs its payer's approval is ordered twice: the first order is kept here
-- and posts nothing; the second one comes with the approval, and the transfer that posts it uses it up.
create table approvals (
    id            uuid        primary key,
    owner         text        not null check (length(owner) between 1 and 255),
    operation     text        not null check (operation in ('transfer', 'payout')),
    key           text        not null check (length(key) between 1 and 255),
    fingerprint   bytea       not null check (octet_length(fingerprint) = 32),
    from_account  uuid        not null,
    amount        bigint      not null check (amount > 0),
    currency      text        not null check (octet_length(currency) = 3),
    payee_name    text        not null check (char_length(payee_name) <= 140),
    payee_account text        not null check (char_length(payee_account) between 1 and 64),
    reference     text        not null check (char_length(reference) <= 140),
    asked_at      timestamptz not null default statement_timestamp(),
    expires_at    timestamptz not null check (expires_at > asked_at and expires_at <= asked_at + interval '1 hour'),
    -- What an approval is of.
    unique (id, owner, operation, key, fingerprint)
);
create index approvals_of_owner on approvals (owner, expires_at);
comment on table approvals is
    'Payments that their payer is asked to approve, as they were ordered and as they are shown; payee_name and reference are personal data. '
    'fingerprint is the SHA-256 of the request''s meaning, as in idempotency: what is approved is this request under this key and no other. '
    'payee_account is a whole IBAN or an account of the house. Never changed. Those that nobody has used are deleted a day after they expired.';

-- An approval pays once, and for the order that it is of: the keys below are the rule. Which payments need one, the service decides.
create table used_approvals (
    approval_id uuid  primary key,
    owner       text  not null,
    operation   text  not null,
    key         text  not null,
    fingerprint bytea not null,
    transfer_id uuid  not null unique,
    constraint approval_of_this_order foreign key (approval_id, owner, operation, key, fingerprint)
        references approvals (id, owner, operation, key, fingerprint)
);
comment on table used_approvals is
    'Approvals that were paid with, each by the one transfer that its transaction posted. Append-only, kept for ever.';
create trigger used_approvals_append_only before update or delete or truncate on used_approvals
    for each statement execute function refuse_change();
create trigger approvals_kept before update or truncate on approvals
    for each statement execute function refuse_change();

-- In time, and by a transfer of this transaction that does what was approved.
create function used_approvals_guard() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    if exists (select from approvals a where a.id = new.approval_id and a.expires_at <= clock_timestamp()) then
        raise exception 'an approval that has expired' using errcode = 'check_violation', constraint = 'approval_in_time';
    end if;
    if not exists (
        select from transfers t join approvals a on a.id = new.approval_id
        where t.id = new.transfer_id and t.xmin = pg_current_xact_id()::xid
          and (t.kind, t.from_account, t.amount, t.currency) = (a.operation, a.from_account, a.amount, a.currency)) then
        raise exception 'an approval without its transfer' using errcode = 'check_violation', constraint = 'approval_of_this_order';
    end if;
    return new;
end $$;
revoke execute on function used_approvals_guard() from public;
create trigger used_approvals_true before insert on used_approvals for each row execute function used_approvals_guard();

-- How many an owner can have open. Whoever asks holds the owner's row until the commit, so the count is exact.
create function approvals_guard() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from owners o where o.owner = new.owner for no key update;
    if not found then
        raise exception 'an approval of nobody' using errcode = 'check_violation';
    end if;
    if (select count(*) from approvals a
        where a.owner = new.owner and a.expires_at > statement_timestamp()
          and not exists (select from used_approvals u where u.approval_id = a.id)) >= 20 then
        raise exception 'too many open approvals' using errcode = 'check_violation', constraint = 'open_approvals_within_the_ceiling';
    end if;
    return new;
end $$;
revoke execute on function approvals_guard() from public;
create trigger approvals_bounded before insert on approvals for each row execute function approvals_guard();

-- The only way to delete one.
create function forget_approvals() returns bigint language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from approvals a
        where a.expires_at < statement_timestamp() - interval '1 day'
          and not exists (select from used_approvals u where u.approval_id = a.id)
        returning 1)
    select count(*) from gone
$$;
revoke execute on function forget_approvals() from public;
grant execute on function forget_approvals() to ledger_app;
create index approvals_by_end on approvals (expires_at);

alter table approvals enable row level security;
alter table approvals force row level security;
create policy everything_for_migrations on approvals to current_user using (true) with check (true);
create policy own on approvals to ledger_app
    using (owner = current_setting('app.subject', true)) with check (owner = current_setting('app.subject', true));
grant select on approvals to ledger_app;
grant insert (id, owner, operation, key, fingerprint, from_account, amount, currency, payee_name, payee_account, reference, expires_at)
    on approvals to ledger_app;

alter table used_approvals enable row level security;
alter table used_approvals force row level security;
create policy everything_for_migrations on used_approvals to current_user using (true) with check (true);
create policy own on used_approvals for select to ledger_app using (owner = current_setting('app.subject', true));
create policy every_approval_for_posting on used_approvals for insert to ledger_poster with check (true);
grant select on used_approvals to ledger_app;
grant insert on used_approvals to ledger_poster;
