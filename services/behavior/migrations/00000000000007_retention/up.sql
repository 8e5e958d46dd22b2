-- What is older than 13 months goes. A day more than what is taken, so that an event whose row has gone is refused, and not learned again.

-- Policies name the role that made them. Where the table has got another owner since, it follows it.
alter policy everything_for_migrations on event_conflicts to current_user;

create index event_conflicts_received_at on event_conflicts (received_at);

-- The only way to delete anything, and no way to choose what. The oldest rows come first: a call looks at 5,000 of each table at most. A dry run goes with its decision.
create function forget() returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    past constant timestamptz := now() - interval '13 months 1 day'; gone bigint; total bigint;
begin
    delete from events e using (select number, received_at from events order by number limit 5000) oldest
        where e.number = oldest.number and oldest.received_at < past;
    get diagnostics total = row_count;
    delete from labels l using (select number, known_at from labels order by number limit 5000) oldest
        where l.number = oldest.number and oldest.known_at < past;
    get diagnostics gone = row_count;
    total := total + gone;
    with old as (
        select id from (select id, decided_at from decisions order by id limit 5000) oldest where decided_at < past),
    tried as (delete from dry_runs r using old where r.decision_id = old.id)
    delete from decisions d using old where d.id = old.id;
    get diagnostics gone = row_count;
    total := total + gone;
    delete from event_conflicts c using (select event_id, digest from event_conflicts where received_at < past order by received_at limit 5000) old
        where c.event_id = old.event_id and c.digest = old.digest;
    get diagnostics gone = row_count;
    return total + gone;
end $$;
grant execute on function forget() to behavior_app;
