//! What a provider may tell us: its kinds of events, what each means in the house, and where in its JSON the fields are.
//!
//! All of it is the manifest's: no kind and no field of a provider is known here. What is not mapped is not read, and what is not listed is not
//! acted on. A message that could be about money is never lost for that: it is kept for a person, unless the manifest says that it asks nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::document::{Document, MAX_DEPTH};
use super::path::Path;
use crate::ids::SecretId;

/// Kinds that a manifest lists at most.
const MAX_EVENTS: usize = 64;
/// Characters of a kind at most.
const MAX_KIND: usize = 64;

/// Which events a provider may send us.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookManifest {
    /// How messages are signed.
    pub scheme: WebhookScheme,
    /// The id of the signing secret.
    pub secret: SecretId,
    /// Dotted path to the text that says which kind of event it is.
    pub kind: String,
    /// The kinds of events that are agreed on, and what each means.
    pub events: BTreeMap<String, EventManifest>,
    /// What becomes of the others. Default: each is kept for a person.
    #[serde(default)]
    pub unlisted: Unlisted,
    /// Bytes that are read at most. The standard advises 20 KiB.
    #[serde(default = "twenty_kib")]
    pub max_bytes: u32,
}

/// Signature schemes of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookScheme {
    /// Standard Webhooks, `v1` (HMAC-SHA-256).
    StandardWebhooks,
}

/// A kind of event, as written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventManifest {
    pub means: Meaning,
    /// Where its fields are: dotted paths, by our names for what stands there.
    #[serde(default)]
    pub fields: BTreeMap<Field, String>,
}

/// What an event can mean in the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// A payment has come in for an account of ours.
    MoneyArrived,
    PayoutPaid,
    /// A payout is not paid and never will be.
    PayoutFailed,
    /// A payout was paid, and the money has come back.
    PayoutReturned,
    /// Nothing that we act on: it is acknowledged, and the message is not kept.
    Nothing,
}

/// Our names for what stands in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The account of ours that is credited: a UUID.
    AccountId,
    /// Decimal text in the currency's major unit.
    Amount,
    /// ISO 4217.
    Currency,
    /// Who paid.
    DebtorName,
    Reference,
    /// Our id of the payout: a UUID.
    PayoutId,
}

/// What becomes of an event whose kind the manifest does not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unlisted {
    /// It may be about money, so it is kept for a person.
    #[default]
    Keep,
    /// It is acknowledged, and the message is not kept.
    Drop,
}

/// A provider's webhooks, ready to be taken.
#[derive(Debug)]
pub struct Webhook {
    /// How messages are signed.
    pub scheme: WebhookScheme,
    /// The id of the signing secret.
    pub secret: SecretId,
    /// Bytes of a message at most.
    pub max_bytes: usize,
    kind: Path,
    events: BTreeMap<String, Event>,
    unlisted: Unlisted,
}

#[derive(Debug)]
struct Event {
    meaning: Meaning,
    fields: BTreeMap<Field, Path>,
}

/// A message by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sorted {
    /// Of this kind, and acted on.
    Wanted(String),
    /// Of this kind, and nothing is asked of us.
    Ignored(String),
    /// Of this kind, which the manifest does not list.
    Unlisted(String),
    /// It is not JSON, each member once, or its kind cannot be read.
    Unreadable,
}

/// What a message says, by our names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub meaning: Meaning,
    texts: BTreeMap<Field, String>,
}

impl Notification {
    /// The text of a field.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.texts.get(&field).map(String::as_str)
    }
}

impl Webhook {
    /// Checks and compiles what a manifest says. An error names the place in it.
    pub(super) fn compile(manifest: WebhookManifest) -> Result<Self, String> {
        if manifest.events.is_empty() || manifest.events.len() > MAX_EVENTS {
            return Err(format!("webhook.events: 1 to {MAX_EVENTS} kinds"));
        }
        let events = manifest.events.into_iter().map(|(kind, event)| {
            let compiled =
                Event::compile(&kind, event).map_err(|problem| format!("webhook.events.{kind:?}{problem}"))?;
            Ok((kind, compiled))
        });
        Ok(Self {
            scheme: manifest.scheme,
            secret: manifest.secret,
            max_bytes: usize::try_from(manifest.max_bytes).map_err(|error| format!("webhook.max_bytes: {error}"))?,
            kind: Path::parse(&manifest.kind)
                .map_err(|problem| format!("webhook.kind: `{}` {problem}", manifest.kind))?,
            events: events.collect::<Result<_, String>>()?,
            unlisted: manifest.unlisted,
        })
    }

