//! What may be used once.

use futures_util::future::BoxFuture;

/// What kind of thing is used once. Each class has a memory of its own, so that who fills one takes nothing from the others; and layers that
/// use different classes do not fall together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OnceClass {
    /// `DPoP` proofs (RFC 9449 §11.1).
    DpopProof,
    /// Nonces of message signatures (RFC 9421 §7.2.2).
    SignatureNonce,
    /// Assertions by which clients prove who they are (RFC 7523 §3).
    ClientAssertion,
    /// Solutions of challenges for humans.
    Captcha,
    /// Events that partners send.
    Webhook,
}

impl OnceClass {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::DpopProof, Self::SignatureNonce, Self::ClientAssertion, Self::Captcha, Self::Webhook];

    /// Its name in stores and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DpopProof => "dpop_proof",
            Self::SignatureNonce => "signature_nonce",
            Self::ClientAssertion => "client_assertion",
            Self::Captcha => "captcha",
            Self::Webhook => "webhook",
        }
    }
}

/// The use of a key, which is to be the only one.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// What kind of thing it is.
    pub class: OnceClass,
    /// Whose it is, proven: whoever uses up an owner's part of the memory shuts out that owner.
    pub owner: &'a [u8],
    /// What is used. Two owners may have the same.
    pub key: &'a [u8],
    /// The last second in which it would be accepted (Unix time): so long it is remembered.
    pub until: i64,
    /// This second.
    pub now: i64,
}

/// What a claim found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The first use: go on.
    First,
    /// It was used before, or has expired, which cannot be told apart.
    Again,
    /// It cannot be told, for this reason; what that means is the policy's to say. A store that answers too late may have noted the use.
    Unknown(&'static str),
}

/// A reason why it cannot be told is unknown.
impl From<Result<Self, &'static str>> for Claimed {
    fn from(claimed: Result<Self, &'static str>) -> Self {
        match claimed {
            Ok(claimed) => claimed,
            Err(reason) => Self::Unknown(reason),
        }
    }
}

/// Remembers what was used.
pub trait Once: Send + Sync {
    /// Uses a key up. To be called last, when everything else holds: a claim cannot be taken back.
    fn claim<'a>(&'a self, claim: &'a Claim<'a>) -> BoxFuture<'a, Claimed>;

    /// As `claim`, where what this process remembers by itself does if nothing else can tell.
    fn claim_alone<'a>(&'a self, claim: &'a Claim<'a>) -> BoxFuture<'a, Claimed> {
        self.claim(claim)
    }
}
