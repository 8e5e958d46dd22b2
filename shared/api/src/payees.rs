//! To whom at other banks a customer pays (`ledger`). A payout names one of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::payouts::MaskedIban;
use crate::sealed::{Field, Sealed};
use crate::{Id, schema};

/// The IBAN of a payee.
#[derive(Debug, Clone, Copy)]
pub struct PayeeIban;

impl Field for PayeeIban {
    const PURPOSE: &'static str = "ledger.payee.iban";
}

/// `POST /v1/payees`, as it travels: nobody between the phone and the ledger reads the IBAN.
pub type PostSealedPayee = PostPayee<Sealed<PayeeIban>>;

/// A payee to add: before its IBAN is sealed and after it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PostPayee")]
pub struct PostPayee<I = String> {
    /// Who it is, 1 to 70 characters. Payouts say it to the payee's bank.
    #[schemars(schema_with = "schema::creditor_name")]
    pub name: String,
    /// ISO 13616, without spaces, check digits verified; sealed on its way to the ledger.
    pub iban: I,
}

impl<I> PostPayee<I> {
    /// The same payee with its IBAN in another form.
    pub fn try_map<J, E>(self, with: impl FnOnce(I) -> Result<J, E>) -> Result<PostPayee<J>, E> {
        Ok(PostPayee { name: self.name, iban: with(self.iban)? })
    }
}

/// A payee as its owner sees it. But for its removal nothing of it ever changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payee {
    /// Names the payee, in its URL and in payouts.
    pub id: Id,
    /// As its owner wrote it.
    pub name: String,
    /// Country and last four characters.
    pub iban: MaskedIban,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub created_at: String,
    /// RFC 3339: until then the payee is new, and all payouts to it together are limited.
    #[schemars(schema_with = "schema::time")]
    pub cools_off_at: String,
    /// Whether its account belongs to its name.
    #[serde(default)]
    pub name_check: NameCheck,
    /// RFC 3339: since when nothing can be paid to it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub removed_at: Option<String>,
}

/// Whether a payee's account belongs to its name, as whoever keeps the account says (confirmation of payee; Regulation (EU) No 260/2012, Article 5c). Only a
/// `match` is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum NameCheck {
    /// It does.
    Match {
        /// RFC 3339: when that was said.
        #[schemars(schema_with = "schema::time")]
        checked_at: String,
    },
    /// Nearly: the account has another name that is much like it.
    CloseMatch {
        /// The name that the account has, 1 to 140 characters.
        #[schemars(schema_with = "schema::holder")]
        holder: String,
        /// RFC 3339: when that was said.
        #[schemars(schema_with = "schema::time")]
        checked_at: String,
    },
    /// It belongs to somebody else. Whom, is not told; each payout to it takes its payer's approval, however small it is.
    NoMatch {
        /// RFC 3339: when that was said.
        #[schemars(schema_with = "schema::time")]
        checked_at: String,
    },
    /// They could not say, or nobody answered.
    NotPossible {
        /// RFC 3339: when that was found.
        #[schemars(schema_with = "schema::time")]
        checked_at: String,
    },
    /// Nobody has been asked, or there is no answer yet; or this one, or none, from a ledger that is older or newer than whoever reads it.
    #[default]
    #[serde(other)]
    NotChecked,
}

/// A page of `GET /v1/payees`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PayeePage {
    /// The payees of one page that are not removed, oldest first.
    pub payees: Vec<Payee>,
    /// Give it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cursor")]
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_that_is_not_known_or_not_there_is_none_and_never_a_match() {
        let read = |check| serde_json::from_value::<NameCheck>(check).unwrap();
        assert_eq!(read(json!({ "word": "unlikely_match", "checked_at": "x", "odds": 3 })), NameCheck::NotChecked);
        assert_eq!(read(json!({ "word": "not_checked" })), NameCheck::NotChecked);
        assert!(serde_json::from_value::<NameCheck>(json!({ "word": "match" })).is_err());
        let payee = json!({ "id": "01890a5d-ac96-774b-bcce-b302099a8057", "name": "Carol",
                            "iban": MaskedIban::of("DE89370400440532013000"), "created_at": "x", "cools_off_at": "x" });
        assert_eq!(serde_json::from_value::<Payee>(payee).unwrap().name_check, NameCheck::NotChecked);
    }
}
