//! The tables, as `migrations/` makes them.

diesel::table! {
    used_challenges (hash) {
        hash -> Bytea,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    instances (jkt) {
        jkt -> Text,
        platform -> Text,
        client_id -> Text,
        app_id -> Text,
        app_build -> Text,
        level -> Text,
        decoyed -> Bool,
        believed -> Bool,
        attested_at -> Timestamptz,
        renewed_at -> Timestamptz,
    }
}

diesel::table! {
    app_attest_keys (key_id) {
        key_id -> Bytea,
        jkt -> Text,
        public_key -> Bytea,
        counter -> BigInt,
        tells_build -> Bool,
    }
}

diesel::table! {
    evidence (jkt) {
        jkt -> Text,
        at -> Timestamptz,
        parts -> Array<Bytea>,
        attesting -> Nullable<Bytea>,
        patch_level -> Nullable<Integer>,
    }
}

diesel::table! {
    verdicts (support_id) {
        support_id -> Text,
        at -> Timestamptz,
        kind -> Text,
        genuine -> Bool,
        reasons -> Array<Text>,
        notes -> Array<Text>,
        jkt -> Text,
        platform -> Text,
        client_id -> Text,
        app_id -> Text,
        app_build -> Text,
        level -> Text,
        policy -> Text,
        token_ids -> Array<Text>,
    }
}
