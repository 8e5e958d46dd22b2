create table idempotency (
    owner         text        not null,
    operation     text        not null check (operation in ('deposit', 'transfer', 'exchange', 'payout', 'payout_closing')),
    key           text        not null check (length(key) between 1 and 255),
    fingerprint   bytea       not null check (octet_length(fingerprint) = 32),
    transfer_id   uuid,
    rejection     text,
    rejected_leg  smallint,
    decided_at    timestamptz not null,
    primary key (owner, operation, key),
    -- A key has one outcome: it was posted, or it was refused for a reason.
    constraint one_outcome check ((transfer_id is null) = (rejection is not null) and (rejection is null) = (rejected_leg is null))
);
comment on table idempotency is
    'The outcome of every command, under the key that its sender gave it; written with the posting, in one transaction. fingerprint is the '
    'SHA-256 of the request''s meaning. Append-only, kept for ever: a key that returns after years still moves no money twice.';

create trigger idempotency_append_only before update or delete or truncate on idempotency
    for each statement execute function refuse_change();

alter table idempotency enable row level security;
alter table idempotency force row level security;
create policy own on idempotency for select to ledger_app using (owner = current_setting('app.subject', true));
create policy every_key_for_posting on idempotency to ledger_poster using (true) with check (true);

grant select on idempotency to ledger_app;
grant select, insert on idempotency to ledger_poster;

-- What became of these keys. Access is by primary key from the first row on, as in entries_balance: a subquery with a limit is not turned
-- into a join.
create function recorded_outcomes(owners text[], operations text[], keys text[])
    returns table (owner text, operation text, key text, fingerprint bytea, transfer_id uuid, rejection text, rejected_leg smallint,
                   sequence bigint, posted_at timestamptz)
    language plpgsql stable rows 10
    set search_path = public, pg_temp set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
    return query
        select i.owner, i.operation, i.key, i.fingerprint, i.transfer_id, i.rejection, i.rejected_leg, t.sequence, t.posted_at
        from unnest(owners, operations, keys) as wanted (owner, operation, key)
             cross join lateral (
                 select * from idempotency i
                 where i.owner = wanted.owner and i.operation = wanted.operation and i.key = wanted.key limit 1) i
             left join lateral (select * from transfers t where t.id = i.transfer_id limit 1) t on true;
end $$;
revoke execute on function recorded_outcomes(text[], text[], text[]) from public;
grant execute on function recorded_outcomes(text[], text[], text[]) to ledger_poster;
