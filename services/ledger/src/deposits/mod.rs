//! Deposits: money that a partner bank has received for a customer. The broker has verified the partner's webhook.

pub mod http;
pub mod post;
