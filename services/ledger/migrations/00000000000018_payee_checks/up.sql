-- Whether a payee's account belongs to its name, by the word of whoever keeps that account (confirmation of payee). Each asking is written down before anybody is
-- asked, so that it counts whatever comes of it; the word comes later, once, in a transaction of its own. The times are the database's.
create table payee_checks (
    payee_id uuid        primary key references payees (id),
    owner    text        not null check (length(owner) between 1 and 255),
    asked    integer     not null default 1 check (asked >= 1),
    asked_at timestamptz not null default statement_timestamp(),
    word     text        check (word in ('match', 'close_match', 'no_match', 'not_possible')),
    holder   text        check (char_length(holder) between 1 and 140
        and holder !~ '[\u0001-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]'),
    silent   boolean     not null default false,
    told_at  timestamptz check (told_at >= asked_at),
    constraint payee_check_has_its_time check ((word is null) = (told_at is null)),
    constraint payee_check_names_close_ones_only check ((holder is not null) = (word is not distinct from 'close_match')),
    constraint payee_check_silence_is_no_match check (not silent or word is not distinct from 'not_possible')
);
comment on table payee_checks is
    'Whether the account of a payee belongs to its name, as whoever keeps the account said when they were asked; no row: nobody was asked. holder is personal data: '
    'the name that the account has, told of a close match and of nothing else. It is kept with its payee.';
comment on column payee_checks.asked is 'How often it was asked.';
comment on column payee_checks.asked_at is 'When it was asked last.';
comment on column payee_checks.word is 'Null while it is being asked, or if whoever asked was lost over it.';
comment on column payee_checks.silent is 'Nobody answered, or not in the agreed way: it can be asked again.';
create index payee_checks_of_owner on payee_checks (owner, asked_at);

-- How many checks of one owner within a day may come to anything but a match. Each tells something of an account that the owner may have guessed; a match only
-- what they knew.
alter table owners add column check_budget integer not null default 10;
comment on column owners.check_budget is 'Most checks of payees'' names within 24 hours that do not end in a match.';

-- A word is said once. What was never answered can be asked again, a minute later and under the next number, which whoever was asked before does not have.
create function payee_checks_guard() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    at timestamptz := clock_timestamp();
begin
    if tg_op = 'INSERT' then
        if not exists (select from payees p where p.id = new.payee_id and p.owner = new.owner and p.removed_at is null) then
            raise exception 'a check of nobody''s payee' using errcode = 'check_violation';
        end if;
        new.asked := 1;
        new.asked_at := at;
    elsif (new.payee_id, new.owner) is distinct from (old.payee_id, old.owner) then
        raise exception 'a check is of one payee' using errcode = 'check_violation';
    elsif new.asked = old.asked + 1 and new.word is null and (old.silent or old.word is null) and old.asked_at <= at - interval '1 minute' then
        new.asked_at := at;
        new.told_at := null;
    elsif new.asked = old.asked and old.word is null and new.word is not null then
        -- Before a posting to the payee, which holds this row and then reads the word, or after it.
        perform from payees p where p.id = new.payee_id for no key update;
        new.asked_at := old.asked_at;
        new.told_at := clock_timestamp();
    else
        raise exception 'the word on a payee is said once' using errcode = 'check_violation';
    end if;
    return new;
end $$;
revoke execute on function payee_checks_guard() from public;
create trigger payee_checks_said before insert or update on payee_checks for each row execute function payee_checks_guard();
create trigger payee_checks_kept before delete or truncate on payee_checks for each statement execute function refuse_change();

-- Whoever asks holds the owner's row until the commit, so the count is exact. What is under way counts: nobody knows yet what it comes to. Silence tells nothing.
create function payee_checks_bounded() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.word is not null then
        return null;
    end if;
    perform from owners o where o.owner = new.owner for no key update;
    if (select count(*) from payee_checks c
        where c.owner = new.owner and c.asked_at > clock_timestamp() - interval '24 hours'
          and not c.silent and c.word is distinct from 'match')
        > (select o.check_budget from owners o where o.owner = new.owner) then
        raise exception 'too many checks' using errcode = 'check_violation', constraint = 'payee_checks_within_the_budget';
    end if;
    return null;
end $$;
revoke execute on function payee_checks_bounded() from public;
create trigger payee_checks_counted after insert or update on payee_checks for each row execute function payee_checks_bounded();

-- A payout to an account that does not belong to the payee's name is posted with its payer's approval, however small it is. payouts_to_payees, which comes first by its
-- name, holds the payees' rows; the approvals that are used are written before the payouts.
create function payouts_go_to_the_named() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    if exists (
        select from inserted i join payee_checks c on c.payee_id = i.payee_id
        where c.word = 'no_match' and not exists (select from used_approvals u where u.transfer_id = i.id)) then
        raise exception 'a payout to another name that nobody approved' using errcode = 'check_violation', constraint = 'payout_to_another_name_is_approved';
    end if;
    return null;
end $$;
revoke execute on function payouts_go_to_the_named() from public;
create trigger payouts_to_the_named after insert on payouts referencing new table as inserted
    for each statement execute function payouts_go_to_the_named();

alter table payee_checks enable row level security;
alter table payee_checks force row level security;
create policy everything_for_migrations on payee_checks to current_user using (true) with check (true);
create policy own on payee_checks to ledger_app
    using (owner = current_setting('app.subject', true)) with check (owner = current_setting('app.subject', true));
-- Columns that are not listed get their defaults.
grant select, insert (payee_id, owner), update (asked, word, holder, silent) on payee_checks to ledger_app;
