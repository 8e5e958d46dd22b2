//! What every request of this service works with.

use std::sync::Arc;

use crypto::envelope::FileKek;
use defense::AudienceKeySource;
use defense::captcha::Gate;
use runtime::Clock;
use runtime::places::Places;
use storage::Pool;

use crate::clients::Clients;
use crate::dpop::Proofs;
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::people::{Directory, Passwords};
use crate::signals::Signals;
use crate::webauthn::RelyingParty;

/// The `OpenID` provider: made once at the start, shared by all workers.
pub struct Provider {
    pub(crate) issuer: String,
    /// The same, as browsers and authenticators know it.
    pub(crate) relying_party: RelyingParty,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pool: Pool,
    pub(crate) clients: Clients,
    pub(crate) keys: Keys,
    pub(crate) audience_keys: Arc<AudienceKeySource>,
    pub(crate) proofs: Proofs,
    pub(crate) passwords: Passwords,
    /// What asks people for captchas.
    pub(crate) captcha: Arc<Gate>,
    pub(crate) directory: Directory<FileKek>,
    /// Who knows what a payer is asked to approve.
    pub(crate) ledger: Ledger,
    /// Where word is left for the behavior analytics.
    pub(crate) signals: Signals,
    /// From where requests come.
    pub(crate) places: Places,
}

impl Provider {
    /// The issuer identifier: the public URL, without a slash at its end.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URL of an endpoint.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}
