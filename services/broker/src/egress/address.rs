//! Which addresses the broker may connect to.
//!
//! Not a deny-list of known bad ranges but the opposite: an address passes when it is *global unicast* by the IANA
//! special-purpose registries (RFC 6890 and its successors), or when the deployment names its network for this one provider
//! (a bank's leased line; the sandbox on loopback). Addresses that embed another address (IPv4-mapped, NAT64, 6to4, Teredo,
//! ISATAP, IPv4-compatible) never pass as global: they are ways to say 169.254.169.254 that a filter forgets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Not `address/prefix`, or bits set behind the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a network such as 10.1.0.0/16")]
pub struct NetworkError(String);

/// What one provider's connections may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    networks: Vec<Network>,
}

impl AddressPolicy {
    /// Only these networks; none given means the global unicast internet.
    pub fn new(networks: Vec<Network>) -> Self {
        Self { networks }
    }

    /// Whether a connection to `address` may be made.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.networks.is_empty() {
            return is_global_unicast(address);
        }
        self.networks.iter().any(|network| network.contains(address))
    }
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(head: [u16; 4], prefix: u8) -> Self {
        let [a, b, c, d] = head;
        Self { address: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), prefix }
    }

    /// Whether `address` is in it. The families never match each other.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(error)?;
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let prefix: u8 = prefix.parse().map_err(|_| error())?;
        let rest = match address {
            IpAddr::V4(address) => {
                32_u32.checked_sub(prefix.into()).map(|rest| rest <= address.to_bits().trailing_zeros())
            }
            IpAddr::V6(address) => {
                128_u32.checked_sub(prefix.into()).map(|rest| rest <= address.to_bits().trailing_zeros())
            }
        };
        // `10.1.2.3/8` is a mistake of whoever wrote it, and mistakes in an allow-list are not guessed at.
        if rest == Some(true) { Ok(Self { address, prefix }) } else { Err(error()) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The IANA IPv4 special-purpose registry, multicast and class E.
const NOT_GLOBAL_V4: [Network; 18] = [
    Network::v4(0, 0, 0, 0, 8),
    Network::v4(10, 0, 0, 0, 8),
    Network::v4(100, 64, 0, 0, 10),
    Network::v4(127, 0, 0, 0, 8),
    // Azure's host agent: global by the registry, reachable from every virtual machine there.
    Network::v4(168, 63, 129, 16, 32),
    Network::v4(169, 254, 0, 0, 16),
    Network::v4(172, 16, 0, 0, 12),
    Network::v4(192, 0, 0, 0, 24),
    Network::v4(192, 0, 2, 0, 24),
    Network::v4(192, 31, 196, 0, 24),
    Network::v4(192, 52, 193, 0, 24),
    Network::v4(192, 88, 99, 0, 24),
    Network::v4(192, 168, 0, 0, 16),
    Network::v4(192, 175, 48, 0, 24),
    Network::v4(198, 18, 0, 0, 15),
    Network::v4(198, 51, 100, 0, 24),
    Network::v4(203, 0, 113, 0, 24),
    Network::v4(224, 0, 0, 0, 3),
];

/// Global unicast as IANA assigns it today.
const GLOBAL_V6: Network = Network::v6([0x2000, 0, 0, 0], 3);

/// Inside it: protocol assignments (with Teredo, ORCHID, benchmarking), documentation, 6to4, AS112.
const NOT_GLOBAL_V6: [Network; 5] = [
    Network::v6([0x2001, 0, 0, 0], 23),
    Network::v6([0x2001, 0x0db8, 0, 0], 32),
    Network::v6([0x2002, 0, 0, 0], 16),
    Network::v6([0x2620, 0x004f, 0x8000, 0], 48),
    Network::v6([0x3fff, 0, 0, 0], 20),
];

/// Whether `address` is one of the public internet's. Expects the canonical form.
fn is_global_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !NOT_GLOBAL_V4.iter().any(|network| network.contains(address)),
        IpAddr::V6(v6) => {
            GLOBAL_V6.contains(address)
                && !NOT_GLOBAL_V6.iter().any(|network| network.contains(address))
                && !is_isatap(v6)
        }
    }
}

/// ISATAP (RFC 5214 §6.1): an interface identifier `[02]00:5efe` and then an IPv4 address.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, high, low, _, _] = address.segments();
    (high & 0xfdff) == 0 && low == 0x5efe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line per class; the comment is the case number of the catalogue of SSRF tricks.
    const REFUSED: &[&str] = &[
        "127.0.0.1", // 1
        "127.255.255.254",
        "0.0.0.0",
        "::1", // 5
        "::",
        "::ffff:169.254.169.254", // 6
        "::ffff:a9fe:a9fe",
        "::ffff:127.0.0.1",
        "::127.0.0.1",        // 7
        "64:ff9b::a9fe:a9fe", // 8
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",       // 9
        "2002:a9fe:a9fe::1",  // 10
        "2001:0:53aa:64c::1", // 11
        "2001:2::1",
        "2001:20::1",
        "2a00:1450::5efe:a9fe:a9fe", // 12
        "2a00:1450::200:5efe:10.0.0.1",
        "169.254.169.254", // 13
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "100.64.0.1", // 14
        "100.127.255.255",
        "0.1.2.3", // 15
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "239.255.255.250",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "fc00::1", // 16
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "100::1",
        "3fff::1",
        "5f00::1",
        "2001:db8::1",
        "ff02::1",
        "4000::1",
    ];

    const PERMITTED: &[&str] = &[
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.255.255",
        "198.20.0.1",
        "223.255.255.254",
        "::ffff:8.8.8.8",
        "2606:4700:4700::1111",
        "2a00:1450:4001:80e::200e",
        "2001:4860:4860::8888",
    ];

    #[test]
    fn only_global_unicast_passes_by_default() {
        let policy = AddressPolicy::default();
        for address in REFUSED {
            assert!(!policy.permits(address.parse().unwrap()), "{address} must be refused");
        }
        for address in PERMITTED {
            assert!(policy.permits(address.parse().unwrap()), "{address} must be permitted");
        }
    }

    #[test]
    fn named_networks_are_the_only_ones() {
        let policy = AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(policy.permits("127.0.0.1".parse().unwrap()));
        assert!(policy.permits("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!policy.permits("8.8.8.8".parse().unwrap()));
        assert!(!policy.permits("::1".parse().unwrap()));
    }

    #[test]
    fn the_edges_of_prefixes_work() {
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("255.1.2.3".parse().unwrap()));
        let one: Network = "10.0.0.1/32".parse().unwrap();
        assert!(one.contains("10.0.0.1".parse().unwrap()) && !one.contains("10.0.0.2".parse().unwrap()));
        let v6: Network = "::1/128".parse().unwrap();
        assert!(v6.contains("::1".parse().unwrap()));
    }

    #[test]
    fn a_network_with_a_mistake_is_refused() {
        for text in ["10.0.0.0", "10.0.0.0/33", "10.1.2.3/8", "::/129", "x/8", "10.0.0.0/-1", "2001:db8::1/32", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
