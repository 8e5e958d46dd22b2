//! The tables as diesel sees them. The migrations are the truth; this file follows them.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    users (id) {
        id -> Uuid,
        email_lookup -> Bytea,
        email_sealed -> Bytea,
        name_sealed -> Bytea,
        password_hash -> Text,
        created_at -> Timestamptz,
    }
}

table! {
    pushed_requests (id_hash) {
        id_hash -> Bytea,
        client_id -> Text,
        jkt -> Nullable<Text>,
        parameters -> Jsonb,
        attempts -> Integer,
        expires_at -> Timestamptz,
        completed_at -> Nullable<Timestamptz>,
    }
}

table! {
    interactions (browser_hash) {
        browser_hash -> Bytea,
        request_hash -> Bytea,
        user_id -> Nullable<Uuid>,
        authenticated_at -> Nullable<Timestamptz>,
        expires_at -> Timestamptz,
        shown_sealed -> Nullable<Bytea>,
        awaits_user_id -> Nullable<Uuid>,
        second_factor -> Nullable<Text>,
        factor_since -> Nullable<Timestamptz>,
        enrolling_sealed -> Nullable<Bytea>,
    }
}

table! {
    grants (id) {
        id -> Uuid,
        user_id -> Uuid,
        client_id -> Text,
        scope -> Text,
        jkt -> Nullable<Text>,
        authenticated_at -> Timestamptz,
        created_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        revoked_reason -> Nullable<Text>,
        expires_at -> Nullable<Timestamptz>,
        second_factor -> Nullable<Text>,
        factor_since -> Nullable<Timestamptz>,
    }
}

table! {
    instances (user_id, jkt) {
        user_id -> Uuid,
        jkt -> Text,
        since -> Timestamptz,
        first -> Bool,
    }
}

table! {
    authorization_codes (code_hash) {
        code_hash -> Bytea,
        grant_id -> Uuid,
        client_id -> Text,
        redirect_uri -> Text,
        code_challenge -> Text,
        nonce -> Nullable<Text>,
        jkt -> Nullable<Text>,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

table! {
    approved_payments (grant_id) {
        grant_id -> Uuid,
        sealed -> Bytea,
        expires_at -> Timestamptz,
    }
}

table! {
    refresh_tokens (token_hash) {
        token_hash -> Bytea,
        grant_id -> Uuid,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
        device_told -> Bool,
        seen_in -> Nullable<Text>,
        seen_told_at -> Nullable<Timestamptz>,
    }
}

table! {
    client_assertions (id_hash) {
        id_hash -> Bytea,
        expires_at -> Timestamptz,
    }
}

table! {
    login_throttles (identifier_hash) {
        identifier_hash -> Bytea,
        failures -> Integer,
        blocked_until -> Timestamptz,
        last_attempt_at -> Timestamptz,
    }
}

table! {
    totp_secrets (user_id) {
        user_id -> Uuid,
        sealed -> Bytea,
        last_step -> BigInt,
        created_at -> Timestamptz,
    }
}

table! {
    recovery_codes (code_hash) {
        code_hash -> Bytea,
        user_id -> Uuid,
    }
}

table! {
    passkeys (id) {
        id -> Uuid,
        user_id -> Uuid,
        credential_id -> Bytea,
        public_key -> Bytea,
        sign_count -> BigInt,
        backup_eligible -> Bool,
        backed_up -> Bool,
        name_sealed -> Bytea,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
    }
}

table! {
    passkey_ceremonies (browser_hash) {
        browser_hash -> Bytea,
        user_id -> Uuid,
        nonce -> Bytea,
        expires_at -> Timestamptz,
    }
}

table! {
    outbox (id) {
        id -> Uuid,
        kind -> Text,
        user_id -> Nullable<Uuid>,
        happened_at -> Timestamptz,
        jkt -> Nullable<Text>,
        detail -> Nullable<Text>,
        since -> Nullable<Timestamptz>,
        country -> Nullable<Text>,
        network -> Nullable<Text>,
        attempts -> Integer,
        next_attempt_at -> Timestamptz,
    }
}

joinable!(interactions -> pushed_requests (request_hash));
joinable!(refresh_tokens -> grants (grant_id));
allow_tables_to_appear_in_same_query!(pushed_requests, interactions);
allow_tables_to_appear_in_same_query!(grants, refresh_tokens);

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    /// The names in each `use crate::schema::…;` of a folder's files.
    fn used(folder: &Path, tables: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used(&path, tables);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for list in text.split("use crate::schema::").skip(1) {
                let names = list.split(';').next().unwrap().trim_matches(['{', '}']);
                tables.extend(names.split(',').map(|name| name.trim().to_owned()));
            }
        }
    }

    #[test]
    fn each_table_is_touched_by_one_folder() {
        let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
        let folders = fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        let mut owners: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
        for folder in folders {
            let mut tables = Vec::new();
            used(&folder, &mut tables);
            for table in tables {
                owners.entry(table).or_default().insert(folder.clone());
            }
        }
        let expected = include_str!("schema.rs").matches("\ntable! {").count();
        assert_eq!(owners.len(), expected, "{owners:?}");
        assert!(owners.values().all(|folders| folders.len() == 1), "{owners:?}");
    }
}
