//! `cargo xtask phone`: an emulated phone before the system that `cargo xtask up` keeps running. `up` says in a file of this checkout where that is
//! and which program is the phone, so that nothing is built here and two checkouts do not meet.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::options::Options;
use crate::stop::Stop;
use crate::{compose, place};

/// Where a running system says how to find it. Its lock says that it runs: the kernel takes that away however the program ends.
pub(crate) struct Offer {
    path: PathBuf,
    _locked: File,
}

impl Offer {
    /// `description` is the file that `e2e::stack::Stack` reads, `story` the program that reads it.
    pub(crate) fn make(description: &str, story: &Path) -> Result<Self> {
        Self::make_at(file(), &json!({ "description": description, "story": story }))
    }

    fn make_at(path: PathBuf, said: &Value) -> Result<Self> {
        let make = || {
            let mut file = File::create(&path)?;
            file.lock()?;
            file.write_all(said.to_string().as_bytes())?;
            std::io::Result::Ok(file)
        };
        let locked = make().with_context(|| place::short(&path))?;
        Ok(Self { path, _locked: locked })
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // What is left says of a system that it has ended.
        drop(std::fs::remove_file(&self.path));
    }
}

fn file() -> PathBuf {
    place::target().join("dev/up.json")
}

/// What the system of this tree has said that runs.
///
/// # Errors
///
/// None runs.
pub(crate) fn running() -> Result<Value> {
    running_at(&file())
}

fn running_at(path: &Path) -> Result<Value> {
    let file = match File::open(path) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => bail!("no `up` has begun here"),
        opened => opened.with_context(|| place::short(path))?,
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => serde_json::from_reader(file).context("what `up` has written"),
        Err(TryLockError::Error(cause)) => Err(cause).with_context(|| place::short(path)),
        // One that was killed has left its file behind.
        Ok(()) => bail!("the last `up` has ended"),
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let offer = match running() {
        Ok(offer) => offer,
        Err(of_processes) => return before_containers(options, &of_processes),
    };
    let path =
        |name: &str| offer.get(name).and_then(Value::as_str).with_context(|| format!("`up` has not said {name}"));
    let mut phone = Command::new(path("story")?);
    phone.arg("phone").args(&options.rest).env("REDOUBT_STACK", path("description")?);
    ended(phone.status().context("the phone cannot be started")?)
}

/// Where `up` runs nothing, `compose up` may.
fn before_containers(options: &Options, of_processes: &anyhow::Error) -> Result<()> {
    let mut containers = compose::running().map_err(|of_containers| {
        let words = format!(
            "no system is running here ({of_processes:#}; {of_containers:#}): start `cargo xtask up` in another terminal, or `cargo xtask compose up`"
        );
        Stop::Failed(1, words)
    })?;
    let words: Vec<&str> = ["phone"].into_iter().chain(options.rest.iter().map(String::as_str)).collect();
    ended(containers.tell(&words, Path::new(""))?)
}

