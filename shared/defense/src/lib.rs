//! The layers that stand between the network and a handler, as actix middleware, and the guards that a handler names
//! in its type.
//!
//! What must hold:
//! - every layer is one module of the same shape: a struct with its settings that implements [`Layer`], decides
//!   [`Decision::Pass`], `Refuse` or `Challenge`, and is counted and audited where the [`Pipeline`] answers, never by itself;
//! - the layers run in the order of the pipeline, and the first refusal ends the request;
//! - the client cannot tell which token layer refused it: all of them answer the same 401;
//! - layers share no secret and no replay memory (docs/ARCHITECTURE.md, "Layers must not fall together");
//! - a route cannot be registered without a guard: [`Routes::add`] takes only handlers whose first argument is one.
#![warn(missing_docs)]

mod access_token;
mod attestation;
mod guard;
mod idempotency;
mod keys;
mod layer;
mod message_signature;
mod pipeline;
mod request;
mod routes;
#[cfg(test)]
mod tests;

pub use access_token::AccessTokenLayer;
pub use attestation::AttestationLayer;
pub use guard::{Access, Caller, Guard, Guarded, Peer, Public, peer_not_allowed};
pub use idempotency::{IdempotencyKey, answer, created};
pub use keys::{AudienceKeySource, JwksSource, KeysUnavailable};
pub use layer::{Decision, Facts, Layer, Needs, unauthorized};
pub use message_signature::MessageSignatureLayer;
pub use pipeline::Pipeline;
pub use request::Inbound;
pub use routes::Routes;
