//! The layers that stand between the network and a handler, as actix middleware, and the guards that a handler names
//! in its type.
//!
//! What must hold:
//! - every layer is one module of the same shape: a struct with its settings that implements [`Layer`]; it looks, uses up and sees the answer in
//!   three steps, and is counted and audited by the engine ([`Defense`]), never by itself. One has no module: what *behavior* judges only a handler knows,
//!   who asks it and notes its word ([`Notes`]) for the engine to count;
//! - the layers run in the order of [`LayerId`], and the first refusal ends the request;
//! - every route of every service stands behind the layers of its [`policy`], which has at least those that its guard needs;
//! - the client cannot tell which token layer refused it: all of them answer the same 401;
//! - layers share no secret and no replay memory (docs/independence.md);
//! - a route cannot be registered without a guard: [`Routes::add`] takes only handlers whose first argument is one.
#![warn(missing_docs)]

mod apps;
pub mod captcha;
pub mod config;
mod describe;
mod documented;
mod engine;
mod facts;
mod guard;
mod hops;
mod idempotency;
mod keys;
mod layer;
mod layers;
mod mode;
mod names;
mod notes;
pub mod policy;
pub mod rate;
mod receipts;
mod request;
mod routes;
mod sizes;
mod stack;
pub mod stores;
#[cfg(test)]
mod tests;
mod trail;

pub use apps::{
    ApiKey, ApiKeyId, AppRegister, KeyRefusal, KeyedApp, RegisterError, RegisterFile, RegisterFileError, Standing,
};
pub use config::DefenseConfig;
pub use engine::{Defense, LayerMissing, Place};
pub use facts::{Facts, SingleUse};
pub use guard::{Access, AnyPeer, Caller, Guard, Guarded, Peer, Public, peer_not_allowed};
pub use hops::{TrustedHops, address};
pub use idempotency::{Answer, Created, IdempotencyKey};
pub use keys::{AudienceKeySource, JwksSource, KeysUnavailable};
pub use layer::{Finding, Layer, LayerId, Needs, Outgoing, Verdict, client_unknown, unauthorized};
pub use layers::{
    AccessTokenLayer, ApiKeyLayer, AttestationLayer, AuthorizationLayer, CaptchaLayer, ClientVersionLayer, HostLayer,
    Keyed, MessageSignatureLayer, RateLimitLayer, Suspicions, WafLayer,
};
pub use mode::Mode;
pub use notes::{Notes, Word};
pub use receipts::Receipts;
pub use request::Inbound;
pub use routes::{Defended, Routes};
pub use stack::{Stack, Tokens};
