//! tmp
pub mod egress;
pub mod operations;
pub mod providers;
mod schema;
pub mod webhooks;
/// tmp
pub mod config {
    use crate::egress::Network;
    use std::path::PathBuf;
    /// tmp
    #[derive(Clone, Debug, Default)]
    pub struct ProviderSettings {
        #[doc = "x"]
        pub base_url: Option<String>,
        #[doc = "x"]
        pub root_certificates_file: Option<PathBuf>,
        #[doc = "x"]
        pub allowed_networks: Vec<Network>,
    }
}
