//! Every command of the guides, the runbooks and the README does what stands there: it is typed into a shell, beside a system that runs. Where it is not, the text
//! says why. `cargo xtask` itself is not started again; its command lines are read as it reads them.
//!
//! A shell stands in a folder of its own which looks like the root of the workspace where the guides need it to, with the run's keys and logs under
//! `target/dev` and the settings of its services. Only the ports are replaced: the guides name those of `cargo xtask up`, which may be running.

mod scene;
mod shell;
mod text;

use std::collections::BTreeSet;
use std::path::Path;

use system::system;

use crate::commands::Command;
use crate::options::Options;
use crate::place;
use crate::stack::{Kind, Stack};
use scene::Scene;
use testkit::missing::may_be_missing;

struct Guide {
    path: String,
    text: String,
}

impl Guide {
    fn commands(&self) -> Vec<text::Command> {
        text::commands(&self.text).unwrap_or_else(|wrong| panic!("{}: {wrong}", self.path))
    }

    fn has_edge(&self) -> bool {
        self.commands().iter().filter_map(text::Command::xtask).any(|words| options(words).unwrap().edge)
    }
}

/// The README first.
fn guides() -> Vec<Guide> {
    let names = ["docs/guides", "docs/runbooks"].into_iter().flat_map(|folder| {
        let entries = std::fs::read_dir(place::root().join(folder)).unwrap();
        entries.map(move |entry| format!("{folder}/{}", entry.unwrap().file_name().display()))
    });
    let mut paths: Vec<String> =
        names.filter(|path| Path::new(path).extension().is_some_and(|it| it == "md")).collect();
    paths.sort();
    paths.insert(0, "README.md".to_owned());
    assert!(paths.len() > 5, "{paths:?}");
    let read = |path: String| Guide { text: std::fs::read_to_string(place::root().join(&path)).unwrap(), path };
    paths.into_iter().map(read).collect()
}

fn options(words: &str) -> anyhow::Result<Options> {
    Options::parse(words.split_whitespace().map(str::to_owned))
}

/// What the README says is not there.
const ABSENT: &str = "What is not there yet";

#[test]
fn every_xtask_command_of_a_guide_is_one() {
    let mut read = 0;
    for guide in guides() {
        for command in guide.commands() {
            if let Some(words) = command.xtask() {
                options(words).unwrap_or_else(|error| panic!("{}:{}: {error}", guide.path, command.line));
                read += 1;
            }
        }
        for (heading, line, span) in text::spans(&guide.text) {
            let Some(words) = span.strip_prefix("cargo xtask ") else { continue };
            let known = options(words).map(|options| assert_tests_are_there(&options));
            assert_eq!(known.is_ok(), heading != ABSENT, "{}:{line}: `{span}`", guide.path);
            read += 1;
        }
    }
    assert!(read > 10, "{read}");
}

/// `test -p CRATE --test NAME`: both are there.
fn assert_tests_are_there(options: &Options) {
    let after = |word: &str| options.rest.iter().skip_while(|rest| *rest != word).nth(1);
    if options.command == Command::Test
        && let (Some(package), Some(test)) = (after("-p"), after("--test"))
    {
        let folders = ["", "services", "shared", "infra"].map(|folder| place::root().join(folder).join(package));
        let target = folders.iter().map(|folder| folder.join("tests").join(test));
        assert!(
            target.into_iter().any(|target| target.is_dir() || target.with_extension("rs").is_file()),
            "{package} {test}"
        );
    }
}

#[test]
fn every_command_of_a_guide_does_what_stands_there() {
    let mut scene = Scene::around(Stack::start(Kind::Demo, &up(false)).unwrap());
    let mut run = 0;
    for guide in guides().iter().filter(|guide| !guide.has_edge()) {
        run += scene.follow(guide);
        run += scene.explained(guide);
    }
    assert!(run > 20, "{run}");
    scene.end();
}

#[test]
fn every_command_of_a_guide_behind_the_edge_does_what_stands_there() {
    let stack = match Stack::start(Kind::Demo, &up(true)) {
        Err(error) if format!("{error:#}").starts_with("there is no edge") => {
            return may_be_missing("the edge", "REDOUBT_EDGE_WAIVED", &format!("{error:#}"));
        }
        started => started.unwrap(),
    };
    let mut scene = Scene::around(stack);
    let run: usize = guides().iter().filter(|guide| guide.has_edge()).map(|guide| scene.follow(guide)).sum();
    assert!(run > 2, "{run}");
    scene.end();
}

fn up(edge: bool) -> Options {
    Options { edge, ..Options::of(Command::Up) }
}

/// What a test may lack, and the word that waives it.
#[test]
fn every_waiver_stands_in_the_guide_to_the_tests() {
    const GUIDE: &str = "docs/guides/tests.md";
    let guide = std::fs::read_to_string(place::root().join(GUIDE)).unwrap();
    let mut waivers = BTreeSet::new();
    for source in crate::check::files().unwrap().iter().filter(|source| source.path != GUIDE) {
        let words = source.text.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
        waivers.extend(words.filter(|word| word.ends_with("_WAIVED") && *word != "_WAIVED").map(str::to_owned));
    }
    assert!(waivers.len() > 5, "{waivers:?}");
    for waiver in waivers {
        assert!(guide.contains(&format!("`{waiver}`")), "{waiver}");
    }
}

/// What is fetched for a guide is no part of the tree, for git as for those who have none.
#[test]
fn what_npm_puts_into_the_tree_is_ignored() {
    let ignored = std::fs::read_to_string(place::root().join(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "node_modules/"), "{ignored}");
}

/// The services that have subcommands for operators.
fn services() -> impl Iterator<Item = &'static str> {
    system().unwrap().services.iter().map(|service| service.name.as_str())
}
