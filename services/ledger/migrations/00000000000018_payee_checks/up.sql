-- Whether a payee's account belongs to its name, by the word of whoever keeps that account (confirmation of payee). Each asking is written down before anybody is
-- asked, so that it counts whatever comes of it; the word comes later, once, in a transaction of its own. The times are the database's.
create table payee_checks (
    payee_id uuid        primary key references payees (id),
    owner    text        not null check (length(owner) between 1 and 255),
    asked    integer     not null default 1 check (asked >= 1),
    asked_at timestamptz not null default statement_timestamp(),
    due_at   timestamptz not null default statement_timestamp(),
    by_adding boolean    not null default false,
    word     text        check (word in ('match', 'close_match', 'no_match', 'not_possible')),
    -- The characters that most often mislead. Which ones nobody sees, all of them, is said in one place, and looked at by whoever writes it: text::Flaw.
    holder   text        check (char_length(holder) between 1 and 140
        and holder !~ '[\u0001-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]'),
    silent   boolean     not null default false,
    told_at  timestamptz check (told_at >= asked_at),
    constraint payee_check_has_its_time check ((word is null) = (told_at is null)),
    constraint payee_check_names_close_ones_only check (holder is null or word is not distinct from 'close_match'),
    constraint payee_check_silence_is_no_match check (not silent or word is not distinct from 'not_possible')
);
comment on table payee_checks is
    'Whether the account of a payee belongs to its name, as whoever keeps the account said when they were asked; no row: nobody was asked. holder is personal data: '
    'the name that the account has, told of a close match and of nothing else. It goes when its payee is removed.';
comment on column payee_checks.asked is 'How often it was asked.';
comment on column payee_checks.asked_at is 'When it was asked last.';
comment on column payee_checks.due_at is 'From then on it can be asked again, if nobody has answered.';
comment on column payee_checks.by_adding is 'It was asked by whoever added the payee, and no payout has asked again since.';
comment on column payee_checks.word is 'Null while it is being asked, or if whoever asked was lost over it.';
comment on column payee_checks.silent is 'Nobody answered, or not in the agreed way: it can be asked again.';
-- What counts against the budget.
create index payee_checks_missed on payee_checks (owner, asked_at) where by_adding and (word is null or word in ('close_match', 'no_match'));

-- Each miss tells something of an account that the owner may have guessed; a match only what they knew. The ceiling is for what no budget bounds: that a pair of name and
-- account is right is worth something to whoever has stolen it, and what one customer asks is not asked for another.
alter table owners
    add column check_budget integer not null default 10,
    add column check_ceiling integer not null default 60,
    add column checks integer not null default 0,
    add column checks_on date;
comment on column owners.check_budget is 'Most payees added within 24 hours of whom it is said that they have another name.';
comment on column owners.check_ceiling is 'Most checks of payees'' names on one day (UTC), whoever asks for them and whatever is said.';
comment on column owners.checks is 'How many there were on that day.';

-- A word is said once. What was never answered can be asked again, ten minutes later and under the next number, which whoever was asked before does not have.
create function payee_checks_guard() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    at timestamptz := clock_timestamp();
    payee payees;
