//! Of what a folder was made: a PKI is a cache, and this is its key.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use api::service::TRUST_DOMAIN;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use system::system;

use super::apps::App;
use super::{LEAF_DAYS, write};

const FILE: &str = "made-of.json";
/// By which a folder is known to be ours.
const CERTIFICATES: [&str; 2] = ["public-ca.pem", "internal-ca.pem"];
/// What else is made in it.
const OTHERS: [&str; 10] = [
    "public-ca.key",
    "internal-ca.key",
    "public",
    "internal",
    "attest",
    "secrets",
    "apps.toml",
    "app.json",
    "ledger-sealing.jwk",
    "partner-web-jwks.json",
];
/// Raised when the same names are to give other files.
const FORM: u32 = 1;
/// A folder that ends sooner is made anew: whoever starts a system has that long.
const REST_DAYS: i64 = 30;

/// Everything that stands in certificates and in the register of apps, and when the first of them ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MadeOf {
    form: u32,
    trust_domain: String,
    public: Vec<String>,
    workloads: Vec<String>,
    app: App,
    first_expiry: DateTime<Utc>,
}

impl MadeOf {
    /// What a folder would be made of today.
    #[expect(clippy::disallowed_methods, reason = "TLS compares with the machine's own clock")]
    pub(super) fn now() -> Result<Self> {
        let system = system()?;
        Ok(Self {
            form: FORM,
            trust_domain: TRUST_DOMAIN.to_owned(),
            public: system.public_certificates.clone(),
            workloads: system.workloads.clone(),
            app: App::ours(),
            first_expiry: DateTime::<Utc>::from(SystemTime::now()) + TimeDelta::days(LEAF_DAYS),
        })
    }

    /// Empties a folder that was made of anything else, or ends soon; says in it what it is made of.
    pub(super) fn prepare(&self, dir: &Path) -> Result<()> {
        let file = dir.join(FILE);
        // A folder from before this was written down, or one that cannot be read, was made of something else.
        let known: Option<Self> = fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if known.is_some_and(|known| self.is_served_by(&known)) {
            return Ok(());
        }
        // Whose folder it is not, of that nothing is removed.
        let is_ours = CERTIFICATES.iter().all(|file| dir.join(file).exists());
        for name in CERTIFICATES.iter().chain(&OTHERS).filter(|_| is_ours) {
            let path = dir.join(name);
            let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        write(&file, &serde_json::to_vec_pretty(self)?, 0o644)
    }

    fn is_served_by(&self, known: &Self) -> bool {
        let today = self.first_expiry - TimeDelta::days(LEAF_DAYS);
        let lasts = known.first_expiry - today > TimeDelta::days(REST_DAYS);
        lasts && *known == Self { first_expiry: known.first_expiry, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Pki;

    #[test]
    fn another_name_or_an_end_that_is_near_makes_all_of_it_anew_and_nothing_else_does() {
        let made = |change: &dyn Fn(&mut MadeOf)| {
            let pki = Pki::temporary().unwrap();
            let files = [pki.public_ca(), pki.internal("ledger").certificate, pki.secret("auth-kek"), pki.apps_file()];
            let read = || files.each_ref().map(|file| fs::read(file).unwrap());
            let before = read();
            let file = pki.dir().join(FILE);
            let mut of: MadeOf = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            change(&mut of);
            fs::write(&file, serde_json::to_vec(&of).unwrap()).unwrap();
            drop(Pki::create(pki.dir()).unwrap());
            let after = read();
            let anew = std::array::from_fn::<_, 4, _>(|at| before[at] != after[at]);
            assert!(anew.iter().all(|file| *file == anew[0]), "all or nothing: {anew:?}");
            anew[0]
        };
        assert!(!made(&|_| ()));
        assert!(!made(&|of| of.first_expiry -= TimeDelta::days(LEAF_DAYS - REST_DAYS - 1)));
        assert!(made(&|of| of.first_expiry -= TimeDelta::days(LEAF_DAYS - REST_DAYS)));
        assert!(made(&|of| of.trust_domain = "elsewhere".to_owned()));
        assert!(made(&|of| drop(of.workloads.pop())));
        assert!(made(&|of| of.public.push("another".to_owned())));
        assert!(made(&|of| of.app.package = "com.example.app".to_owned()));
        assert!(made(&|of| of.form += 1));
    }

    #[test]
    fn all_that_is_made_is_made_anew_and_what_somebody_has_put_there_stays() {
        let pki = Pki::temporary().unwrap();
        fs::write(pki.dir().join("note"), "").unwrap();
        let names = || {
            let mut names: Vec<_> = fs::read_dir(pki.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let made = names();
        let known =
            |name: &&std::ffi::OsString| CERTIFICATES.iter().chain(&OTHERS).any(|known| *known == name.as_os_str());
        let others: Vec<_> = made.iter().filter(|name| !known(name)).collect();
        assert_eq!(others, [".lock", FILE, "note"]);
        fs::remove_file(pki.dir().join(FILE)).unwrap();
        drop(Pki::create(pki.dir()).unwrap());
        assert_eq!(names(), made);
        // In a folder that is not ours nothing is removed, whatever it is called.
        let theirs = pki.dir().join("note.d");
        fs::create_dir_all(theirs.join("secrets")).unwrap();
        fs::write(theirs.join("secrets/diary"), "").unwrap();
        drop(Pki::create(&theirs).unwrap());
        assert!(theirs.join("secrets/diary").exists());
    }

    #[test]
    fn a_folder_that_does_not_say_of_what_it_was_made_is_made_anew() {
        let pki = Pki::temporary().unwrap();
        let before = fs::read(pki.public_ca()).unwrap();
        fs::remove_file(pki.dir().join(FILE)).unwrap();
        drop(Pki::create(pki.dir()).unwrap());
        assert_ne!(fs::read(pki.public_ca()).unwrap(), before);
    }
}
