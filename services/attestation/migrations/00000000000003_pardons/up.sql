-- Two things that were one: an instance that lied (decoyed) and one that showed nothing good yet, or whose last evidence was refused by a policy
-- (not believed). The former stays until an operator pardons it; the latter is over with the next good evidence.

alter table instances add column believed boolean not null default false;
update instances set believed = not decoyed;
grant update (believed) on instances to attestation_app;
comment on column instances.decoyed is 'It lied: gets decoys until an operator pardons it.';
comment on column instances.believed is 'Its last evidence was accepted. If not, it gets decoys until it shows better, and renews nothing.';
comment on table instances is
    'Installations of the app that have attested, by the RFC 7638 thumbprint of their device key. Kept while the instance renews; removed by operations one year after renewed_at.';

create table pardons (
    id bigint generated always as identity primary key,
    jkt text not null check (length(jkt) = 43),
    at timestamptz not null default now(),
    reason text not null check (length(reason) between 1 and 500),
    pardoned_by text not null default session_user,
    transaction_id xid8 not null default pg_current_xact_id()
);
comment on table pardons is
    'Each time an operator had a decoyed instance judged anew: why and as whom. Written by pardon() only; append-only; kept for 13 months, as verdicts are.';
create index pardons_jkt on pardons (jkt, transaction_id);

-- The app role has no right on pardons, so the guard looks for it. What lifts the mark is a pardon of this very transaction, and it changes nothing else.
create or replace function instances_guard() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if old.decoyed and not new.decoyed and (
        to_jsonb(new) - 'decoyed' <> to_jsonb(old) - 'decoyed'
        or not exists (select from pardons where jkt = old.jkt and transaction_id = pg_current_xact_id())
    ) then
        raise exception 'a decoyed instance stays decoyed' using errcode = 'check_violation';
    end if;
    return new;
end $$;

-- True if there was something to pardon. It says nothing about the evidence: the instance is as believed as it was.
create function pardon(instance text, because text) returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from instances where jkt = instance and decoyed for update;
    if not found then
        return false;
    end if;
    insert into pardons (jkt, reason) values (instance, because);
    update instances set decoyed = false where jkt = instance;
    return true;
end $$;
-- Only the owner, whom nobody signs in as but the migrator acts as.
revoke all on function pardon(text, text) from public;