begin
    if tg_op = 'UPDATE' and (new.payee_id, new.owner) is distinct from (old.payee_id, old.owner) then
        raise exception 'a check is of one payee' using errcode = 'check_violation';
    end if;
    if tg_op = 'UPDATE' and new.asked = old.asked and old.word is null and new.word is not null then
        -- Before a posting to the payee, which holds this row and then reads the word, or after it.
        perform from payees p where p.id = new.payee_id for no key update;
    end if;
    select p.* into payee from payees p where p.id = new.payee_id;
    if tg_op = 'INSERT' or new.asked = old.asked + 1 then
        if payee.owner is distinct from new.owner or payee.removed_at is not null then
            raise exception 'a check of nobody''s payee' using errcode = 'check_violation', constraint = 'payee_check_of_a_payee';
        end if;
        if tg_op = 'INSERT' then
            new.asked := 1;
        elsif new.word is not null or not (old.silent or old.word is null) or old.due_at > at then
            raise exception 'the word on a payee is said once' using errcode = 'check_violation';
        end if;
        new.asked_at := at;
        new.due_at := at + interval '10 minutes';
        -- With the payee, in one transaction.
        new.by_adding := tg_op = 'INSERT' and payee.created_at >= transaction_timestamp();
        new.told_at := null;
    elsif new.asked = old.asked and old.word is null and new.word is not null then
        if payee.removed_at is not null then
            new.holder := null;
        elsif new.word = 'close_match' and new.holder is null then
            raise exception 'a close match without a name' using errcode = 'check_violation';
        end if;
        new.told_at := clock_timestamp();
    elsif payee.removed_at is not null and new.holder is null and (new.asked, new.word, new.silent) is not distinct from (old.asked, old.word, old.silent) then
        -- The name goes, and nothing else.
        new.told_at := old.told_at;
    else
        raise exception 'the word on a payee is said once' using errcode = 'check_violation';
    end if;
    return new;
end $$;
revoke execute on function payee_checks_guard() from public;
create trigger payee_checks_said before insert or update on payee_checks for each row execute function payee_checks_guard();
create trigger payee_checks_kept before delete or truncate on payee_checks for each statement execute function refuse_change();

-- Whoever asks holds the owner's row until the commit, so both counts are exact. What is under way counts as a miss: nobody knows yet what it comes to. That nobody can say,
-- or nobody answers, does not: there are banks that are never asked, and who pays there has guessed nothing.
create function payee_checks_bounded() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    at timestamptz := clock_timestamp();
    today date := (clock_timestamp() at time zone 'UTC')::date;
    bounds owners;
begin
    if new.word is not null then
        return null;
    end if;
    update owners o set checks_on = today, checks = case when o.checks_on = today then o.checks + 1 else 1 end
        where o.owner = new.owner returning o.* into bounds;
    -- So is an owner who is not there.
    if (bounds.checks <= bounds.check_ceiling) is not true then
        raise exception 'too many checks in a day' using errcode = 'check_violation', constraint = 'payee_checks_within_the_ceiling';
    end if;
    -- A payout asks about a payee who is there already: it guesses nothing, and takes nothing from who adds one.
    if new.by_adding and (
        select count(*) from (
            select from payee_checks c
            where c.owner = new.owner and c.asked_at > at - interval '24 hours' and c.by_adding
              and (c.word in ('close_match', 'no_match') or c.word is null and c.due_at > at)
            limit bounds.check_budget + 1) missed) > bounds.check_budget then
        raise exception 'too many checks' using errcode = 'check_violation', constraint = 'payee_checks_within_the_budget';
    end if;
    return null;
end $$;
revoke execute on function payee_checks_bounded() from public;
create trigger payee_checks_counted after insert or update on payee_checks for each row execute function payee_checks_bounded();

-- Whose payee is removed has no more use for the name that its account has. What is being told meanwhile waits for the payee's row, and then finds it removed.
create function payee_checks_forget() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update payee_checks c set holder = null where c.payee_id = new.id and c.holder is not null;
    return null;
end $$;
revoke execute on function payee_checks_forget() from public;
create trigger payees_removed_forgotten after update on payees for each row execute function payee_checks_forget();

-- A payout to an account that does not belong to the payee's name, or of which that is being asked, is posted with its payer's approval, however small it is. payouts_to_payees, which comes first by its
-- name, holds the payees' rows; the approvals that are used are written before the payouts.
create function payouts_go_to_the_named() returns trigger language plpgsql security definer
    set search_path = public, pg_temp set enable_seqscan = off
as $$
begin
    if exists (
        select from inserted i join payee_checks c on c.payee_id = i.payee_id
        where (c.word = 'no_match' or c.word is null and c.due_at > clock_timestamp())
          and not exists (select from used_approvals u where u.transfer_id = i.id)) then
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
