//! The tables as diesel sees them. The truth is in `migrations/`.

diesel::table! {
    secrets (provider, id, version) {
        provider -> Text,
        id -> Text,
        version -> Integer,
        record -> Nullable<Binary>,
        sealed_at -> Timestamptz,
        retired_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    webhook_inbox (id) {
        id -> Uuid,
        provider -> Text,
        event_id -> Text,
        kind -> Text,
        digest -> Binary,
        body -> Nullable<Binary>,
        traceparent -> Nullable<Text>,
        state -> Text,
        attempts -> Integer,
        received_at -> Timestamptz,
        next_attempt_at -> Timestamptz,
        settled_at -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        reopened -> Integer,
    }
}
