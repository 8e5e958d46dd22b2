//! Instances: installations of the app that have attested, named by the thumbprint of their device key.
//!
//! Two marks. *Decoyed*: it lied ([`crate::evidence::Reason::is_lie`]), and gets decoys until an operator pardons it ([`pardon`]); a change
//! by itself would tell. *Believed*: its last evidence was accepted; if not (a policy refused it), it gets decoys until it shows better, and
//! no renewal makes up for it.
//!
//! Invariants, also held by the database: only a pardon takes `decoyed` back; an App Attest key belongs to one instance for ever; its counter
//! only rises, and raising it is one statement that compares and sets.

pub(crate) mod pardon;
pub(crate) mod store;
