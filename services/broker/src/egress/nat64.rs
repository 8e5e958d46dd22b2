//! NAT64 (RFC 6052): IPv6 addresses behind which an IPv4 address stands. In a network without IPv4 they are the way to a provider
//! that has nothing else. They pass only under the prefix that the deployment names, and only as what they lead to: the embedded
//! IPv4 address is judged.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Network, NetworkError};

/// The prefix of a network's NAT64, such as `64:ff9b::/96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nat64Prefix(Network);

impl Nat64Prefix {
    /// Whether the address is under this prefix.
    pub fn contains(self, address: Ipv6Addr) -> bool {
        self.0.contains(IpAddr::V6(address))
    }

    /// The IPv4 address behind an address under this prefix (RFC 6052 §2.2); none where octet 8, which is always zero, is not.
    pub fn embedded(self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let first = usize::from(self.0.prefix()) / 8;
        let octets = address.octets();
        let mut behind =
            octets.iter().enumerate().skip(first).filter(|(index, _)| *index != 8).map(|(_, octet)| *octet);
        let embedded = Ipv4Addr::new(behind.next()?, behind.next()?, behind.next()?, behind.next()?);
        let [_, _, _, _, _, _, _, _, zero, ..] = octets;
        (zero == 0).then_some(embedded)
    }
}

impl FromStr for Nat64Prefix {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network: Network = text.parse()?;
        match (network.address(), network.prefix()) {
            (IpAddr::V6(_), 32 | 40 | 48 | 56 | 64 | 96) => Ok(Self(network)),
            _ => Err(NetworkError::NotNat64(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Nat64Prefix {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Nat64Prefix> for String {
    fn from(prefix: Nat64Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Nat64Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::AddressPolicy;

    /// The table of RFC 6052 §2.4: 192.0.2.33 under each length of prefix.
    const EXAMPLES: [(&str, &str); 6] = [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
    ];

    #[test]
    fn the_embedded_address_is_read_as_the_rfc_shows() {
        for (prefix, address) in EXAMPLES {
            let prefix: Nat64Prefix = prefix.parse().unwrap();
            assert_eq!(prefix.embedded(address.parse().unwrap()), Some(Ipv4Addr::new(192, 0, 2, 33)), "{prefix}");
        }
    }

    #[test]
    fn only_the_lengths_of_the_rfc_are_prefixes() {
        for text in ["64:ff9b::/95", "64:ff9b::/0", "10.0.0.0/32", "64:ff9b::1/96", "64:ff9b::", "64:ff9b::/128"] {
            assert!(text.parse::<Nat64Prefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn behind_the_named_prefix_the_ipv4_address_is_judged() {
        let policy = AddressPolicy::new(Vec::new(), Some("64:ff9b::/96".parse().unwrap()));
        for (address, passes) in [
            ("64:ff9b::8.8.8.8", true),
            ("64:ff9b::169.254.169.254", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b::168.63.129.16", false),
            ("64:ff9b:1::8.8.8.8", false),
            ("2606:4700::1111", true),
        ] {
            assert_eq!(policy.permits(address.parse().unwrap()), passes, "{address}");
        }
        let line = AddressPolicy::new(vec!["10.1.0.0/16".parse().unwrap()], Some("2a00:1::/64".parse().unwrap()));
        for (address, passes) in [
            ("2a00:1::a:102:300:0", true),
            ("2a00:1::ff0a:102:300:0", false),
            ("2a00:1::a:202:300:0", false),
            ("10.1.2.3", true),
            ("8.8.8.8", false),
        ] {
            assert_eq!(line.permits(address.parse().unwrap()), passes, "{address}");
        }
    }
}
