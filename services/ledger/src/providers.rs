//! The third parties behind the broker, as the configuration names them: who carries payouts out, and who publishes rates. No name of one, and of
//! none of its operations, stands in the code.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::config::PayoutOperations;

/// The providers of payouts: which one gets what is ordered now, and where each is asked.
#[derive(Debug, Clone)]
pub struct PayoutProviders {
    current: String,
    places: BTreeMap<String, Places>,
}

/// Where the broker takes the calls about a provider's payouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Orders one.
    pub order: String,
    /// Asks where one stands.
    pub status: String,
    /// Lists them.
    pub list: Option<String>,
}

impl PayoutProviders {
    /// Refuses a current provider that is not among the known ones.
    pub fn new(broker_url: &str, current: &str, known: &BTreeMap<String, PayoutOperations>) -> Result<Self> {
        ensure!(known.contains_key(current), "payout_provider: `{current}` is not in payout_providers");
        let place = |(name, operations): (&String, &PayoutOperations)| {
            let order = operation_url(broker_url, name, &operations.order)?;
            let status = operation_url(broker_url, name, &operations.status)?;
            let list = operations.list.as_ref().map(|list| operation_url(broker_url, name, list)).transpose()?;
            Ok((name.clone(), Places { order, status, list }))
        };
        Ok(Self { current: current.to_owned(), places: known.iter().map(place).collect::<Result<_>>()? })
    }

    /// Who gets what is ordered now.
    pub fn current(&self) -> &str {
        &self.current
    }

    /// All of them, by name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Where the payouts of that provider are ordered and asked for; `None` for one that is not configured any more.
    pub fn of(&self, provider: &str) -> Option<&Places> {
        self.places.get(provider)
    }
}

/// The broker's URL of an operation. Names are plain, so that they cannot be a path to anything else.
pub fn operation_url(broker_url: &str, provider: &str, operation: &str) -> Result<String> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    for name in [provider, operation] {
        let plain = !name.is_empty() && name.len() <= 64 && name.bytes().all(good);
        ensure!(plain, "`{name}` is not the name of a provider or an operation: lower-case letters, digits, - and _");
    }
    Ok(format!("{}/internal/v1/operations/{provider}/{operation}", broker_url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> BTreeMap<String, PayoutOperations> {
        let operations = PayoutOperations { order: "send".to_owned(), status: "find".to_owned(), list: None };
        BTreeMap::from([("bank".to_owned(), operations)])
    }

    #[test]
    fn a_provider_is_asked_by_the_names_that_the_configuration_gives() {
        let providers = PayoutProviders::new("https://broker/", "bank", &known()).unwrap();
        assert_eq!(providers.current(), "bank");
        let places = providers.of("bank").unwrap();
        assert_eq!(places.order, "https://broker/internal/v1/operations/bank/send");
        assert_eq!(places.status, "https://broker/internal/v1/operations/bank/find");
        assert_eq!(providers.of("other"), None);
    }

    #[test]
    fn a_payout_goes_to_nobody_who_is_not_configured() {
        let error = PayoutProviders::new("https://broker", "other", &known()).unwrap_err().to_string();
        assert_eq!(error, "payout_provider: `other` is not in payout_providers");
        assert!(PayoutProviders::new("https://broker", "bank", &BTreeMap::new()).is_err());
    }

    #[test]
    fn a_name_is_no_path() {
        assert!(operation_url("https://broker", "bank", "send").is_ok());
        for name in ["", "..", "a/b", "a?b", "a#b", "a%2fb", "Bank", "a b", &"x".repeat(65)] {
            assert!(operation_url("https://broker", name, "send").is_err(), "{name}");
            assert!(operation_url("https://broker", "bank", name).is_err(), "{name}");
        }
    }
}
