-- How far each reader of the outbox has read. What is told twice is learned once (the reader knows it by its id); what is not told is lost to it. So a
-- position moves forward only, and not beyond what is announced.
create table outbox_readers (
    id              text        primary key check (id ~ '^[a-z_]{1,60}$'),
    position        bigint      not null default 0 check (position >= 0),
    attempts        integer     not null default 0 check (attempts >= 0),
    next_attempt_at timestamptz not null default 'epoch'
)
with (fillfactor = 10);
insert into outbox_readers (id) values ('behavior');
comment on table outbox_readers is
    'One row per reader of the outbox: every transfer up to number position has been told to it. The table is also the queue of those that have '
    'something to be told. Kept for ever.';

create function outbox_readers_guard() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    if new.id <> old.id or new.position < old.position or new.position > (select h.announced from head h) then
        raise exception 'a reader''s position only moves forward, to what is announced' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger outbox_readers_forward before update on outbox_readers for each row execute function outbox_readers_guard();
create trigger outbox_readers_kept before insert or delete or truncate on outbox_readers for each statement execute function refuse_change();
revoke execute on function outbox_readers_guard() from public;

grant select, update (position, attempts, next_attempt_at) on outbox_readers to ledger_poster;
