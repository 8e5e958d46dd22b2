//! Name resolution that looks at the answer before anything connects.
//!
//! All addresses of an answer must pass: a mixed answer (one public, one private) is an attack or a mistake, and either way
//! nothing is sent. The client connects to what this returns and to nothing else, so DNS rebinding has no second look-up to lie to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use super::AddressPolicy;

/// How names become addresses.
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of `host`.
    fn addresses(&self, host: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
}

/// A name resolved to an address that the provider's policy does not permit. It travels inside reqwest's error to
/// [`EgressError`](super::EgressError), which finds it by its type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{host} resolves to {address}, which this provider may not have")]
pub struct AddressRefused {
    pub host: String,
    /// The first address that does not pass.
    pub address: IpAddr,
}

/// Resolves names for one provider.
pub struct Resolver {
    policy: AddressPolicy,
    lookup: Arc<dyn Lookup>,
}

impl Resolver {
    /// Names as `lookup` finds them, addresses as `policy` permits them.
    pub fn new(policy: AddressPolicy, lookup: Arc<dyn Lookup>) -> Self {
        Self { policy, lookup }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, policy) = (name.as_str().to_owned(), self.policy.clone());
        let looking = self.lookup.addresses(host.clone());
        Box::pin(async move {
            let addresses = looking.await?;
            check(&policy, &host, &addresses)?;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

fn check(policy: &AddressPolicy, host: &str, addresses: &[IpAddr]) -> Result<(), AddressRefused> {
    match addresses.iter().find(|address| !policy.permits(**address)) {
        Some(address) => Err(AddressRefused { host: host.to_owned(), address: *address }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<IpAddr>);

    impl Lookup for Fixed {
        fn addresses(&self, _: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
            let addresses = self.0.clone();
            Box::pin(async move { Ok(addresses) })
        }
    }

    async fn resolve(addresses: &[&str]) -> Result<usize, AddressRefused> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let resolver = Resolver::new(AddressPolicy::default(), Arc::new(Fixed(addresses)));
        match resolver.resolve("bank.example".parse().unwrap()).await {
            Ok(found) => Ok(found.count()),
            Err(error) => Err(*error.downcast().unwrap()),
        }
    }

    #[tokio::test]
    async fn every_address_of_an_answer_must_pass() {
        assert_eq!(resolve(&["1.1.1.1", "2606:4700::1111"]).await, Ok(2));
        let refused = resolve(&["1.1.1.1", "169.254.169.254"]).await.unwrap_err();
        assert_eq!(refused.address, "169.254.169.254".parse::<IpAddr>().unwrap());
        assert!(resolve(&["::ffff:10.0.0.1"]).await.is_err());
    }
}
