//! A system that runs, and beside it a folder in which a guide is followed.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use system::system;
use testkit::missing::may_be_missing;

use super::shell::Shell;
use super::text::{self, Command};
use super::{Guide, services};
use crate::place;
use crate::stack::Stack;

/// Where the example's callback is.
const CALLBACK: &str = "https://localhost:8400/callback";

pub(super) struct Scene {
    stack: Stack,
    /// Goes away with the run.
    folder: PathBuf,
    /// What a guide says, and what it is here.
    ports: Vec<(String, String)>,
    /// The page that a command has asked to open.
    opened: String,
}

impl Scene {
    pub(super) fn around(mut stack: Stack) -> Self {
        let seeded = stack.tell(&["seed"], Path::new("")).unwrap();
        assert!(seeded.success(), "{seeded}");
        stack.open_console(Path::new(""), true).unwrap();
        let run = stack.logs().parent().unwrap().to_owned();
        let folder = run.join("guide");
        std::fs::create_dir_all(folder.join("target/dev")).unwrap();
        symlink(stack.pki(), folder.join("target/dev/pki")).unwrap();
        symlink(&run, folder.join("target/dev/run-1")).unwrap();
        let scene = Self { ports: ports(&stack), folder, stack, opened: String::new() };
        scene.lay_out();
        scene
    }

    /// What the guides take for granted beside a reader: the examples, a service's settings, a partner's manifest and secrets.
    fn lay_out(&self) {
        let example = "docs/guides/relying-party";
        std::fs::create_dir_all(self.folder.join(example)).unwrap();
        for file in ["package.json", "package-lock.json", "relying-party.mjs"] {
            let file = Path::new(example).join(file);
            std::fs::copy(place::root().join(&file), self.folder.join(&file)).unwrap();
        }
        let manifest = "services/broker/tests/it/manifests/nordbank.toml";
        let manifest = place::root().join(manifest).display().to_string();
        for service in services() {
            let settings = std::fs::read_to_string(self.stack.config(service)).unwrap();
            let settings = settings.replace("\nmanifests = [", &format!("\nmanifests = [\"{manifest}\", "));
            let nordbank = if service == "broker" { "\n[providers.nordbank]\n" } else { "" };
            self.write(&format!("{service}.toml"), &format!("{settings}{nordbank}"));
        }
        std::fs::create_dir(self.folder.join("secrets")).unwrap();
        self.write("secrets/nordbank-token", "a-token-of-a-bank-that-is-not-there");
        self.write("secrets/nordbank-webhook", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        let sealer = std::fs::read_to_string(self.stack.url_file("broker", "sealer.url")).unwrap();
        self.write("secrets/broker-sealer.url", &sealer);
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.folder.join(file);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn shell(&self) -> Shell {
        let programs = place::target().join("debug").display().to_string();
        let path = std::env::var("PATH").unwrap();
        // The example's own setting, for a system on other ports.
        let issuer = self.stack.url("auth").unwrap();
        let environment = [("PATH", format!("{programs}:{path}")), ("ISSUER", issuer)];
        Shell::start(&self.folder, &environment.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Types all of a guide's commands, and holds what they print against what it shows. How many there were.
    pub(super) fn follow(&mut self, guide: &Guide) -> usize {
        let mut shell = self.shell();
        // The guide's ids, and those that were seen instead.
        let mut ids = BTreeMap::new();
        let (mut run, mut wrong) = (0, Vec::new());
        for command in guide.commands() {
            if command.xtask().is_some() || command.waiver.is_some() {
                continue;
            }
            let place = format!("{}:{}: `{}`", guide.path, command.line, command.text);
            let typed = ids
                .iter()
                .fold(self.here(&command.text), |typed, (id, seen): (&String, &String)| typed.replace(id, seen));
            let (printed, status) = shell.run(&typed, |line| self.answer(line));
            if status != 0 && command.text.starts_with("npm ") {
                may_be_missing("what a guide fetches from npm", "REDOUBT_NPM_WAIVED", &printed);
                break;
            }
            let printed = self.there(&printed);
            let missing = text::missing(&command.shown, &printed);
            if status != 0 || !missing.is_empty() {
                wrong.push(format!("{place} ended with {status}, without {missing:#?}:\n{printed}"));
            }
            learn(&mut ids, &command, &printed);
            run += 1;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        run
    }

    /// Subcommands that the text names explain themselves. How many there were.
    pub(super) fn explained(&self, guide: &Guide) -> usize {
        let mut shell = self.shell();
        let mut run = 0;
        for (_, line, span) in text::spans(&guide.text) {
            let mut words = span
                .split(' ')
                .take_while(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !word.starts_with('-'));
            let Some(service) = words.next().filter(|word| services().any(|service| service == *word)) else {
                continue;
            };
            let words: Vec<&str> = words.collect();
            if words.is_empty() {
                continue;
            }
            let (printed, status) = shell.run(&format!("{service} {} --help", words.join(" ")), |_| None);
            assert_eq!(status, 0, "{}:{line}: `{span}` printed:\n{printed}", guide.path);
            run += 1;
        }
        run
    }

    /// What a person types who is shown the line: they have opened the page, made a login and allowed, and paste where they ended.
    fn answer(&mut self, line: &str) -> Option<String> {
        if let Some(url) = line.strip_prefix("open ") {
            url.trim().clone_into(&mut self.opened);
        }
        line.strip_prefix("came back at")?;
        let arguments = ["visit", &self.opened, CALLBACK].map(str::to_owned);
        let back = self.stack.measure("story", &arguments).unwrap();
        Some(back.as_str().unwrap().to_owned())
    }

    fn here(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    fn there(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (there, here)| text.replace(here, there))
    }

    pub(super) fn end(self) {
        self.stack.end().unwrap();
    }
}

/// Behind the edge a service's own listener is nobody's business: its port is the edge's.
fn ports(stack: &Stack) -> Vec<(String, String)> {
    let here = |name: &str| stack.url(name).unwrap().replace("https://", "");
    let listeners = system().unwrap().listeners().into_iter();
    listeners.map(|(name, port)| (format!("localhost:{port}"), here(&name))).collect()
}

/// A later command may name an id that an earlier one was answered with, or the beginning of it.
fn learn(ids: &mut BTreeMap<String, String>, command: &Command, printed: &str) {
    let shown = command.shown.join("\n");
    for sign in ["request-id: ", "\"request_id\":\""] {
        let after =
            |text: &str| text.split_once(sign).and_then(|(_, rest)| text::ids(rest).first().map(|id| (*id).to_owned()));
        if let (Some(there), Some(here)) = (after(&shown), after(printed)) {
            // A guide names enough of one to be told from the others.
            let short: String = there.chars().take(13).collect();
            ids.insert(short, here);
        }
    }
}
