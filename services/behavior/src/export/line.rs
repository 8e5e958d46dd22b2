//! A line of the export: a JSON object, in which what a kind of line does not have is `null`.

use api::Id;
use serde::Serialize;

/// An event or a word on a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// Its place in the log: in this order it was learned.
    pub(super) number: i64,
    /// `payment`, `label` (a word on one), or what happened at a user's door: `login`, `failed_login`, `seen`, `device`, `second_factor`.
    // Text: the column's own words, so that a kind that is new in the database is not left out here.
    pub(super) kind: String,
    /// The event's id; a label has that of the payment: its decision's, or its event's where no decision was asked for.
    pub(super) id: Id,
    /// When it happened; a label has when the payment was made.
    pub(super) at_unix_millis: i64,
    /// 64 bits of a digest, in hexadecimal: numbers of JSON end at 53. A label has none.
    // Text: a key in the form of the export, made of the number and never read back.
    pub(super) user_key: Option<String>,
    /// As `user_key`. Nobody is paid at a door.
    // Text: as `user_key`.
    pub(super) payee_key: Option<String>,
    /// In major units, exact.
    pub(super) amount: Option<String>,
    /// Of the amount.
    pub(super) currency: Option<&'static str>,
    /// The decision that the payment was made under.
    pub(super) decision_id: Option<Id>,
    /// As `user_key`: which device is enrolled. A payment has none: whoever asks about one says which, and the log does not keep it.
    // Text: as `user_key`.
    pub(super) device_key: Option<String>,
    /// How well the key of a device is kept, or what has become of a second factor.
    // Text: as `kind`.
    pub(super) detail: Option<String>,
    /// In which country it was, by its code; of what happened at a user's door, and where it is known.
    // Text: as `kind`.
    pub(super) country: Option<String>,
    /// As `user_key`: in whose network.
    // Text: as `user_key`.
    pub(super) network_key: Option<String>,
    /// When a label was said.
    pub(super) known_at_unix_millis: Option<i64>,
    /// `fraud` or `honest`.
    // Text: as `kind`.
    pub(super) label: Option<String>,
    /// The label that it replaces.
    // Text: as `kind`.
    pub(super) before: Option<String>,
}
