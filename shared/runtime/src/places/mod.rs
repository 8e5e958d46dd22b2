//! Where an address is, as far as a table of networks says it: the country that its network is registered for, and whose network it is.
//!
//! The table is a file that whoever runs the system brings (`services/places.py` makes one of published tables); without one nothing is said of any place. It is
//! read once, at the start, and looked up in memory. The address goes no further than this room.
//!
//! Invariants:
//! - what does not fit the schema, stands out of order or overlaps is refused at the start, with the key, the line and what to do;
//! - the limits are those of the file, and hold before anything of it is looked at;
//! - who operates a network is told as 64 bits of a digest. That keeps numbers apart that are compared, and hides none: there are few.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use api::behavior::Place;
use crypto::hash::sha256;
use serde::{Deserialize, Serialize};

mod table;

use table::{Network, Table};

/// The section `[places]` of a service that tells where requests come from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacesConfig {
    /// The table of networks. Default: none, and nothing is said of places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// What is known of places.
#[derive(Debug, Default)]
pub struct Places(Option<Table>);

impl Places {
    /// Reads the table, if there is one.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is none: with the key, the file, the line and what to do.
    pub fn open(config: &PlacesConfig) -> anyhow::Result<Self> {
        let Some(file) = &config.file else { return Ok(Self::default()) };
        let table = Table::read(file).with_context(|| {
            format!("places.file = {:?}: make it anew with services/places.py, or take the key out", file.display())
        })?;
        tracing::info!("the table of places has {} networks", table.len());
        Ok(Self(Some(table)))
    }

    /// Where that is; nothing, if nobody knows.
    #[must_use]
    pub fn of(&self, address: Option<IpAddr>) -> Option<Place> {
        let Network { country, operator } = self.0.as_ref()?.find(address?.to_canonical())?;
        Some(Place { country, network: operator.map(|number| named(number).as_str().into()) })
    }
}

/// What an operator's number is called.
fn named(number: u32) -> String {
    let digest = sha256(format!("ASN {number}").as_bytes());
    digest.iter().take(8).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "first,last,country,asn\n10.0.0.0,10.0.0.255,DE,64496\n2001:db8::,2001:db8::ffff,SG,\n";

    fn opened(name: &str, text: &str) -> anyhow::Result<Places> {
        let file = std::env::temp_dir().join(format!("redoubt-places-{name}-{}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let places = Places::open(&PlacesConfig { file: Some(file.clone()) });
        std::fs::remove_file(&file).unwrap();
        places
    }

    #[test]
    fn an_address_is_where_its_network_is_and_elsewhere_nobody_knows() {
        let places = opened("of", TABLE).unwrap();
        let of = |address: &str| places.of(Some(address.parse().unwrap()));
        let home = of("10.0.0.7").unwrap();
        assert_eq!(
            (home.country.to_string(), home.network.clone().map(|network| network.as_str().len())),
            ("DE".to_owned(), Some(16))
        );
        assert_eq!(of("::ffff:10.0.0.7"), Some(home.clone()), "the same, as IPv6 writes it");
        assert_eq!(
            of("2001:db8::5").map(|place| (place.country.to_string(), place.network)),
            Some(("SG".to_owned(), None))
        );
        assert_eq!((of("10.0.1.0"), of("2001:db8::1:0"), places.of(None)), (None, None, None));
        assert_ne!(named(64_496), named(64_497));
        assert_eq!(Places::open(&PlacesConfig::default()).unwrap().of(Some("10.0.0.7".parse().unwrap())), None);
    }

    #[test]
    fn what_is_no_table_is_refused_with_the_key_and_what_to_do() {
        let error = format!("{:#}", opened("none", "shoes\n").unwrap_err());
        assert!(
            error.contains("places.file") && error.contains("services/places.py") && error.contains("line 1"),
            "{error}"
        );
        let config = PlacesConfig { file: Some("/nowhere/places.csv".into()) };
        assert!(format!("{:#}", Places::open(&config).unwrap_err()).contains("/nowhere/places.csv"));
    }
}
