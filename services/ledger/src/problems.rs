//! What each handler refuses with, for the description of its route. Beside `error.rs`, which says how; an answer that is missing here is a fault in
//! every test that meets it.

runtime::problems! {
    /// Of an account that is opened.
    Opening: 422 KEY_REUSED, 422 ACCOUNT_LIMIT_REACHED;
    /// Of an account that is read.
    Account: 404 ACCOUNT_NOT_FOUND;
    /// Of money that goes to another account.
    Transfer:
        400 AMOUNT_INVALID, 401 APPROVAL_REQUIRED, 403 FORBIDDEN, 403 CUSTOMER_STOPPED, 404 ACCOUNT_NOT_FOUND, 422 KEY_REUSED,
        422 CURRENCY_MISMATCH, 422 INSUFFICIENT_FUNDS, 422 SAME_ACCOUNT, 422 ACCOUNT_CLOSED, 422 LIMIT_EXCEEDED,
        422 APPROVAL_LIMIT_REACHED, 422 INSTANCE_COOLING_OFF;
    /// Of a transfer that is read.
    OneTransfer: 404 TRANSFER_NOT_FOUND;
    /// Of money that becomes money of another currency.
    Exchange:
        400 AMOUNT_INVALID, 403 CUSTOMER_STOPPED, 404 ACCOUNT_NOT_FOUND, 422 KEY_REUSED, 422 CURRENCY_MISMATCH, 422 INSUFFICIENT_FUNDS,
        422 SAME_ACCOUNT, 422 ACCOUNT_CLOSED, 422 LIMIT_EXCEEDED, 422 RATE_UNAVAILABLE;
    /// Of a payee that is added.
    NewPayee: 400 FIELD_SEALED_REQUIRED, 400 FIELD_SEALED_INVALID, 422 KEY_REUSED, 422 PAYEE_EXISTS, 422 PAYEE_LIMIT_REACHED,
        422 PAYEE_CHECK_LIMIT_REACHED;
    /// Of a payee that is read or removed.
    Payee: 404 PAYEE_NOT_FOUND;
    /// Of money that leaves the house.
    Payout:
        400 AMOUNT_INVALID, 401 APPROVAL_REQUIRED, 403 FORBIDDEN, 403 CUSTOMER_STOPPED, 404 PAYEE_NOT_FOUND, 404 ACCOUNT_NOT_FOUND, 422 KEY_REUSED,
        422 CURRENCY_MISMATCH, 422 INSUFFICIENT_FUNDS, 422 ACCOUNT_CLOSED, 422 PAYOUT_LIMIT_REACHED, 422 PAYEE_COOLING_OFF,
        422 APPROVAL_LIMIT_REACHED, 422 INSTANCE_COOLING_OFF;
    /// Of a payout that is read.
    OnePayout: 404 PAYOUT_NOT_FOUND;
    /// Of a payout that its payer takes back.
    Cancellation: 404 PAYOUT_NOT_FOUND, 409 PAYOUT_NOT_HELD;
    /// Of a customer who is stopped.
    NewStop: 404 CUSTOMER_NOT_FOUND;
    /// Of a stop that is ended.
    OneStop: 404 STOP_NOT_FOUND;
    /// Of a payment that is to be approved.
    OneApproval: 404 APPROVAL_NOT_FOUND;
    /// Of money that has arrived.
    Deposit: 400 AMOUNT_INVALID, 422 KEY_REUSED, 422 LIMIT_EXCEEDED;
    /// Of what the partner says of a payout.
    PayoutEvent: 404 PAYOUT_NOT_FOUND, 409 PAYOUT_CONTRADICTED;
    /// Of money that leaves suspense.
    Allocation:
        404 SUSPENSE_ITEM_NOT_FOUND, 404 ACCOUNT_NOT_FOUND, 422 ALREADY_ALLOCATED, 422 CURRENCY_MISMATCH, 422 SAME_ACCOUNT,
        422 ACCOUNT_CLOSED, 422 LIMIT_EXCEEDED;
}
