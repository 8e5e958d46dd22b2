//! The algorithms of our TLS, for servers and clients alike: one provider, so that no connection is made by another.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};

/// Key exchange, by preference. First the hybrid (draft-ietf-tls-ecdhe-mlkem): who records the traffic of today and has a quantum
/// computer tomorrow must break ML-KEM-768 *and* X25519. The others are for peers that do not know it. Named here and not left to a
/// feature of rustls: whether that is on depends on every crate in the graph.
const KEY_EXCHANGE: [&dyn SupportedKxGroup; 4] =
    [kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];

/// The one provider of TLS cryptography.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: KEY_EXCHANGE.to_vec(), ..default_provider() })
}
