//! Addresses as limits count them: by the prefix that one of whom we count has.
//!
//! A household has an IPv6 /64 and moves in it as it likes, a customer of a provider up to a /48 (RFC 6177); so single IPv6 addresses mean nothing.

use std::net::{IpAddr, Ipv6Addr};

/// The beginning of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressPrefix([u8; 17]);

impl AddressPrefix {
    /// One host or household: IPv4 /32, IPv6 /64.
    pub fn host(address: IpAddr) -> Self {
        Self::of(address, 32, 64)
    }

    /// The network around it: IPv4 /24, IPv6 /48.
    pub fn network(address: IpAddr) -> Self {
        Self::of(address, 24, 48)
    }

    /// What somebody keeps for the minute or two in which they answer a challenge: IPv4 /24, because the NAT of a mobile network changes the last
    /// byte, and IPv6 /64.
    pub fn near(address: IpAddr) -> Self {
        Self::of(address, 24, 64)
    }

    /// For the key of a [`Demand`](super::Demand).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// IPv4 is written as the IPv6 that it maps to (RFC 4291 §2.5.5.2), and so is what came to an IPv6 socket from IPv4: one host, one prefix.
    fn of(address: IpAddr, v4: u8, v6: u8) -> Self {
        let (address, length) = match address.to_canonical() {
            IpAddr::V4(address) => (address.to_ipv6_mapped(), 96 + v4),
            IpAddr::V6(address) => (address, v6),
        };
        // Default: nothing of the address, which is asked for by nobody.
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        let mut bytes = [length; 17];
        bytes[..16].copy_from_slice(&Ipv6Addr::from_bits(address.to_bits() & mask).octets());
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(of: fn(IpAddr) -> AddressPrefix, one: &str, other: &str) -> bool {
        of(one.parse().unwrap()) == of(other.parse().unwrap())
    }

    #[test]
    fn an_ipv4_host_is_one_address_and_its_network_256() {
        assert!(same(AddressPrefix::host, "192.0.2.1", "192.0.2.1"));
        assert!(!same(AddressPrefix::host, "192.0.2.1", "192.0.2.2"));
        assert!(same(AddressPrefix::network, "192.0.2.1", "192.0.2.255"));
        assert!(!same(AddressPrefix::network, "192.0.2.1", "192.0.3.1"));
    }

    #[test]
    fn near_is_a_24_or_a_64() {
        assert!(same(AddressPrefix::near, "192.0.2.1", "192.0.2.255"));
        assert!(!same(AddressPrefix::near, "192.0.2.1", "192.0.3.1"));
        assert!(same(AddressPrefix::near, "2001:db8:1:2::1", "2001:db8:1:2::2"));
        assert!(!same(AddressPrefix::near, "2001:db8:1:2::1", "2001:db8:1:3::1"));
    }

    #[test]
    fn an_ipv6_host_is_a_64_and_its_network_a_48() {
        assert!(same(AddressPrefix::host, "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!same(AddressPrefix::host, "2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same(AddressPrefix::network, "2001:db8:1:2::1", "2001:db8:1:ffff::1"));
        assert!(!same(AddressPrefix::network, "2001:db8:1::1", "2001:db8:2::1"));
    }

    #[test]
    fn ipv4_is_the_same_host_on_an_ipv6_socket_and_ipv6_is_no_ipv4() {
        assert!(same(AddressPrefix::host, "::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same(AddressPrefix::host, "::ffff:192.0.2.1", "192.0.2.2"), "not the /64 of all IPv4");
        assert!(!same(AddressPrefix::host, "::192.0.2.1", "192.0.2.1"), "deprecated, and no IPv4");
    }

    #[test]
    fn a_host_is_not_its_network() {
        for address in ["192.0.2.0", "2001:db8::"] {
            let address = address.parse().unwrap();
            assert_ne!(AddressPrefix::host(address), AddressPrefix::network(address));
        }
    }
}
