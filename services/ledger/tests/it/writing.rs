//! What the committer writes, as statements that a test can falsify one at a time.

use std::fmt;

use crate::database::{ALICE, SETTLEMENT};

pub(crate) const CLEARING: &str = "00000000-0000-8000-8000-455552000003";
pub(crate) const SUSPENSE: &str = "00000000-0000-8000-8000-455552000004";
pub(crate) const FX: &str = "00000000-0000-8000-8000-455552000002";
pub(crate) const FX_USD: &str = "00000000-0000-8000-8000-555344000002";
/// Alice's payee.
pub(crate) const CARLA: &str = "01890a5d-ac96-774b-bcce-b302099a8004";
/// Alice's account in dollars.
pub(crate) const DOLLARS: &str = "01890a5d-ac96-774b-bcce-b302099a8003";

/// The statements of one transaction with one transfer, so that a test can falsify one. An empty one is left out.
#[derive(Clone, Default)]
pub(crate) struct Writing {
    pub(crate) id: String,
    pub(crate) head: String,
    pub(crate) transfer: String,
    pub(crate) entries: String,
    pub(crate) outbox: String,
    pub(crate) key: String,
    pub(crate) extra: String,
}

impl fmt::Display for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statements = [&self.head, &self.transfer, &self.entries, &self.outbox, &self.key, &self.extra];
        write!(f, "begin; ")?;
        for statement in statements.iter().filter(|statement| !statement.is_empty()) {
            write!(f, "{statement}; ")?;
        }
        write!(f, "commit")
    }
}

impl Writing {
    pub(crate) fn with(mut self, extra: String) -> Self {
        self.extra = extra;
        self
    }
}

/// What the committer writes for this transfer, in euro.
pub(crate) fn writing(number: u32, kind: &str, from: &str, to: &str, amount: i64) -> Writing {
    let id = transfer(number);
    let operation = if kind == "payout_settlement" || kind == "payout_reversal" { "payout_closing" } else { kind };
    Writing {
        head: "update head set sequence = sequence + 1".to_owned(),
        transfer: header(number, kind, from, to, amount),
        entries: entries(&id, &[(from, -amount, "EUR"), (to, amount, "EUR")]),
        outbox: "insert into outbox (first_sequence, last_sequence, committed_at) select sequence, sequence, now() from head".to_owned(),
        key: key(number, operation, &id),
        extra: String::new(),
        id,
    }
}

pub(crate) fn transfer(number: u32) -> String {
    format!("01890a5d-ac96-774b-bcce-b3020a{number:06}")
}

pub(crate) fn header(number: u32, kind: &str, from: &str, to: &str, amount: i64) -> String {
    format!(
        "insert into transfers (id, sequence, amount, posted_at, from_account, to_account, currency, kind, reference, counterparty) \
         select '{}', sequence, {amount}, now(), '{from}', '{to}', 'EUR', '{kind}', '', '' from head",
        transfer(number)
    )
}

/// Lines that continue their accounts.
pub(crate) fn entries(transfer: &str, lines: &[(&str, i64, &str)]) -> String {
    let rows: Vec<String> =
        lines.iter().map(|(account, amount, currency)| format!("('{account}', {amount}, '{currency}')")).collect();
    format!(
        "insert into entries (account_id, version, transfer_id, amount, balance, currency) \
         select a.id, a.version + 1, '{transfer}', l.amount, a.balance + l.amount, l.currency \
         from (values {}) as l (account, amount, currency) join accounts a on a.id = l.account::uuid",
        rows.join(", ")
    )
}

pub(crate) fn key(number: u32, operation: &str, transfer: &str) -> String {
    format!(
        "insert into idempotency (owner, operation, key, fingerprint, transfer_id, decided_at) \
         values ('x', '{operation}', 'k-{number}', sha256(''), '{transfer}', now())"
    )
}

pub(crate) fn order(id: &str, account: &str, owner: &str, amount: i64, currency: &str) -> String {
    format!(
        "insert into payouts (id, account_id, owner, amount, currency, payee_id, creditor_name, creditor_iban, reference, provider, \
             next_attempt_at, created_at) \
         values ('{id}', '{account}', '{owner}', {amount}, '{currency}', '{CARLA}', 'Carla', 'DE89370400440532013000', '', 'sandbox-bank', now(), now())"
    )
}

/// Alice's payout of one euro.
pub(crate) fn payout(number: u32) -> Writing {
    let writing = writing(number, "payout", ALICE, CLEARING, 100);
    let order = order(&writing.id, ALICE, "alice", 100, "EUR");
    writing.with(order)
}

pub(crate) fn end(payout: u32, what: &str) -> String {
    format!("update payouts set {what} where id = '{}'", transfer(payout))
}

/// The end of that payout.
pub(crate) fn paid(number: u32, payout: u32) -> Writing {
    let writing = writing(number, "payout_settlement", CLEARING, SETTLEMENT, 100);
    let end = end(payout, &format!("status = 'paid', closed_by = '{}', word = 'event'", writing.id));
    writing.with(end)
}

pub(crate) fn failed(number: u32, payout: u32) -> Writing {
    let writing = writing(number, "payout_reversal", CLEARING, ALICE, 100);
    let end = end(payout, &format!("status = 'failed', closed_by = '{}', word = 'refusal'", writing.id));
    writing.with(end)
}

/// Alice sells one euro for 1.10 dollars.
pub(crate) fn exchange(number: u32) -> Writing {
    let writing = writing(number, "exchange", ALICE, DOLLARS, 100);
    let lines = [(ALICE, -100, "EUR"), (FX, 100, "EUR"), (FX_USD, -110, "USD"), (DOLLARS, 110, "USD")];
    Writing { entries: entries(&writing.id, &lines), extra: quote(&writing.id, 110, "USD"), ..writing }
}

pub(crate) fn quote(transfer: &str, bought: i64, currency: &str) -> String {
    format!(
        "insert into exchanges (transfer_id, bought, bought_currency, rate, rate_date, rate_source) \
         values ('{transfer}', {bought}, '{currency}', 1.1, '2026-10-30', 'ecb')"
    )
}
