-- Money that a partner has received is ours to account for, wherever it was meant to go. What cannot be credited there is credited to the suspense
-- account of its currency, and has a row here that says why, until an operator allocates it.
create table suspense_items (
    id             uuid        primary key,
    provider       text        not null check (provider ~ '^[a-z0-9_-]{1,64}$'),
    event_id       text        not null check (length(event_id) between 1 and 255),
    wanted_account uuid        not null,
    reason         text        not null check (reason in ('not_found', 'same_account', 'closed', 'currency_mismatch', 'limit_exceeded')),
    amount         bigint      not null check (amount > 0),
    currency       text        not null check (octet_length(currency) = 3),
    received_at    timestamptz not null,
    -- Two items cannot be paid by one transfer.
    allocated_by   uuid        unique
);
create index suspense_items_open on suspense_items (id) where allocated_by is null;
comment on table suspense_items is
    'Money in suspense: id is that of the transfer that credited the suspense account, wanted_account and reason say where it was meant to go and '
    'why it did not, allocated_by is the transfer that took it to its owner. Append-only but for allocated_by, once; kept for ever.';

-- An item is what its transfer says, and is allocated once, by a transfer of its whole amount. Both transfers belong to the same transaction, so
-- that nothing is explained later.
create function suspense_items_guard() returns trigger language plpgsql set search_path = public, pg_temp set enable_seqscan = off as $$
declare
    allocates boolean := tg_op = 'UPDATE';
begin
    if allocates and (old.allocated_by is not null or new.allocated_by is null
        or (new.id, new.provider, new.event_id, new.wanted_account, new.reason, new.amount, new.currency, new.received_at)
           is distinct from
           (old.id, old.provider, old.event_id, old.wanted_account, old.reason, old.amount, old.currency, old.received_at))
        or not allocates and new.allocated_by is not null
    then
        raise exception 'an item in suspense is allocated once, and nothing else of it changes' using errcode = 'check_violation';
    end if;
    if not exists (
        select from transfers t
        where t.id = case when allocates then new.allocated_by else new.id end
          and t.xmin = pg_current_xact_id()::xid
          and t.amount = new.amount and t.currency = new.currency
          and t.kind = any (case when allocates then array['allocation'] else array['deposit', 'payout_return', 'payout_reversal'] end)
          and (select a.purpose from accounts a where a.id = case when allocates then t.from_account else t.to_account end) = 'suspense')
    then
        raise exception 'an item in suspense without its transfer' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger suspense_items_true before insert or update on suspense_items for each row execute function suspense_items_guard();
create trigger suspense_items_kept before delete or truncate on suspense_items for each statement execute function refuse_change();

-- And the other way round, when the transaction ends: what is credited to suspense has an item, what leaves it as allocated has allocated one.
create function suspense_is_explained() returns trigger language plpgsql set search_path = public, pg_temp set enable_seqscan = off as $$
begin
    if new.kind = 'allocation' and not exists (select from suspense_items i where i.allocated_by = new.id)
        or (select a.purpose from accounts a where a.id = new.to_account) = 'suspense'
            and not exists (select from suspense_items i where i.id = new.id)
    then
        raise exception 'money moved in suspense without an item' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create constraint trigger transfers_in_suspense after insert on transfers deferrable initially deferred
    for each row when (new.kind in ('deposit', 'payout_return', 'payout_reversal', 'allocation')) execute function suspense_is_explained();
revoke execute on function suspense_items_guard(), suspense_is_explained() from public;

alter table suspense_items enable row level security;
alter table suspense_items force row level security;
create policy everything_for_migrations on suspense_items to current_user using (true) with check (true);
create policy every_item_for_posting on suspense_items to ledger_poster using (true) with check (true);
grant select on suspense_items to ledger_poster;
grant insert (id, provider, event_id, wanted_account, reason, amount, currency, received_at) on suspense_items to ledger_poster;
grant update (allocated_by) on suspense_items to ledger_poster;

-- Event ids belong to their provider. Until now there was one, and its name was not in the key: what it sent before is known under its name from
-- now on. Sent again it is another request by its fingerprint, so it is refused and books nothing a second time.
-- What was refused to the house is moved out of the way: it was not to stand for ever.
-- Not even the owner sees rows under forced row-level security, and an outcome cannot be changed: both are lifted for this one statement.
alter table idempotency no force row level security, disable trigger idempotency_append_only;
update idempotency set owner = case when rejection is null then 'broker:sandbox-bank' else owner || ':refused' end
    where owner = 'broker' or owner = 'house' and rejection is not null;
alter table idempotency force row level security, enable trigger idempotency_append_only;
alter table idempotency add constraint only_customers_are_refused
    check (rejection is null or operation in ('transfer', 'exchange', 'payout')) not valid;
comment on table idempotency is
    'The outcome of every command, under the key that its sender gave it; written with the posting, in one transaction. A refusal is an outcome for '
    'customers only: an order of the house is judged anew. fingerprint is the SHA-256 of the request''s meaning. Append-only, kept for ever: a key '
    'that returns after years still moves no money twice.';
