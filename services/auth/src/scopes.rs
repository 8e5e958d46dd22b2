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
    (scope::AccountsRead::NAME, "See your accounts, their entries, your payments and payees"),
    (scope::AccountsWrite::NAME, "Open accounts for you"),
    (scope::TransfersWrite::NAME, "Send your money to other accounts in the house"),
    (scope::ExchangesWrite::NAME, "Change your money into other currencies"),
    (scope::PayoutsWrite::NAME, "Send your money to accounts at other banks, and add and remove these payees"),
];

/// What a client would like to know of a person and can do without: each is given by a tick of its own, or kept back. With the name
/// of its box. What is not here is what the service consists of, and is allowed or denied as a whole.
pub const OPTIONAL: [(&str, &str); 2] = [(PROFILE, "grant_profile"), (EMAIL, "grant_email")];

/// The name of the box by which the person gives that scope; `None` when it is no matter of choice.
pub fn choice(scope: &str) -> Option<&'static str> {
    OPTIONAL.iter().find(|(name, _)| *name == scope).map(|(_, field)| *field)
}

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

/// What is left of a `scope` value when only what is ticked is given of what is optional.
pub fn given(requested: &str, ticked: impl Fn(&str) -> bool) -> String {
    fold(split(requested).filter(|scope| choice(scope).is_none_or(&ticked)))
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
    fn only_what_was_asked_for_is_given_and_of_what_is_optional_only_what_is_ticked() {
        assert_eq!(
            given("openid profile email accounts:read", |field| field == "grant_email"),
            "openid email accounts:read"
        );
        assert_eq!(given("openid accounts:read", |_| true), "openid accounts:read");
        assert_eq!(given("profile email", |_| false), "");
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
