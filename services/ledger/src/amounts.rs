//! Amounts of the configuration, one for each of some currencies: `{ EUR = "30.00" }`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use money::{Currency, Money};

/// At most one for each currency.
#[derive(Debug, Clone, Default)]
pub struct Amounts(BTreeMap<&'static str, Money>);

impl Amounts {
    /// Reads what stands under `name`.
    ///
    /// # Errors
    ///
    /// A currency that is not supported, what is no amount of its currency, or less than nothing.
    pub fn read(name: &str, amounts: &BTreeMap<String, String>) -> Result<Self> {
        let read = |(code, text): (&String, &String)| {
            let named = || format!("{name}: {code} = {text:?}");
            let currency: Currency = code.parse().with_context(named)?;
            let amount = Money::parse(text, currency).with_context(named)?;
            ensure!(amount.minor() >= 0, "{}: less than nothing", named());
            Ok((currency.code(), amount))
        };
        Ok(Self(amounts.iter().map(read).collect::<Result<_>>()?))
    }

    /// That of a currency.
    pub fn of(&self, currency: Currency) -> Option<Money> {
        self.0.get(currency.code()).copied()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Money> + '_ {
        self.0.values().copied()
    }
}