    /// Which kind a message is of, and whether that asks something of us.
    pub fn sort(&self, body: &[u8]) -> Sorted {
        let Some(kind) = parse(body).and_then(|body| self.kind_of(&body).map(str::to_owned)) else {
            return Sorted::Unreadable;
        };
        match self.events.get(&kind) {
            Some(event) if event.meaning == Meaning::Nothing => Sorted::Ignored(kind),
            Some(_) => Sorted::Wanted(kind),
            None if !is_plain(&kind) => Sorted::Unreadable,
            None if self.unlisted == Unlisted::Drop => Sorted::Ignored(kind),
            None => Sorted::Unlisted(kind),
        }
    }

    /// What a message of a listed kind says; `None` if it is not of the agreed form.
    pub fn read(&self, body: &[u8]) -> Option<Notification> {
        let body = parse(body)?;
        self.events.get(self.kind_of(&body)?)?.read(&body)
    }

    fn kind_of<'a>(&self, body: &'a Document) -> Option<&'a str> {
        self.kind.find(body)?.as_text()
    }
}

impl Event {
    fn compile(kind: &str, manifest: EventManifest) -> Result<Self, String> {
        if !is_kind(kind) {
            return Err(format!(": a kind is 1 to {MAX_KIND} letters, digits and . _ - : /"));
        }
        let (meaning, known) = (manifest.means, manifest.means.fields());
        if let Some((missing, _)) = known.iter().find(|(field, needed)| *needed && !manifest.fields.contains_key(field))
        {
            return Err(format!(".fields.{missing}: is missing, and `{meaning}` needs it"));
        }
        let fields = manifest.fields.into_iter().map(|(field, text)| {
            if !known.iter().any(|(other, _)| *other == field) {
                return Err(format!(".fields.{field}: `{meaning}` has no such field"));
            }
            let path = Path::parse(&text).map_err(|problem| format!(".fields.{field}: `{text}` {problem}"))?;
            Ok((field, path))
        });
        Ok(Self { meaning, fields: fields.collect::<Result<_, _>>()? })
    }

    /// All that is needed is there, and everything that is there is a text.
    fn read(&self, body: &Document) -> Option<Notification> {
        let mut texts = BTreeMap::new();
        for (field, needed) in self.meaning.fields() {
            match self.fields.get(field).and_then(|path| path.find(body)) {
                Some(value) => drop(texts.insert(*field, value.as_text()?.to_owned())),
                None if *needed => return None,
                None => (),
            }
        }
        Some(Notification { meaning: self.meaning, texts })
    }
}

impl Meaning {
    /// The fields that it has, and whether each is needed.
    fn fields(self) -> &'static [(Field, bool)] {
        match self {
            Self::MoneyArrived => &[
                (Field::AccountId, true),
                (Field::Amount, true),
                (Field::Currency, true),
                (Field::DebtorName, true),
                (Field::Reference, false),
            ],
            Self::PayoutPaid | Self::PayoutFailed | Self::PayoutReturned => &[(Field::PayoutId, true)],
            Self::Nothing => &[],
        }
    }
}

/// As a manifest writes it.
impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// As a manifest writes it.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

fn twenty_kib() -> u32 {
    20 * 1024
}

/// Bounded in depth before it is parsed; its size is bounded by whoever read it.
fn parse(body: &[u8]) -> Option<Document> {
    if runtime::extract::deeper_than(body, MAX_DEPTH) { None } else { Document::parse(body).ok() }
}

/// What a manifest can list.
fn is_kind(kind: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/".contains(&byte);
    !kind.is_empty() && kind.len() <= MAX_KIND && kind.bytes().all(good)
}

/// What we note of a kind that nobody agreed on. Narrower than a listed one: it is text of a stranger's choice.
fn is_plain(kind: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
    is_kind(kind) && kind.bytes().all(good)
}

#[cfg(test)]
mod tests;
