//! The table: a line for each range of addresses, `first,last,country,asn`, both ends included, the number empty where nobody knows it. Ranges of a family stand in
//! their order and do not overlap, so that an address is found by halving.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use api::behavior::Country;

/// The first line, and with it the schema.
const HEAD: &str = "first,last,country,asn";
/// Bytes that are read at most.
const MOST_BYTES: u64 = 256 << 20;
/// Lines that are kept at most: all networks that are announced are a third of it.
const MOST_LINES: usize = 3_000_000;
/// Bytes of a line: two addresses of 39, a country and a number.
const LINE: usize = 100;

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    /// For which it is registered.
    pub(super) country: Country,
    /// The number of who operates it (ASN).
    pub(super) operator: Option<u32>,
}

/// Addresses from one to another.
#[derive(Debug, Clone, Copy)]
struct Range<A> {
    first: A,
    last: A,
    network: Network,
}

/// All ranges.
#[derive(Debug, Default)]
pub(super) struct Table {
    v4: Vec<Range<Ipv4Addr>>,
    v6: Vec<Range<Ipv6Addr>>,
}

impl Table {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        ensure!(bytes <= MOST_BYTES, "it has {bytes} bytes; at most {MOST_BYTES} are read");
        let mut lines = BufReader::new(file.take(MOST_BYTES));
        let (mut table, mut line, mut number) = (Self::default(), String::new(), 0_usize);
        loop {
            line.clear();
            // One more than fits, so that a longer one is seen and not cut.
            if (&mut lines).take(LINE as u64 + 1).read_line(&mut line)? == 0 {
                break;
            }
            number += 1;
            table.add(number, line.trim_end_matches(['\n', '\r'])).with_context(|| format!("line {number}"))?;
        }
        ensure!(table.len() > 0, "it has no networks");
        // They have grown by doubling, and are kept for as long as the process.
        table.v4.shrink_to_fit();
        table.v6.shrink_to_fit();
        Ok(table)
    }

    fn add(&mut self, number: usize, line: &str) -> Result<()> {
        ensure!(line.len() < LINE, "is longer than {LINE} bytes");
        if number == 1 {
            ensure!(line == HEAD, "is not `{HEAD}`: another schema");
            return Ok(());
        }
        ensure!(number <= MOST_LINES, "at most {MOST_LINES} lines are read");
        let parts: Vec<&str> = line.split(',').collect();
        let &[first, last, country, operator] = parts.as_slice() else { bail!("has {} columns, not 4", parts.len()) };
        let country = country.parse().context("the country")?;
        let operator =
            (!operator.is_empty()).then(|| operator.parse().context("the number of the operator")).transpose()?;
        let network = Network { country, operator };
        match (first.parse().context("the first address")?, last.parse().context("the last address")?) {
            (IpAddr::V4(first), IpAddr::V4(last)) => push(&mut self.v4, Range { first, last, network }),
            (IpAddr::V6(first), IpAddr::V6(last)) => push(&mut self.v6, Range { first, last, network }),
            _ => bail!("begins with an address of one family and ends with one of another"),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// What is known of an address.
    pub(super) fn find(&self, address: IpAddr) -> Option<Network> {
        match address {
            IpAddr::V4(address) => find(&self.v4, address),
            IpAddr::V6(address) => find(&self.v6, address),
        }
    }
}

fn push<A: Ord + Copy>(ranges: &mut Vec<Range<A>>, range: Range<A>) -> Result<()> {
    ensure!(range.first <= range.last, "ends before it begins");
    ensure!(ranges.last().is_none_or(|before| before.last < range.first), "does not follow what stands before it");
    ranges.push(range);
    Ok(())
}

fn find<A: Ord + Copy>(ranges: &[Range<A>], address: A) -> Option<Network> {
    let after = ranges.partition_point(|range| range.first <= address);
    let range = ranges.get(after.checked_sub(1)?)?;
    (address <= range.last).then_some(range.network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lines: &[&str]) -> Result<Table> {
        let mut table = Table::default();
        for (place, line) in lines.iter().enumerate() {
            table.add(place + 1, line).with_context(|| format!("line {}", place + 1))?;
        }
        Ok(table)
    }

    #[test]
    fn an_address_is_found_between_both_ends_and_nowhere_else() {
        let table =
            table(&[HEAD, "10.0.0.0,10.0.0.9,DE,1", "10.0.0.20,10.0.0.20,FR,", "::,::9,SG,4294967295"]).unwrap();
        for (address, country) in [
            ("9.255.255.255", None),
            ("10.0.0.0", Some("DE")),
            ("10.0.0.9", Some("DE")),
            ("10.0.0.10", None),
            ("10.0.0.20", Some("FR")),
            ("10.0.0.21", None),
            ("::9", Some("SG")),
            ("::a", None),
        ] {
            let found = table.find(address.parse().unwrap()).map(|network| network.country.to_string());
            assert_eq!(found.as_deref(), country, "{address}");
        }
    }

    #[test]
    fn what_does_not_fit_the_schema_is_refused_with_its_line() {
        let long = "1".repeat(LINE);
        for (line, why) in [
            ("10.0.0.0,10.0.0.9,DE", "3 columns"),
            ("10.0.0.0,10.0.0.9,DE,1,2", "5 columns"),
            ("10.0.0.0,10.0.0.9,de,1", "the country"),
            ("10.0.0.0,10.0.0.9,DE,-1", "the number"),
            ("10.0.0.0,10.0.0.9,DE,4294967296", "the number"),
            ("10.0.0,10.0.0.9,DE,1", "the first address"),
            ("10.0.0.0,x,DE,1", "the last address"),
            ("10.0.0.9,10.0.0.0,DE,1", "ends before it begins"),
            ("10.0.0.0,::1,DE,1", "another"),
            ("9.0.0.0,9.0.0.1,DE,1", "does not follow"),
            ("9.0.0.200,9.0.0.201,DE,1", "does not follow"),
            (&long, "longer than"),
            ("", "1 columns"),
        ] {
            let error = format!("{:#}", table(&[HEAD, "9.0.0.100,9.0.0.200,DE,1", line]).unwrap_err());
            assert!(error.starts_with("line 3") && error.contains(why), "{line}: {error}");
        }
        assert!(format!("{:#}", table(&["first,last,country"]).unwrap_err()).contains("another schema"));
    }
}
