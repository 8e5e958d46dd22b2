//! Audit events: what happened that somebody may have to answer for. They are log lines of the target `audit`, always
//! on, apart from the log level.
//!
//! A refusal by a layer is exactly one line: `event="refused" layer="message_signature" reason="digest_mismatch"`. The
//! request's and the trace's id are added by the log itself.

/// Who an audit event is about, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Who<'a> {
    /// The user's pseudonymous subject.
    pub subject: Option<&'a str>,
    /// The support id that attestation gave the instance.
    pub support_id: Option<&'a str>,
    /// The support id that a refused token named, whoever made it: how the operator finds the verdict on a decoy's user.
    pub claimed_support_id: Option<&'a str>,
    /// The calling workload, on the internal listener.
    pub peer: Option<&'a str>,
}

/// Writes an audit event with free fields: `audit!("login", subject = %subject, outcome = "ok")`.
#[macro_export]
macro_rules! audit {
    ($event:expr $(, $($field:tt)+)?) => {
        $crate::tracing::info!(target: "audit", event = $event $(, $($field)+)?)
    };
}

/// A layer refused a request. The reason is for the operator; the caller gets less.
pub fn refused(layer: &str, reason: &str, who: Who<'_>) {
    crate::audit!(
        "refused",
        layer,
        outcome = "refused",
        reason,
        subject = who.subject,
        support_id = who.support_id,
        claimed_support_id = who.claimed_support_id,
        peer = who.peer,
    );
}
