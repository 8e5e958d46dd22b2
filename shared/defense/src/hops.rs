//! Where a request comes from. A proxy of ours says it for whoever it stands before; nobody else is believed.

use std::net::IpAddr;

use actix_web::http::header::HeaderMap;
use actix_web::{HttpMessage as _, HttpRequest};
use ipnet::IpNet;

/// Most addresses that are read: a longer list is no list of ours.
const MOST: usize = 32;

/// The proxies that are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedHops(Vec<IpNet>);

/// Where a request comes from, as the layers have found it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found(pub(crate) IpAddr);

/// Where a request comes from, as the layers before its handler have found it; nothing, where none has looked. No handler reads a header for it.
pub fn address(request: &HttpRequest) -> Option<IpAddr> {
    request.extensions().get::<Found>().map(|found| found.0)
}

/// The header says something that no proxy of ours writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAddress;

impl TrustedHops {
    /// These networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The last address on the way that is none of ours: each proxy adds the one that it was connected from at the end of `X-Forwarded-For`. What
    /// stands before the last untrusted one, anybody may have written.
    pub fn address(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, NoAddress> {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return Ok(peer);
        }
        let mut lists = Vec::new();
        for value in headers.get_all(api::header::FORWARDED_FOR) {
            lists.push(value.to_str().map_err(|_| NoAddress)?);
        }
        let hops: Vec<&str> = lists.iter().flat_map(|list| list.split(',')).map(str::trim).collect();
        if hops.len() > MOST {
            return Err(NoAddress);
        }
        let mut last = peer;
        for hop in hops.iter().rev() {
            last = hop.parse::<IpAddr>().map_err(|_| NoAddress)?.to_canonical();
            if !self.trusts(last) {
                break;
            }
        }
        Ok(last)
    }

    /// Whether that is a proxy of ours.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn address(peer: &str, lists: &[&str]) -> Result<String, NoAddress> {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(HeaderName::from_static(api::header::FORWARDED_FOR), HeaderValue::from_str(list).unwrap());
        }
        let hops = TrustedHops::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        hops.address(peer.parse().unwrap(), &headers).map(|address| address.to_string())
    }

    #[test]
    fn whoever_is_no_proxy_of_ours_is_not_believed() {
        for peer in ["203.0.113.9", "::ffff:203.0.113.9"] {
            assert_eq!(address(peer, &["198.51.100.1"]).unwrap(), "203.0.113.9");
            // Not even looked at.
            assert_eq!(address(peer, &["nonsense"]).unwrap(), "203.0.113.9");
        }
    }

    #[test]
    fn a_proxy_names_whom_it_stands_before_and_what_they_claim_counts_for_nothing() {
        for (lists, expected) in [
            (&[][..], "10.0.0.1"),
            (&["203.0.113.9"], "203.0.113.9"),
            // The client had written the first one.
            (&["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            (&["198.51.100.1", "203.0.113.9, 10.2.3.4"], "203.0.113.9"),
            (&["203.0.113.9, fd00::7,10.2.3.4"], "203.0.113.9"),
            (&["nonsense, 203.0.113.9"], "203.0.113.9"),
            (&["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
            (&["2001:db8::1"], "2001:db8::1"),
        ] {
            assert_eq!(address("10.0.0.1", lists).unwrap(), expected, "{lists:?}");
        }
    }

    #[test]
    fn what_no_proxy_writes_is_refused() {
        let long = vec!["10.0.0.2"; 33].join(",");
        for list in ["203.0.113.9, nonsense", "203.0.113.9:443", "[2001:db8::1]", "", "203.0.113.9,", &long] {
            assert_eq!(address("10.0.0.1", &[list]), Err(NoAddress), "{list}");
        }
    }
}
