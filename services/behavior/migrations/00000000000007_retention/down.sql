drop function forget();
drop index event_conflicts_received_at;
