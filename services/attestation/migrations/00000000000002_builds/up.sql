-- A build is what its platform writes: a longVersionCode on Android, integers with periods between them on iOS. So it is a text.
-- No default order may be taken from it: '1.4.10' is newer than '1.4.9', and only the code knows.

alter table instances alter column app_build type text using app_build::text;
alter table instances add constraint instances_app_build
    check (length(app_build) <= 32 and app_build ~ '^[0-9]+([.][0-9]+){0,7}$');
comment on column instances.app_build is 'longVersionCode (Android) or CFBundleVersion (iOS) that was last proved or named.';

alter table verdicts alter column app_build type text using app_build::text;
alter table verdicts add constraint verdicts_app_build
    check (length(app_build) <= 32 and app_build ~ '^[0-9]+([.][0-9]+){0,7}$');
comment on column verdicts.app_build is 'longVersionCode (Android) or CFBundleVersion (iOS) that tokens were issued with.';
