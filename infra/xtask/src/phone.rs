//! `cargo xtask phone`: an emulated phone before the system that `cargo xtask up` keeps running. `up` says in a file of this checkout where that is
//! and which program is the phone, so that nothing is built here and two checkouts do not meet.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::options::Options;
use crate::place;
use crate::stop::Stop;

/// How long a listener of this machine may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Where a running system says how to find it; gone when this is dropped.
pub(crate) struct Offer(PathBuf);

impl Offer {
    /// `description` is the file that `e2e::stack::Stack` reads, `story` the program that reads it, `port` one of the ledger's.
    pub(crate) fn make(description: &str, story: &Path, port: u16) -> Result<Self> {
        let file = file();
        let text = json!({ "description": description, "story": story, "port": port }).to_string();
        std::fs::write(&file, text).with_context(|| place::short(&file))?;
        Ok(Self(file))
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // What is left leads to a system that no longer answers, which `phone` says.
        drop(std::fs::remove_file(&self.0));
    }
}

fn file() -> PathBuf {
    place::target().join("dev/up.json")
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let none = |cause: std::io::Error| {
        Stop::Failed(1, format!("no system is running here ({cause}): start `cargo xtask up` in another terminal"))
    };
    let text = std::fs::read_to_string(file()).map_err(none)?;
    let offer: Value = serde_json::from_str(&text).context("what `up` has written")?;
    let path =
        |name: &str| offer.get(name).and_then(Value::as_str).with_context(|| format!("`up` has not said {name}"));
    let port = offer.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let port = port.context("`up` has not said port")?;
    // One that was killed has left its file behind.
    TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), ANSWER).map_err(none)?;
    let mut phone = Command::new(path("story")?);
    phone.arg("phone").args(&options.rest).env("REDOUBT_STACK", path("description")?);
    let status = phone.status().context("the phone cannot be started")?;
    match status.code().map(u8::try_from) {
        Some(Ok(0)) => Ok(()),
        // It says itself why: 2 is what no phone does.
        Some(Ok(code)) => Err(Stop::Told(code).into()),
        _ => Err(Stop::Failed(1, format!("the phone was stopped: {status}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::Command;
    use crate::options::Options;
    use crate::stack::{Kind, Stack};

    /// With what the phone ends when it was asked for what no phone does.
    const MISUSED: i32 = 2;

    /// What is printed for each errand, in this order.
    const TOLD: [(&str, &[&str]); 8] = [
        ("alice accounts", &["name ", " account ", " balance\n"]),
        (
            "alice pay bob 5.00",
            &["asked for a nonce by dpop: nonce_missing\n", " layer ", " said ", " took ", "left: "],
        ),
        ("alice statement", &["posted ", " kind ", " amount ", " balance after it\n", " transfer ", " -5.00 "]),
        ("alice payout 20.00", &["payout "]),
        ("alice exchange 10.00 USD", &[" became "]),
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
            &["a decoy, because ", "login ", " oauth.invalid_client_attestation ", "decoy_used"],
        ),
        ("alice accounts --rooted", &["a decoy, because "]),
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
            "alice pay bob 0.01 --hooked",
        ] {
            assert_eq!(tell(&format!("phone {errand}")), Some(MISUSED), "{errand}");
        }
        stack.end().unwrap();
    }
}
