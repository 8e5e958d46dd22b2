//! Names of services and audiences.

/// A workload inside the system, named by its SPIFFE id `spiffe://redoubt/<name>`.
pub trait Workload: 'static {
    /// The last path segment of the SPIFFE id.
    const NAME: &'static str;
}

// No derive: a workload is a type.
macro_rules! workloads {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* #[derive(Debug, Clone, Copy, PartialEq, Eq)] pub struct $name;
          impl Workload for $name { const NAME: &'static str = $text; })*
    };
}

workloads! {
    /// The `OpenID` provider.
    Auth = "auth";
    /// Verifies evidence, issues attestation tokens.
    Attestation = "attestation";
    /// Holds the money.
    Ledger = "ledger";
    /// Calls third parties, takes their webhooks.
    Broker = "broker";
    /// Says how much a payment looks like its user.
    Behavior = "behavior";
    /// The people and probes that operate the system.
    Operator = "operator";
    /// The people who look at unusual payments, at the desk of the behavior analytics.
    Analyst = "analyst";
    /// Prometheus: reads the metrics of every service, and nothing else.
    Watcher = "watcher";
}

/// The trust domain of SPIFFE ids.
pub const TRUST_DOMAIN: &str = "redoubt";

/// `aud` of access tokens for the ledger.
pub const LEDGER_RESOURCE: &str = "urn:redoubt:ledger";
/// Audience of attestation tokens for the ledger.
pub const LEDGER_AUDIENCE: &str = "ledger";
/// Audience of client attestations.
pub const AUTH_AUDIENCE: &str = "auth";
