//! Client data: what the browser says of the ceremony (§5.8.1). The numbers are the steps of §7.1; those of §7.2 are three more.

use serde::Deserialize;

use super::{Refused, RelyingParty};

/// Largest client data that is read; genuine ones have 100 to 400 bytes.
const LIMIT: usize = 4 * 1024;

/// For which ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    /// A new credential.
    Create,
    /// An assertion of one.
    Get,
}

/// Members that are not known are ignored (§5.8.1, "limited verification algorithm" aside); one that stands twice is refused.
#[derive(Deserialize)]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: Option<bool>,
    #[serde(default, rename = "topOrigin")]
    top_origin: Option<String>,
}

/// Examines it; `challenge` is ours, in base64url.
pub(super) fn check(bytes: &[u8], ceremony: Ceremony, challenge: &str, us: &RelyingParty) -> Result<(), Refused> {
    if bytes.len() > LIMIT {
        return Err(Refused::Malformed);
    }
    // 5, 6: UTF-8 and JSON.
    let said: ClientData = serde_json::from_slice(bytes).map_err(|_| Refused::Malformed)?;
    let expected = match ceremony {
        Ceremony::Create => "webauthn.create",
        Ceremony::Get => "webauthn.get",
    };
    // 7.
    if said.r#type != expected {
        return Err(Refused::Type);
    }
    // 8.
    if !crypto::hash::constant_time_eq(said.challenge.as_bytes(), challenge.as_bytes()) {
        return Err(Refused::Challenge);
    }
    // 9.
    if said.origin != us.origin {
        return Err(Refused::Origin);
    }
    // 10, 11: no page of ours lets itself be framed.
    if said.cross_origin == Some(true) || said.top_origin.is_some() {
        return Err(Refused::Framed);
    }
    Ok(())
}
