-- What the former type cannot say becomes 0, which every floor refuses.
alter table verdicts drop constraint verdicts_app_build;
alter table verdicts alter column app_build type bigint
    using case when app_build ~ '^[0-9]{1,18}$' then app_build::bigint else 0 end;
alter table instances drop constraint instances_app_build;
alter table instances alter column app_build type bigint
    using case when app_build ~ '^[0-9]{1,18}$' then app_build::bigint else 0 end;
