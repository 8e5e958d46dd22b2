//! How an answer is written. Two formats are understood; what stands where in them, and what it is called, is the manifest's matter.

use serde::{Deserialize, Serialize};

use super::parameter::Kind;

/// Formats that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponseKind {
    /// `application/json`.
    Json,
    /// Rates in XML, as `sheet` describes them.
    RateSheet,
}

/// Rates in XML: one element for the day, and one within it for each currency, told apart by their attributes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateSheet {
    /// The XML namespace of the elements.
    pub namespace: String,
    pub element: String,
    /// The attribute that holds the day.
    pub date: String,
    /// The attribute that names a currency.
    pub currency: String,
    /// The attribute beside it that holds its rate.
    pub rate: String,
    /// The currency that one unit of is worth so much.
    pub base: String,
}

/// A format, ready to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// Rates in XML; they pass on as `{"date", "base", "rates": {…}}`.
    RateSheet(RateSheet),
}

impl Format {
    /// Refuses a sheet without the words that it is read by, and such words for another format.
    pub(super) fn compile(kind: ResponseKind, sheet: Option<RateSheet>) -> Result<Self, String> {
        match (kind, sheet) {
            (ResponseKind::Json, None) => Ok(Self::Json),
            (ResponseKind::Json, Some(_)) => Err("response.sheet: for the kind rate-sheet only".to_owned()),
            (ResponseKind::RateSheet, Some(sheet)) => sheet.check().map(|()| Self::RateSheet(sheet)),
            (ResponseKind::RateSheet, None) => Err("response.sheet: is missing".to_owned()),
        }
    }
}

impl RateSheet {
    fn check(&self) -> Result<(), String> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let names =
            [("element", &self.element), ("date", &self.date), ("currency", &self.currency), ("rate", &self.rate)];
        if let Some((place, _)) = names.iter().find(|(_, name)| name.is_empty() || !name.bytes().all(good)) {
            return Err(format!("response.sheet.{place}: is not a plain name"));
        }
        if self.date == self.currency || self.date == self.rate || self.currency == self.rate {
            return Err("response.sheet: one attribute holds one thing".to_owned());
        }
        if self.namespace.is_empty() || !self.namespace.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("response.sheet.namespace: is not a name of a namespace".to_owned());
        }
        Kind::Currency.check(&self.base, 3).map_err(|problem| format!("response.sheet.base: {problem}"))
    }
}
