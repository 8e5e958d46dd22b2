//! The person approves one payment, exactly as it was ordered (RFC 9470, RFC 9396).
//!
//! What is approved the servers say: the phone names the payment by the id that the API gave it, and `auth` shows what the API keeps under it. The
//! token that comes back is good for that payment only, lives for two minutes, is never stored, and goes with the calls under that payment's key.

use std::sync::Arc;

use api::approvals::PaymentToApprove;
use api::scope::{PayoutsWrite, Scope as _, TransfersWrite};

use crate::Error;
use crate::call::IdempotencyKey;
use crate::client::Client;
use crate::instances::Held;
use crate::login::Attempt;
use crate::step_up::StepUp;
use crate::tokens::Tokens;
use crate::trace::Trace;

impl Client {
    /// Lets the person see and approve a payment in the system browser. When it is done, call the same again with the same key.
    ///
    /// # Errors
    ///
    /// [`Error::OAuth`] with `access_denied`: the person does not want it, or there is nothing to approve under this name any more.
    pub async fn approve(&self, step_up: &StepUp) -> Result<(), Error> {
        let trace = Trace::start();
        self.record("approve", &trace, Box::pin(self.approve_in(&trace, step_up))).await
    }

    async fn approve_in(&self, trace: &Trace, step_up: &StepUp) -> Result<(), Error> {
        let _under_way = self.logins.read().await;
        let metadata = self.metadata(trace).await?;
        let details = serde_json::to_string(&[PaymentToApprove::of(step_up.payment)]);
        let details = details.map_err(|_| Error::Malformed("authorization_details"))?;
        let ours = |scope: &&str| [TransfersWrite::NAME, PayoutsWrite::NAME].contains(scope);
        let scope: Vec<&str> = self.config.scope.split(' ').filter(ours).collect();
        let attempt = Attempt::new(scope.join(" "), Some(details));
        let (held, login) = (self.current().await?, self.vault.login());
        let pushed = match self.push(trace, &held, metadata, &attempt).await {
            Ok(pushed) => pushed,
            Err(error) => return Err(self.after_error(&held, error).await),
        };
        let answer = self.redeem(trace, &held, metadata, &attempt, &pushed).await?;
        self.approvals.keep(step_up.key.clone(), self.tokens(&held, answer, login), self.transport.now());
        Ok(())
    }

    /// The token of the payment that was approved under this key, while it is good.
    pub(crate) fn approved(&self, key: Option<&IdempotencyKey>, held: &Held) -> Option<Arc<Tokens>> {
        let usable = |tokens: &Arc<Tokens>| {
            tokens.login == self.vault.login()
                && tokens.jkt == held.instance.jkt
                && self.transport.now() < tokens.renew_at
        };
        self.approvals.of(key?.as_str()).filter(usable)
    }
}
