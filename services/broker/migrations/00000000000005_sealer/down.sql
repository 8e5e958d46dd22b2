drop policy versions_are_destroyed on secrets;
drop policy new_versions on secrets;
drop policy every_secret_for_sealing on secrets;
revoke all on secrets from broker_sealer;
