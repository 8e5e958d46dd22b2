drop function pardon(text, text);
create or replace function instances_guard() returns trigger language plpgsql security invoker as $$
begin
    if old.decoyed and not new.decoyed then
        raise exception 'a decoyed instance stays decoyed' using errcode = 'check_violation';
    end if;
    return new;
end $$;
alter function instances_guard() reset all;
drop table pardons;
-- The former version knows one mark: who is not believed is decoyed.
update instances set decoyed = true where not believed;
alter table instances drop column believed;
comment on column instances.decoyed is null;
comment on table instances is
    'Installations of the app that have attested, by the RFC 7638 thumbprint of their device key. decoyed: gets decoys, for ever. Kept while the instance renews; removed by operations one year after renewed_at.';
