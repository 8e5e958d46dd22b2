-- How many payouts of an owner are on their way. Whoever orders one holds the owner's row until the commit, so the count is exact; the service
-- asks before it orders, and here is what nobody gets past.
alter table owners
    add column open_payouts   integer not null default 0 check (open_payouts >= 0),
    add column payout_ceiling integer not null default 100;
comment on column owners.open_payouts is 'Payouts that are pending or submitted. Derived from payouts: only the triggers there move it.';
comment on column owners.payout_ceiling is 'Most open payouts of this owner.';

drop trigger owners_counted on owners;
-- Who has more keeps them and gets no further. Not even the owner of the tables sees payouts under forced row-level security.
alter table payouts no force row level security;
insert into owners as o (owner, accounts, open_payouts, payout_ceiling)
select owner, 0, count(*), greatest(count(*), 100) from payouts where status in ('pending', 'submitted') group by owner
on conflict (owner) do update set open_payouts = excluded.open_payouts, payout_ceiling = excluded.payout_ceiling;
alter table payouts force row level security;
alter table owners add constraint open_payouts_within_the_ceiling check (open_payouts <= payout_ceiling);

create function owners_follow_payouts() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        -- Who orders has an account, and so a row.
        update owners o set open_payouts = o.open_payouts + p.added
        from (select owner, count(*) as added from inserted group by owner) p where o.owner = p.owner;
        if (select count(distinct owner) from inserted) <> (select count(*) from owners o where o.owner in (select owner from inserted)) then
            raise exception 'a payout of nobody' using errcode = 'check_violation';
        end if;
    else
        update owners o set open_payouts = o.open_payouts - p.ended
        from (select n.owner, count(*) as ended from after n join before b on b.id = n.id
              where b.status in ('pending', 'submitted') and n.status not in ('pending', 'submitted') group by n.owner) p
        where o.owner = p.owner;
    end if;
    return null;
end $$;
revoke execute on function owners_follow_payouts() from public;
create trigger payouts_opened after insert on payouts referencing new table as inserted
    for each statement execute function owners_follow_payouts();
create trigger payouts_ended after update on payouts referencing old table as before new table as after
    for each statement execute function owners_follow_payouts();

create trigger owners_counted before insert or update of owner, accounts, open_payouts on owners
    for each statement execute function owners_guard();
