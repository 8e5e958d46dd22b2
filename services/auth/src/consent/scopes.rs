//! What can be asked for, and how it is said to a person.

use api::scope::{self, Scope as _};

/// The scope without which there is no ID token and no userinfo.
pub const OPENID: &str = "openid";
/// The scope that gives the name (OpenID Connect Core §5.4).
pub const PROFILE: &str = "profile";
/// The scope that gives the address.
pub const EMAIL: &str = "email";
/// The scope without which there is no refresh token (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// Every scope, in the order of the documentation, in words.
pub const ALL: [(&str, &str); 9] = [
    (OPENID, "Know that it is you, under a number that is not your name"),
    (PROFILE, "Know your name"),
    (EMAIL, "Know your e-mail address"),
    (OFFLINE_ACCESS, "Stay signed in on this device, for 90 days at most"),
    (scope::AccountsRead::NAME, "See your accounts, their entries and your payments"),
    (scope::AccountsWrite::NAME, "Open accounts for you"),
    (scope::TransfersWrite::NAME, "Send your money to other accounts in the house"),
    (scope::ExchangesWrite::NAME, "Change your money into other currencies"),
    (scope::PayoutsWrite::NAME, "Send your money to accounts at other banks"),
];

/// The scope in words; `None` when there is no such scope.
pub fn describe(scope: &str) -> Option<&'static str> {
    ALL.iter().find(|(name, _)| *name == scope).map(|(_, words)| *words)
}

/// The scopes of a `scope` parameter.
pub fn split(scope: &str) -> impl Iterator<Item = &str> {
    scope.split(' ').filter(|name| !name.is_empty())
}

/// A `scope` value of these, each once, in the order in which they came (RFC 6749 §3.3: a set).
pub fn fold<'a>(scopes: impl Iterator<Item = &'a str>) -> String {
    let mut unique: Vec<&str> = Vec::new();
    for scope in scopes {
        if !unique.contains(&scope) {
            unique.push(scope);
        }
    }
    unique.join(" ")
}

/// Whether a `scope` value has that scope.
pub fn contains(scope: &str, name: &str) -> bool {
    split(scope).any(|held| held == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_scope_has_words() {
        for name in scope::ALL {
            assert!(describe(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_doubled_scope_is_there_once() {
        assert_eq!(fold(split("openid  accounts:read openid accounts:read")), "openid accounts:read");
        assert_eq!(fold(split("")), "");
    }

    #[test]
    fn a_scope_is_held_by_its_whole_name_only() {
        assert!(contains("openid accounts:read", "accounts:read"));
        assert!(!contains("openid accounts:readx", "accounts:read") && !contains("", OPENID));
    }
}
