-- What happens at a person's door, on its way to the behavior analytics.

create table outbox (
    id               uuid primary key,
    kind             text not null,
    user_id          uuid,
    happened_at      timestamptz not null,
    jkt              text,
    detail           text,
    attempts         integer not null default 0 check (attempts >= 0),
    next_attempt_at  timestamptz not null,
    constraint outbox_says_what_its_kind_has check (
        case kind
            when 'login' then user_id is not null and jkt is null and coalesce(detail, 'known_device') = 'known_device'
            when 'failed_login' then num_nonnulls(jkt, detail) = 0
            when 'device' then num_nulls(user_id, jkt, detail) = 0
            when 'second_factor' then num_nulls(user_id, detail) = 0 and jkt is null
            else false
        end)
);
create index outbox_next_attempt_at on outbox (next_attempt_at);
comment on table outbox is
    'What the behavior analytics are to be told: deleted when they have been, as a rule within a second, and after 7 days in any case. The table is also the queue.';
comment on column outbox.user_id is
    'Of a failed login with an address that nobody has it is null: the row is written so that time does not tell, and never told. No foreign key, for the same reason.';
comment on column outbox.jkt is 'The thumbprint of the key of an instance of the app.';
comment on column outbox.detail is 'How well that key is kept, what has become of a second factor, or that a login was on a device that was known.';

alter table outbox enable row level security, force row level security;
create policy everything_for_migrations on outbox to current_user using (true) with check (true);
-- A transaction leaves word of its own person: of the one it is about, or of the one whose code it holds.
create policy of_its_person on outbox for insert to auth_app
    with check ((user_id is null and kind = 'failed_login') or user_id = subject() or user_id in (select g.user_id from grants g));
-- The courier tells what everybody has left. There is no more here than what has happened since it last looked.
create policy told on outbox for select to auth_app using (true);
create policy claimed on outbox for update to auth_app using (true);
create policy done on outbox for delete to auth_app using (true);

grant select, insert (id, kind, user_id, happened_at, jkt, detail, next_attempt_at), update (attempts, next_attempt_at), delete on outbox to auth_app;

create or replace function forget(moment timestamptz) returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    past constant timestamptz := least(moment, now()); gone bigint; total bigint;
begin
    -- Requests before interactions, as an answer takes them. An hour, in which the interactions that began with them end.
    delete from pushed_requests where expires_at < past - interval '1 hour';
    get diagnostics total = row_count;
    delete from interactions where expires_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    -- A day, in which a second use is seen.
    delete from authorization_codes where expires_at < past - interval '1 day';
    get diagnostics gone = row_count;
    total := total + gone;
    delete from refresh_tokens where expires_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    delete from client_assertions where expires_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    delete from approved_payments where expires_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    -- Of a payment's approval, when its code is gone: what was approved is proven where it was paid. Other grants are kept.
    delete from grants g where g.expires_at < past - interval '1 day'
        and not exists (select from authorization_codes c where c.grant_id = g.id)
        and not exists (select from approved_payments p where p.grant_id = g.id)
        and not exists (select from refresh_tokens t where t.grant_id = g.id);
    get diagnostics gone = row_count;
    total := total + gone;
    delete from login_throttles where last_attempt_at < past - interval '30 days';
    get diagnostics gone = row_count;
    total := total + gone;
    -- Nobody has listened for a week, or nobody is configured to.
    delete from outbox where happened_at < past - interval '7 days';
    get diagnostics gone = row_count;
    return total + gone;
end $$;
