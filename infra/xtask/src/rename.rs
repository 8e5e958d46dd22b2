//! `cargo xtask rename NAME`: the whole tree under another name.
//!
//! The name stands in three spellings (`redoubt`, `Redoubt`, `REDOUBT`) and in what is made of them: the app's package, the trust domain of SPIFFE ids, the
//! stand-in for Apple's team. Every text of the tree is read and written once. Nothing is half done: what the words become is settled, and each file read,
//! before the first is written; and it wants a tree whose changes are committed, so that it can be undone.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::check::{self, Source};
use crate::options::Wanted;
use crate::stop::Stop;
use crate::{place, say};

// As the tree spells itself: these are renamed with it, so that it can be renamed again.
const PACKAGE: &str = "dev.redoubt.app";
const SPIFFE: &str = "spiffe://redoubt";
const TEAM: &str = "REDOUBT001";
pub(crate) const NAME: &str = "redoubt";
const TITLE: &str = "Redoubt";

pub(crate) fn run(wanted: &Wanted) -> Result<()> {
    let words = words(wanted)?;
    ensure!(
        is_clean(),
        "there are changes that are not committed: commit them first, so that the renaming can be undone"
    );
    let mut changed = 0;
    for Source { path, text } in check::files()? {
        let renamed = rename(&text, &words);
        if renamed != text {
            std::fs::write(place::root().join(&path), renamed).with_context(|| path.clone())?;
            changed += 1;
        }
    }
    println!("{changed} files now say {}", wanted.name);
    // Lines have other lengths.
    let formatted =
        Command::new("cargo").args(["fmt", "--all"]).current_dir(place::root()).stdin(Stdio::null()).status()?;
    ensure!(formatted.success(), "`cargo fmt --all` failed, see above");
    say::line("next: `cargo xtask check --fix`, which writes the generated files anew, and then `cargo xtask test`");
    Ok(())
}

/// What becomes what, the longer first.
fn words(wanted: &Wanted) -> Result<Vec<(String, String)>> {
    let name = &wanted.name;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    // Database roles, Rust's identifiers, variables and URLs are made of it.
    let fits = plain(name) && name.starts_with(|c: char| c.is_ascii_lowercase()) && (2..=16).contains(&name.len());
    wants(fits, || format!("`{name}` is not a name of 2 to 16 small letters and digits that begins with a letter"))?;
    wants(!system::system()?.crates.contains_key(name), || format!("`{name}` is the name of a crate"))?;
    // Default: what is not asked for is made of the name.
    let package = wanted.package.clone().unwrap_or_else(|| format!("dev.{name}.app"));
    let is_package = package.contains('.') && package.split('.').all(|part| !part.is_empty() && plain(part));
    wants(is_package, || format!("`{package}` is not a package such as `com.example.app`"))?;
    // Default: as above.
    let domain = wanted.trust_domain.clone().unwrap_or_else(|| name.clone());
    let is_domain =
        !domain.is_empty() && domain.split('.').all(|part| !part.is_empty() && plain(&part.replace('-', "")));
    wants(is_domain, || format!("`{domain}` is not a trust domain such as `prod.example`"))?;
    // Default: as above.
    let title = wanted.organization.clone().unwrap_or_else(|| capital(name));
    let is_title = !title.is_empty() && title.chars().all(|c| c.is_alphanumeric() || c == ' ');
    wants(is_title, || format!("`{title}` has something that is neither letter, digit nor space"))?;
    let upper = name.to_uppercase();
    // Ten letters and digits, as Apple's are.
    let team = format!("{upper:0<7.7}001");
    let words = [
        (PACKAGE.to_owned(), package),
        (SPIFFE.to_owned(), format!("spiffe://{domain}")),
        (declared(SPIFFE.trim_start_matches("spiffe://")), declared(&domain)),
        (TEAM.to_owned(), team),
        (NAME.to_owned(), name.clone()),
        (TITLE.to_owned(), title),
        (NAME.to_uppercase(), upper),
    ];
    Ok(words.into())
}

/// What was asked for can be; else the command line is wrong.
fn wants(fits: bool, wrong: impl FnOnce() -> String) -> Result<()> {
    if fits { Ok(()) } else { Err(Stop::Usage(wrong()).into()) }
}

/// The line that says what the trust domain is.
fn declared(domain: &str) -> String {
    format!("TRUST_DOMAIN: &str = \"{domain}\"")
}

pub(crate) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// One pass: what was put in is not looked at again.
fn rename(text: &str, words: &[(String, String)]) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((word, other)) = words.iter().find(|(word, _)| rest.starts_with(word.as_str())) {
            renamed.push_str(other);
            rest = rest.get(word.len()..).unwrap_or_default(); // Default: nothing follows.
        } else {
            renamed.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default(); // Default: nothing follows.
        }
    }
    renamed
}

/// A tree without git has nothing to go back to, and nothing that could be lost by it.
fn is_clean() -> bool {
    let git =
        Command::new("git").args(["status", "--porcelain"]).current_dir(place::root()).stdin(Stdio::null()).output();
    git.map_or(true, |output| !output.status.success() || output.stdout.is_empty()) // Default: there is no git here.
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str) -> Wanted {
        Wanted { name: name.to_owned(), ..Wanted::default() }
    }

    fn all() -> String {
        let domain = declared(SPIFFE.trim_start_matches("spiffe://"));
        format!("{PACKAGE} {SPIFFE}/ledger {domain} {TEAM} {NAME}_ledger {TITLE} {}_URL", NAME.to_uppercase())
    }

    #[test]
    fn every_spelling_follows_the_name() {
        let renamed = rename(&all(), &words(&wanted("acme")).unwrap());
        let expected =
            "dev.acme.app spiffe://acme/ledger TRUST_DOMAIN: &str = \"acme\" ACME000001 acme_ledger Acme ACME_URL";
        assert_eq!(renamed, expected);
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        let wanted = Wanted {
            organization: Some("Acme Bank".to_owned()),
            package: Some("com.acme.bank".to_owned()),
            trust_domain: Some("prod.acme-bank.example".to_owned()),
            ..wanted("acmebanking")
        };
        let renamed = rename(&all(), &words(&wanted).unwrap());
        let domain = "prod.acme-bank.example";
        let expected = format!(
            "com.acme.bank spiffe://{domain}/ledger TRUST_DOMAIN: &str = \"{domain}\" ACMEBAN001 acmebanking_ledger Acme Bank ACMEBANKING_URL"
        );
        assert_eq!(renamed, expected);
    }

    fn is_wrong_usage(wanted: &Wanted) -> bool {
        matches!(words(wanted).unwrap_err().downcast_ref(), Some(Stop::Usage(_)))
    }

    #[test]
    fn a_name_that_cannot_stand_everywhere_is_refused() {
        for name in ["", "a", "Acme", "9lives", "acme-bank", "acme_bank", "ledger", "abcdefghijklmnopq"] {
            assert!(is_wrong_usage(&wanted(name)), "{name}");
        }
        for broken in [
            Wanted { package: Some("app".to_owned()), ..wanted("acme") },
            Wanted { package: Some("com..app".to_owned()), ..wanted("acme") },
            Wanted { trust_domain: Some("a/b".to_owned()), ..wanted("acme") },
            Wanted { organization: Some("<b>".to_owned()), ..wanted("acme") },
        ] {
            assert!(is_wrong_usage(&broken), "{broken:?}");
        }
    }
}
