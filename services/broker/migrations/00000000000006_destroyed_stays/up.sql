-- What is destroyed stays as it is, for every role: not even when it was destroyed can be said otherwise. No policy says this: one that hid destroyed
-- versions from UPDATE would hide them from FOR UPDATE, too, under which the next version gets its number.
create function secrets_guard() returns trigger language plpgsql as $$
begin
    if old.retired_at is not null then
        raise exception 'a destroyed version of a secret cannot be changed' using errcode = 'check_violation';
    end if;
    return new;
end $$;

create trigger secrets_guard before update on secrets for each row execute function secrets_guard();
