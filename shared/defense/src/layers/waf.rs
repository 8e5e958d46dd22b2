//! Layer *WAF*, in process: does the body look like an attack? What it may be, the types say that read it; this looks at what they let through.
//!
//! - JSON is read in one way only: syntax, depth, no member twice at any depth (also where a type takes whatever comes), and no number that another
//!   reader would round (RFC 8259 §6).
//! - A string that can only be an attack, by libinjection's grammar of SQL and of HTML, is refused. People's own words are another matter: some honest
//!   references (`case 7262 when settled`) look like SQL, and none of those in this layer's tests like HTML. So there SQL is noted in the
//!   receipt and counted, and nobody is refused for it.
//!
//! It does not stand in for anything: no statement here is made of text, and no page shows any without escaping. It is the second reason why an
//! injection fails, beside the OWASP core rules at the edge, which are a third.

use futures_util::future::{LocalBoxFuture, ready};
use identity::json;
use runtime::{Problem, extract, metrics};
use serde_json::Value;

use crate::{Facts, Finding, Inbound, Layer, LayerId, Verdict};

/// What other readers keep exactly (RFC 8259 §6): integers up to 2^53 - 1.
const MOST: u64 = (1 << 53) - 1;
/// The same as a reader of decimals has it.
const TWO_TO_53: f64 = 9_007_199_254_740_992.0;
/// Members whose values are people's own words.
const WORDS: [&str; 2] = ["name", "reference"];
/// Members that are opaque: signed, encoded or encrypted. Whoever reads them checks every byte.
const OPAQUE: [&str; 6] = ["evidence", "proof", "challenge", "device_key", "session_public_key", "sealed"];

/// What in a body looked like an attack and was let through, because honest people write so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suspicions {
    /// Strings that look like SQL.
    pub sql: u32,
}

/// Looks into JSON bodies.
#[derive(Debug, Clone, Copy)]
pub struct WafLayer;

impl WafLayer {
    fn check(request: &Inbound) -> Result<Facts, Verdict> {
        let json = request.single("content-type").is_some_and(extract::is_json);
        if !json || request.body.is_empty() {
            // Whoever takes a body of this kind reads it; the others refuse it.
            return Ok(Facts::default());
        }
        let invalid = |problem| refuse("body_invalid", problem);
        extract::check_depth(&request.body).map_err(invalid)?;
        let body = json::parse_unique(&request.body).map_err(|_| match extract::check_json(&request.body) {
            Err(problem) => invalid(problem),
            Ok(()) => refuse("member_doubled", Problem::invalid("the body can be read in more than one way")),
        })?;
        let mut suspicions = Suspicions::default();
        look("", &body, &mut suspicions)
            .map_err(|Flaw { reason, path }| refuse(reason, Problem::invalid("the value is not valid").field(path)))?;
        if suspicions.sql > 0 {
            // Decision: of a word that does not count.
            metrics::decision(LayerId::Waf.name(), "shadow_refuse");
        }
        Ok(Facts { suspicions: Some(suspicions), ..Facts::default() })
    }
}

/// What is wrong with a body, and in which member.
struct Flaw {
    reason: &'static str,
    /// As in `creditor.name`; built on the way back, so that a good body costs nothing.
    path: String,
}

impl Flaw {
    const fn new(reason: &'static str) -> Self {
        Self { reason, path: String::new() }
    }

    fn within(mut self, name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        self.path = if self.path.is_empty() { name } else { format!("{name}.{}", self.path) };
        self
    }
}

/// Recursion ends: the depth is checked.
fn look(name: &str, value: &Value, suspicions: &mut Suspicions) -> Result<(), Flaw> {
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            // What is no integer, or none of 64 bits, was rounded when it was read.
            let exact = match magnitude {
                Some(magnitude) => magnitude <= MOST,
                None => number.as_f64().is_some_and(|read| read.abs() < TWO_TO_53),
            };
            exact.then_some(()).ok_or(Flaw::new("number_too_large"))
        }
        Value::String(text) => screen(name, text, suspicions),
        // The strings of a list are its member's.
        Value::Array(items) => items.iter().try_for_each(|item| look(name, item, suspicions)),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            screen("", name, suspicions)?;
            let opaque = OPAQUE.contains(&name.as_str());
            if opaque { Ok(()) } else { look(name, value, suspicions).map_err(|flaw| flaw.within(name)) }
        }),
    }
}

fn screen(name: &str, text: &str, suspicions: &mut Suspicions) -> Result<(), Flaw> {
    if is_plain(text) {
        return Ok(());
    }
    if libinjectionrs::detect_xss(text.as_bytes()).is_injection() {
        return Err(Flaw::new("looks_like_html"));
    }
    if !libinjectionrs::detect_sqli(text.as_bytes()).is_injection() {
        return Ok(());
    }
    if WORDS.contains(&name) {
        suspicions.sql = suspicions.sql.saturating_add(1);
        return Ok(());
    }
    Err(Flaw::new("looks_like_sql"))
}

/// Ids, amounts, codes: without a blank or a quote there is no grammar to look for.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(&byte) || byte == b'-')
        && !text.contains("--")
}

fn refuse(reason: &'static str, problem: Problem) -> Verdict {
    LayerId::Waf.refuse_with(reason, problem)
}

impl Layer for WafLayer {
    fn id(&self) -> LayerId {
        LayerId::Waf
    }

    fn examine<'a>(&'a self, request: &'a Inbound, _: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(ready(Finding::of(Self::check(request))))
    }
}

#[cfg(test)]
#[path = "waf_tests.rs"]
mod tests;
