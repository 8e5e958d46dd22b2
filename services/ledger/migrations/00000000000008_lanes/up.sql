-- Locks those of the accounts that nobody else holds, without waiting. Of the others nothing comes: they are held, or not there.
create function lock_free_accounts(wanted uuid[])
    returns table (id uuid, owner text, purpose text, currency text, balance bigint, floor bigint, version bigint, closed boolean)
    language plpgsql security definer rows 100 set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    return query
        select a.id, a.owner, a.purpose, a.currency, a.balance, a.floor, a.version, a.closed_at is not null
        from accounts a where a.id = any (wanted) for no key update skip locked;
end $$;
revoke execute on function lock_free_accounts(uuid[]) from public;
grant execute on function lock_free_accounts(uuid[]) to ledger_poster;

-- Which of these there are, whoever holds them; by primary key whatever the planner believes.
create function accounts_there(wanted uuid[]) returns setof uuid
    language plpgsql stable security definer rows 10 set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    return query select a.id from accounts a where a.id = any (wanted);
end $$;
revoke execute on function accounts_there(uuid[]) from public;
grant execute on function accounts_there(uuid[]) to ledger_poster;

-- The time of the last transfer, by the database's clock. The row is held until the commit, so times follow the numbers; a server with an
-- earlier clock goes on from there. Nobody sets it: the trigger does.
alter table head add column posted_at timestamptz not null default '-infinity';
update head set posted_at = coalesce((select t.posted_at from transfers t order by t.sequence desc limit 1), '-infinity');
create function head_tells_the_time() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    new.posted_at := greatest(old.posted_at, date_trunc('milliseconds', clock_timestamp()));
    return new;
end $$;
revoke execute on function head_tells_the_time() from public;
create trigger head_time before update of sequence, posted_at on head for each row execute function head_tells_the_time();
comment on column head.posted_at is 'When the last transfer was posted; never earlier than the one before it.';
