-- How many open accounts each owner has. The service's own limit is lower and configurable; the ceiling here is what no service gets past.
create table owners (
    owner    text    primary key check (length(owner) between 1 and 255),
    accounts integer not null check (accounts >= 0),
    ceiling  integer not null default 1000,
    constraint accounts_within_the_ceiling check (accounts <= ceiling)
)
with (fillfactor = 50);
comment on table owners is
    'One row per owner: a pseudonymous subject. Whoever opens an account holds this row until the commit, so that the count is exact however '
    'many do so at once. Derived from accounts: only the trigger there moves it. Kept as long as the accounts.';
comment on column owners.ceiling is 'Most open accounts of this owner, whatever the service is configured to.';

-- Who had more before there was a ceiling keeps them and gets no further.
insert into owners (owner, accounts, ceiling)
select owner, count(*), greatest(count(*), 1000) from accounts where owner is not null and closed_at is null group by owner;

create function owners_follow() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    change integer := case when new.closed_at is null then 1 else -1 end;
begin
    update owners set accounts = accounts + change where owner = new.owner;
    if not found then
        insert into owners as o (owner, accounts) values (new.owner, change)
        on conflict (owner) do update set accounts = o.accounts + excluded.accounts;
    end if;
    return null;
end $$;
revoke execute on function owners_follow() from public;
create trigger accounts_opened after insert on accounts
    for each row when (new.owner is not null and new.closed_at is null) execute function owners_follow();
create trigger accounts_closed after update of closed_at on accounts
    for each row when (new.owner is not null and (new.closed_at is null) <> (old.closed_at is null)) execute function owners_follow();

create function owners_guard() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if pg_trigger_depth() < 2 then
        raise exception 'accounts are counted by opening and closing them only' using errcode = 'insufficient_privilege';
    end if;
    return null;
end $$;
create trigger owners_counted before insert or update of owner, accounts on owners
    for each statement execute function owners_guard();
create trigger owners_kept before delete or truncate on owners
    for each statement execute function refuse_change();

alter table owners enable row level security;
alter table owners force row level security;
create policy everything_for_migrations on owners to current_user using (true) with check (true);
create policy own on owners for select to ledger_app using (owner = current_setting('app.subject', true));
grant select on owners to ledger_app;

-- A page of an owner's accounts is read in the order of their opening.
drop index accounts_of_owner;
create index accounts_of_owner on accounts (owner, opened_at, id) where owner is not null;
