//! What must stand nowhere in what is told: secrets and personal data that a run has used, word for word.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use crypto::b64;
use testkit::browser::Person;

use super::Told;
use crate::hooked::Hooked;

/// Shorter ones stand anywhere by chance.
const SHORTEST: usize = 8;

/// What is looked for: what it is, and how it reads.
#[derive(Debug, Default)]
pub struct Words(Vec<(String, String)>);

impl Words {
    /// Adds one. Of what is empty or short nothing is looked for, which is an error: it would never be found.
    pub fn add(&mut self, what: impl Into<String>, word: impl Into<String>) -> Result<()> {
        let (what, word) = (what.into(), word.into());
        ensure!(word.len() >= SHORTEST, "{what} is too short to be looked for");
        self.0.push((what, word));
        Ok(())
    }

    /// A person's name and login. Of the address what stands before the `@`, and of the password the words that are in no dictionary, so that neither is
    /// missed in another spelling.
    pub fn person(&mut self, person: &Person) -> Result<()> {
        let (user, _) = person.email.split_once('@').context("an address")?;
        let (password, _) = person.password.split_once(' ').context("a password of words")?;
        self.add(format!("the name {}", person.name), &person.name)?;
        self.add(format!("the e-mail address of {}", person.name), user)?;
        self.add(format!("the password of {}", person.name), password)
    }

    /// A token: its last part, which nobody else's has. (A support id stands in logs by right, and may be inside of one.)
    pub fn token(&mut self, what: &str, token: &str) -> Result<()> {
        let end = token.rsplit('.').next().unwrap_or(token); // Default: it is of one part.
        self.add(what, end)
    }

    /// All that a phone holds.
    pub fn hooked(&mut self, hooked: &Hooked) -> Result<()> {
        self.token("an attestation token", &hooked.attestation_token)?;
        self.token("a client attestation", &hooked.client_attestation)?;
        if !hooked.access_token.is_empty() {
            self.token("an access token", &hooked.access_token)?;
        }
        self.add("a session key", b64::encode(hooked.session_key().expose()))
    }

    /// The secrets that the system was given in files: each line of letters that is long enough, such as of a key's PEM, a password or an API token; of what is
    /// bytes, as they would be written: in base64 of both alphabets and in hex.
    pub fn files(&mut self, directory: &Path) -> Result<()> {
        for entry in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let name = path.file_name().map(|name| name.display().to_string()).context("a file without a name")?;
            let Ok(text) = str::from_utf8(&bytes) else {
                self.bytes(&name, &bytes)?;
                continue;
            };
            let lines = text.lines().filter(|line| line.len() >= 2 * SHORTEST && !line.starts_with("-----"));
            // A key as JSON: its private number, and not what is published.
            if path.extension().is_some_and(|it| it == "jwk") {
                let jwk: serde_json::Value = serde_json::from_str(text)?;
                let number = jwk.get("d").and_then(serde_json::Value::as_str).context("a key without its number")?;
                self.add(name, number)?;
            } else {
                lines.for_each(|line| self.0.push((name.clone(), line.to_owned())));
            }
        }
        Ok(())
    }

    /// The passwords in the URLs of databases, one folder for each service.
    pub fn databases(&mut self, directory: &Path) -> Result<()> {
        for service in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
            for entry in std::fs::read_dir(service?.path())? {
                let path = entry?.path();
                if path.extension().is_none_or(|it| it != "url") {
                    continue;
                }
                let url = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let login = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(login, _)| login);
                let password = login.and_then(|login| login.split_once(':')).map(|(_, password)| password);
                let name = format!("the password in {}", path.file_name().context("a file without a name")?.display());
                self.add(name, password.with_context(|| format!("{}: no password", path.display()))?)?;
            }
        }
        Ok(())
    }

    /// Bytes in each way in which they may be written; of a key of P-256 as PKCS#8 its private number.
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let is_key = Path::new(name).extension().is_some_and(|it| it == "pk8");
        let own = if is_key { bytes.get(36..68).with_context(|| format!("{name}: no key"))? } else { bytes };
        let hex = own.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        for written in [b64::encode(own), b64::encode_standard(own), hex] {
            self.add(name, written.trim_end_matches('='))?;
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where each stands that stands somewhere. The word itself is not told again.
    pub fn found(&self, told: &Told) -> Result<BTreeSet<String>> {
        let spans = serde_json::to_string(&told.spans)?;
        let sent = told.sent.to_string();
        let mut places = vec![("a span".to_owned(), spans), ("a metric".to_owned(), sent)];
        places.extend(
            told.shown.iter().map(|(service, text)| (format!("the metrics that {service} shows"), text.clone())),
        );
        places.extend(told.logs.iter().map(|(service, text)| (format!("the log of {service}"), text.clone())));
        let mut found = BTreeSet::new();
        for (place, text) in places {
            // As it may stand in an address or in somebody's headline, too.
            let text = text.to_lowercase();
            for (what, word) in &self.0 {
                if text.contains(&word.to_lowercase()) {
                    found.insert(format!("{what} stands in {place}"));
                }
            }
        }
        Ok(found)
    }
}
