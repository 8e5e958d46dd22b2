//! Which addresses the broker may connect to.
//!
//! Not a deny-list of known bad ranges but the opposite: an address passes when it is *global unicast* by the IANA registries
//! (allocated, and not special-purpose: RFC 6890 and its successors), or when the deployment names its network for this one
//! provider (a bank's leased line; the sandbox on loopback). Addresses that embed another address (6to4, Teredo, ISATAP,
//! IPv4-compatible, NAT64 but for the deployment's own prefix) never pass as global: they are ways to say 169.254.169.254 that a
//! filter forgets.

use std::net::{IpAddr, Ipv6Addr};

use super::{Nat64Prefix, Network};

/// What one provider's connections may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    networks: Vec<Network>,
    nat64: Option<Nat64Prefix>,
}

impl AddressPolicy {
    /// Only these networks; none given means the global unicast internet. What is under `nat64` is the IPv4 address behind it.
    pub fn new(networks: Vec<Network>, nat64: Option<Nat64Prefix>) -> Self {
        Self { networks, nat64 }
    }

    /// Whether a connection to `address` may be made.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = match (address.to_canonical(), self.nat64) {
            (IpAddr::V6(v6), Some(prefix)) if prefix.contains(v6) => match prefix.embedded(v6) {
                Some(v4) => IpAddr::V4(v4),
                None => return false,
            },
            (address, _) => address,
        };
        if self.networks.is_empty() {
            return is_global_unicast(address);
        }
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// The IANA IPv4 special-purpose registry, multicast and class E.
const NOT_GLOBAL_V4: [Network; 20] = [
    Network::v4(0, 0, 0, 0, 8),
    Network::v4(10, 0, 0, 0, 8),
    Network::v4(100, 64, 0, 0, 10),
    Network::v4(127, 0, 0, 0, 8),
    // IBM Cloud's service networks: global by the registry, reachable from every virtual machine there (metadata, databases).
    Network::v4(161, 26, 0, 0, 16),
    Network::v4(166, 8, 0, 0, 14),
    // Azure's host agent: the same.
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

/// What IANA has allocated of `2000::/3` to the regional registries (registry "IPv6 Global Unicast Address Assignments", with the
/// addition of `2410::/12` in November 2024). The rest has no owner: `2001::/23` is IANA's own (Teredo, ORCHID, benchmarking),
/// `2002::/16` is 6to4, `3ffe::/16` was the 6bone's and went back, `3fff::/20` is for documentation.
const ALLOCATED_V6: [Network; 34] = [
    Network::v6([0x2001, 0x0200, 0, 0], 23),
    Network::v6([0x2001, 0x0400, 0, 0], 23),
    Network::v6([0x2001, 0x0600, 0, 0], 23),
    Network::v6([0x2001, 0x0800, 0, 0], 22),
    Network::v6([0x2001, 0x0c00, 0, 0], 23),
    Network::v6([0x2001, 0x0e00, 0, 0], 23),
    Network::v6([0x2001, 0x1200, 0, 0], 23),
    Network::v6([0x2001, 0x1400, 0, 0], 22),
    Network::v6([0x2001, 0x1800, 0, 0], 23),
    Network::v6([0x2001, 0x1a00, 0, 0], 23),
    Network::v6([0x2001, 0x1c00, 0, 0], 22),
    Network::v6([0x2001, 0x2000, 0, 0], 19),
    Network::v6([0x2001, 0x4000, 0, 0], 23),
    Network::v6([0x2001, 0x4200, 0, 0], 23),
    Network::v6([0x2001, 0x4400, 0, 0], 23),
    Network::v6([0x2001, 0x4600, 0, 0], 23),
    Network::v6([0x2001, 0x4800, 0, 0], 23),
    Network::v6([0x2001, 0x4a00, 0, 0], 23),
    Network::v6([0x2001, 0x4c00, 0, 0], 23),
    Network::v6([0x2001, 0x5000, 0, 0], 20),
    Network::v6([0x2001, 0x8000, 0, 0], 19),
    Network::v6([0x2001, 0xa000, 0, 0], 20),
    Network::v6([0x2001, 0xb000, 0, 0], 20),
    Network::v6([0x2003, 0, 0, 0], 18),
    Network::v6([0x2400, 0, 0, 0], 12),
    Network::v6([0x2410, 0, 0, 0], 12),
    Network::v6([0x2600, 0, 0, 0], 12),
    Network::v6([0x2610, 0, 0, 0], 23),
    Network::v6([0x2620, 0, 0, 0], 23),
    Network::v6([0x2630, 0, 0, 0], 12),
    Network::v6([0x2800, 0, 0, 0], 12),
    Network::v6([0x2a00, 0, 0, 0], 12),
    Network::v6([0x2a10, 0, 0, 0], 12),
    Network::v6([0x2c00, 0, 0, 0], 12),
];

/// Inside what is allocated: documentation, AS112.
const NOT_GLOBAL_V6: [Network; 2] =
    [Network::v6([0x2001, 0x0db8, 0, 0], 32), Network::v6([0x2620, 0x004f, 0x8000, 0], 48)];

/// Whether `address` is one of the public internet's. Expects the canonical form.
fn is_global_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !NOT_GLOBAL_V4.iter().any(|network| network.contains(address)),
        IpAddr::V6(v6) => {
            ALLOCATED_V6.iter().any(|network| network.contains(address))
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
        "161.26.0.10",
        "161.26.255.255",
        "166.8.0.1",
        "166.11.255.255",
        "3ffe::1",
        "2000::1",
        "2001:1000::1",
        "2001:1100::1",
        "2001:4e00::1",
        "2001:6000::1",
        "2001:c000::1",
        "2003:4000::1",
        "2004::1",
        "2420::1",
        "2611::1",
        "2620:200::1",
        "2620:4f:8000::1",
        "2640::1",
        "2810::1",
        "2a20::1",
        "2c10::1",
        "2d00::1",
        "3000::1",
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
        "161.25.255.255",
        "161.27.0.1",
        "166.7.255.255",
        "166.12.0.1",
        "2001:200::1",
        "2001:bff:ffff::1",
        "2001:dff::1",
        "2001:1fff::1",
        "2001:3fff::1",
        "2001:5fff::1",
        "2001:bfff::1",
        "2003:3fff::1",
        "240f::1",
        "2410::1",
        "2610::1",
        "2620:1ff::1",
        "263f::1",
        "280f::1",
        "2a1f::1",
        "2c0f::1",
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
        let policy = AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()], None);
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
