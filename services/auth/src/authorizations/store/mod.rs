//! Authorizations in the database: what was pushed, who is answering it, and the code that came of it.

pub(super) mod codes;
pub(super) mod interactions;
pub(super) mod payments;
pub(super) mod requests;
