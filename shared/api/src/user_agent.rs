//! What build of which app a request says it comes from: the SDK's `User-Agent`, `<app id>/<version> (<platform> <build>)`.
//!
//! Nobody proves it here: attestation does. It is for what has to be said before that, to honest apps: *you are too old*.

use std::fmt;

use crate::Build;
use crate::attestation::{App, Platform};

/// Most bytes of an app's `User-Agent`.
pub const MAX: usize = 256;

/// An app as it names itself in `User-Agent` (RFC 9110 §10.1.5): its id is the product, and the comment says platform and build.
#[derive(Debug, Clone, Copy)]
pub struct UserAgent<'a>(pub &'a App);

impl fmt::Display for UserAgent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let App { id, version, build, platform } = self.0;
        write!(f, "{id}/{version} ({} {build})", platform.as_ref())
    }
}

/// Reads what [`UserAgent`] writes. `None` for everything else, such as a browser.
pub fn parse(text: &str) -> Option<App> {
    if text.len() > MAX {
        return None;
    }
    let (product, comment) = text.strip_suffix(')')?.split_once(" (")?;
    let (id, version) = product.split_once('/')?;
    let (platform, build) = comment.split_once(' ')?;
    let platform: Platform = platform.parse().ok()?;
    let build: Build = build.parse().ok()?;
    let named = is_token(id) && is_token(version);
    named.then(|| App { id: id.into(), version: version.to_owned(), build, platform })
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(platform: Platform, build: &str) -> App {
        App { id: "dev.redoubt.app".into(), version: "1.4.2".to_owned(), build: build.parse().unwrap(), platform }
    }

    #[test]
    fn what_the_app_writes_is_read_back() {
        for (app, text) in [
            (app(Platform::Android, "10402"), "dev.redoubt.app/1.4.2 (android 10402)"),
            (app(Platform::Ios, "1.4.02"), "dev.redoubt.app/1.4.2 (ios 1.4.02)"),
        ] {
            assert_eq!(UserAgent(&app).to_string(), text);
            assert_eq!(parse(text), Some(app));
        }
    }

    #[test]
    fn what_no_app_writes_is_no_app() {
        let long = format!("{}/1 (android 1)", "a".repeat(MAX));
        for text in [
            "",
            "Mozilla/5.0 (X11; Linux x86_64)",
            "curl/8.5.0",
            "dev.redoubt.app/1.4.2 (android 10402) extra",
            "dev.redoubt.app/1.4.2 (windows 1)",
            "dev.redoubt.app/1.4.2 (Android 1)",
            "dev.redoubt.app/1.4.2 (android  1)",
            "dev.redoubt.app/1.4.2 (android -1)",
            "dev.redoubt.app/1.4.2(android 1)",
            "/1.4.2 (android 1)",
            "dev.redoubt.app/ (android 1)",
            "a b/1 (android 1)",
            "dev.redoubt.app/1.4.2 (android 1) (ios 1)",
            &long,
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
