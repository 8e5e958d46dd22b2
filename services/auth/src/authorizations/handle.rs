//! Which of a browser's interactions: what lets several sign-ins of one browser go on side by side.
//!
//! It stands in the address of the pages and in the name of the cookie, and is no secret: it only says which cookie counts.

use std::fmt;

use crypto::random;
use runtime::{CookieError, Cookies};

/// What the cookies' names begin with. The prefix makes browsers insist on `Secure`, `Path=/` and this very host (RFC
/// 6265bis §4.1.3.2): for exactly these bytes, which is why names are compared as bytes.
pub const COOKIE_PREFIX: &str = "__Host-redoubt-interaction-";
/// The parameter of the pages' addresses.
pub(crate) const PARAMETER: &str = "interaction";
/// Interactions that one browser keeps; beyond that the oldest goes.
const MAX_PER_BROWSER: usize = 8;
const BYTES: usize = 12;
const CHARACTERS: usize = 16;

/// One of a browser's interactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(String);

impl Handle {
    pub fn mint() -> Self {
        Self(random::token(BYTES))
    }

    /// Reads one from an address or a cookie's name.
    pub fn parse(text: &str) -> Option<Self> {
        let ours = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (text.len() == CHARACTERS && text.bytes().all(ours)).then(|| Self(text.to_owned()))
    }

    /// The name of its cookie.
    pub fn cookie_name(&self) -> String {
        format!("{COOKIE_PREFIX}{self}")
    }

    /// The address of a page for it.
    pub fn page(&self, path: &str) -> String {
        format!("{path}?{PARAMETER}={self}")
    }

    /// The value of its cookie.
    pub(super) fn cookie<'a>(&self, cookies: &Cookies<'a>) -> Result<Option<&'a str>, CookieError> {
        let value = cookies.get(&self.cookie_name())?;
        // What is no text was not given out here.
        Ok(value.and_then(|value| std::str::from_utf8(value).ok()))
    }

    /// The interactions that a browser must let go for another one, the oldest first.
    pub(crate) fn too_many(cookies: &Cookies<'_>) -> Vec<Self> {
        let names = cookies.names_after(COOKIE_PREFIX).filter_map(|name| std::str::from_utf8(name).ok());
        let mut handles: Vec<Self> = names.filter_map(Self::parse).collect();
        let stay = handles.len().min(MAX_PER_BROWSER - 1);
        handles.truncate(handles.len() - stay);
        handles
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_sixteen_characters_and_nothing_else() {
        let handle = Handle::mint();
        assert_eq!(Handle::parse(&handle.to_string()), Some(handle.clone()));
        assert_ne!(handle, Handle::mint());
        assert_eq!(handle.page("/login"), format!("/login?interaction={handle}"));
        assert_eq!(handle.cookie_name(), format!("__Host-redoubt-interaction-{handle}"));
        for wrong in ["", "short", "0123456789abcdef0", "0123456789abcde=", "0123456789abcde;", "0123456789abcd\u{e9}"]
        {
            assert_eq!(Handle::parse(wrong), None, "{wrong}");
        }
    }
}