fn ended(status: ExitStatus) -> Result<()> {
    match status.code().map(u8::try_from) {
        Some(Ok(0)) => Ok(()),
        // It says itself why: 2 is what no phone does.
        Some(Ok(code)) => Err(Stop::Told(code).into()),
        _ => Err(Stop::Failed(1, format!("the phone was stopped: {status}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Command;
    use crate::options::Options;
    use crate::stack::{Kind, Stack};

    #[test]
    fn a_system_runs_as_long_as_the_program_that_offers_it() {
        let path = std::env::temp_dir().join(format!("redoubt-offer-{}.json", std::process::id()));
        assert!(format!("{:#}", running_at(&path).unwrap_err()).contains("no `up` has begun here"));
        let said = json!({ "story": "told" });
        let offer = Offer::make_at(path.clone(), &said).unwrap();
        assert_eq!(running_at(&path).unwrap(), said);
        drop(offer);
        // One that was killed.
        std::fs::write(&path, said.to_string()).unwrap();
        assert!(running_at(&path).unwrap_err().to_string().contains("has ended"));
        std::fs::remove_file(&path).unwrap();
    }

    /// With what the phone ends when it was asked for what no phone does.
    const MISUSED: i32 = 2;

    /// What is printed for each errand, in this order.
    const TOLD: [(&str, &[&str]); 10] = [
        ("alice accounts", &["name ", " account ", " balance\n"]),
        (
            "alice pay bob 5.00",
            &[
                "It sends\n    {\n      \"from_account\": \"",
                "under the key ",
                "asked for a nonce by dpop: nonce_missing\n",
                " layer ",
                " said ",
                " took ",
                "left: ",
            ],
        ),
        ("alice statement", &["posted ", " kind ", " amount ", " balance after it\n", " transfer ", " -5.00 "]),
        ("alice payout 20.00", &["payout ", "left: 975.00 EUR", "the bank "]),
        ("alice exchange 10.00 USD", &[" became ", "left: 965.00 EUR and ", " USD\n"]),
        (
            "alice pay bob 5.00 --hooked",
            &[
                "in somebody else's hands",
                "1. Attack: ",
                "Stopped by message signature: digest_mismatch",
                "2. No attack: ",
                "Let through, as it should be",
                "3. Attack: ",
                " access_token       refuse ",
                " authorization      pass ",
                "Stopped by access token: dpop_replayed. Before that every layer had",
                "All that the phone sees: 401 auth.unauthorized",
                "4. No attack: alice's own app",
                "what was signed is paid, once",
            ],
        ),
        (
            "alice accounts --repackaged",
            &[
                "a decoy, because ",
                "login ",
                " oauth.invalid_client_attestation ",
                "Stopped by client attestation of auth: decoy_used.",
                "open nothing",
            ],
        ),
        ("alice accounts --rooted", &["a decoy, because ", "Stopped by client attestation of auth: decoy_used."]),
        // More than the low value.
        (
            "alice pay bob 300.00",
            &[
                "approve ",
                "alice read, and approved: Approve a payment",
                " 300.00",
                " done ",
                "300.00 EUR to bob",
                "left: ",
            ],
        ),
        // What the app would not send, an attacker sends.
        (
            "alice pay bob -5 --hooked",
            &["changed to -5 EUR", "Stopped by message signature: digest_mismatch", "what was signed is paid, once"],
        ),
    ];

    /// Each as a person types it, before a system that runs. The phone itself looks whether an attack was stopped.
    #[test]
    fn a_phone_does_what_it_is_asked_and_says_when_it_cannot() {
        let mut stack = Stack::start(Kind::Demo, &Options::of(Command::Up)).unwrap();
        let mut told = |line: &str| stack.told(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
        let mut tell = |line: &str| told(line).0.code();
        assert_eq!(tell("seed"), Some(0));
        for (errand, words) in TOLD {
            let (status, printed) = told(&format!("phone {errand}"));
            assert_eq!(status.code(), Some(0), "{errand}");
            let mut rest = printed.as_str();
            for words in words {
                let found = rest.split_once(words);
                rest = found.unwrap_or_else(|| panic!("{errand}: `{words}` is not told there: {printed}")).1;
            }
            let wide: Vec<&str> =
                printed.lines().filter(|line| line.chars().count() > ladder::terminal::WIDTH).collect();
            assert!(wide.is_empty(), "{errand}: {wide:#?}");
        }
        let mut tell = |line: &str| told(line).0.code();
        assert_eq!(tell("phone alice pay bob 99999.00"), Some(1));
        for errand in [
            "bob payout 20.00 --rooted extra",
            "carol accounts",
            "alice dance",
            "alice pay bob five",
            "alice pay bob -5",
            "alice pay",
            "alice cancel nonsense",
            "alice pay bob 0.01 --hooked",
        ] {
            assert_eq!(tell(&format!("phone {errand}")), Some(MISUSED), "{errand}");
        }
        stack.end().unwrap();
    }
}
