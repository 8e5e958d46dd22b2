-- Who seals secrets does nothing else. So `broker seal-secret` and `retire-secret` run under a role of their own, which has this one table: it adds
-- versions and destroys them, and can bring none back. Neither the role that serves nor the one that migrates is needed for it.
grant select (provider, id, version, record, retired_at),
      insert (provider, id, version, record, sealed_at),
      update (record, retired_at) on secrets to broker_sealer;

create policy every_secret_for_sealing on secrets for select to broker_sealer using (true);
create policy new_versions on secrets for insert to broker_sealer with check (record is not null);
-- All rows: to number a version, all of its secret are locked. What a row becomes is destroyed, whatever it was.
create policy versions_are_destroyed on secrets for update to broker_sealer
    using (true) with check (record is null and retired_at is not null);
