//! Answers challenges of the layer *captcha*, as the widget in a browser does: proof of work in ALTCHA's published format.

use std::num::NonZeroU32;

use anyhow::{Context as _, Result, bail};
use crypto::{b64, hash};
use serde_json::{Value, json};

/// More tries than any challenge of ours takes: of one that is a hundred times as likely to be solved by then as not.
const MOST: u32 = 1 << 18;

/// The answer to a challenge, as a form carries it.
pub fn solve(challenge: &str) -> Result<String> {
    let challenge: Value = serde_json::from_str(challenge)?;
    let parameters = challenge.get("parameters").context("no challenge")?;
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).with_context(|| name.to_owned());
    let (nonce, salt, prefix) = (hex::decode(text("nonce")?)?, hex::decode(text("salt")?)?, text("keyPrefix")?);
    let cost = parameters.get("cost").and_then(Value::as_u64).and_then(|cost| u32::try_from(cost).ok());
    let cost = cost.and_then(NonZeroU32::new).context("cost")?;
    for counter in 0..MOST {
        let derived = hex::encode(hash::pbkdf2_sha256(&[&nonce[..], &counter.to_be_bytes()].concat(), &salt, cost));
        if derived.starts_with(prefix) {
            let answer = json!({ "challenge": challenge, "solution": { "counter": counter, "derivedKey": derived } });
            return Ok(b64::encode_standard(answer.to_string().as_bytes()));
        }
    }
    bail!("{MOST} tries were not enough")
}

/// The challenge on a page.
pub fn on_page(html: &str) -> Option<String> {
    let (_, rest) = html.split_once(" challenge=\"")?;
    let escaped = rest.split('"').next()?;
    Some(escaped.replace("&#34;", "\"").replace("&quot;", "\"").replace("&#38;", "&").replace("&amp;", "&"))
}
