//! The parameters of a request, of a form that is read strictly ([`runtime::form`]).

use std::collections::BTreeMap;

use crypto::SecretString;
pub use runtime::form::{FormError, LIMIT, is_form};

use crate::forms::{ANY, Form};

/// The parameters of a request, each once. No `Debug`: a password may be among them.
pub struct Parameters {
    values: BTreeMap<String, SecretString>,
    /// Those that its form has; of a form that is not said, none are known.
    names: &'static [&'static str],
}

impl Parameters {
    pub fn empty() -> Self {
        Self { values: BTreeMap::new(), names: ANY }
    }

    /// Reads a body or a query as this form.
    pub fn read<F: Form>(bytes: &[u8]) -> Result<Self, FormError> {
        Ok(Self { names: F::NAMES, ..Self::parse(bytes)? })
    }

    /// Reads a body or a query of which nobody says what it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        Ok(Self { values: runtime::form::fields(bytes)?, names: ANY })
    }

    /// A parameter. One without a value counts as absent (RFC 6749 §3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.secret(name).map(|value| value.expose().as_str())
    }

    /// A parameter that stays a secret.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        debug_assert!(
            self.names.is_empty() || self.names.contains(&name),
            "`{name}` is not in the form ({:?})",
            self.names
        );
        self.values.get(name).filter(|value| !value.expose().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_absent() {
        let form = Parameters::parse(b"scope=openid+accounts%3Aread&state=").unwrap();
        assert_eq!(form.get("scope"), Some("openid accounts:read"));
        assert_eq!((form.get("state"), form.get("nonce")), (None, None));
    }
}
