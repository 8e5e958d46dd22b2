//! The tables as diesel sees them. The migrations have the constraints, the triggers and who may do what.

diesel::table! {
    accounts (id) {
        id -> Uuid,
        balance -> BigInt,
        version -> BigInt,
        floor -> BigInt,
        opened_at -> Timestamptz,
        closed_at -> Nullable<Timestamptz>,
        currency -> Text,
        purpose -> Text,
        owner -> Nullable<Text>,
        name -> Text,
    }
}

diesel::table! {
    stops (id) {
        id -> Uuid,
        customer -> Text,
        reason -> Text,
        begun_at -> Timestamptz,
        end_reason -> Nullable<Text>,
        ended_at -> Nullable<Timestamptz>,
    }
}

// Counted by the trigger on accounts.
diesel::table! {
    owners (owner) {
        owner -> Text,
        accounts -> Integer,
    }
}

diesel::table! {
    transfers (id) {
        id -> Uuid,
        sequence -> BigInt,
        amount -> BigInt,
        posted_at -> Timestamptz,
        from_account -> Uuid,
        to_account -> Uuid,
        currency -> Text,
        kind -> Text,
        reference -> Text,
        counterparty -> Text,
    }
}

diesel::table! {
    approvals (id) {
        id -> Uuid,
        from_account -> Uuid,
        amount -> BigInt,
        currency -> Text,
        payee_name -> Text,
        payee_account -> Text,
        reference -> Text,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    payees (id) {
        id -> Uuid,
        owner -> Text,
        name -> Text,
        iban -> Text,
        created_at -> Timestamptz,
        cools_off_at -> Timestamptz,
        removed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    payee_checks (payee_id) {
        payee_id -> Uuid,
        owner -> Text,
        asked -> Integer,
        asked_at -> Timestamptz,
        due_at -> Timestamptz,
        by_adding -> Bool,
        word -> Nullable<Text>,
        holder -> Nullable<Text>,
        silent -> Bool,
        told_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(payee_checks -> payees (payee_id));
diesel::allow_tables_to_appear_in_same_query!(payee_checks, payees);

diesel::table! {
    entries (account_id, version) {
        account_id -> Uuid,
        version -> BigInt,
        transfer_id -> Uuid,
        amount -> BigInt,
        balance -> BigInt,
        currency -> Text,
    }
}

diesel::table! {
    exchanges (transfer_id) {
        transfer_id -> Uuid,
        bought -> BigInt,
        bought_currency -> Text,
        rate -> Numeric,
        rate_date -> Date,
        rate_source -> Text,
    }
}

diesel::table! {
    suspense_items (id) {
        id -> Uuid,
        provider -> Text,
        event_id -> Text,
        wanted_account -> Uuid,
        reason -> Text,
        amount -> BigInt,
        currency -> Text,
        received_at -> Timestamptz,
        allocated_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    idempotency (owner, operation, key) {
        owner -> Text,
        operation -> Text,
        key -> Text,
        fingerprint -> Binary,
        transfer_id -> Nullable<Uuid>,
        rejection -> Nullable<Text>,
        rejected_leg -> Nullable<SmallInt>,
        decided_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(accounts, transfers, entries, exchanges, suspense_items, idempotency);
