//! The generator on this very tree, in memory: what is written, and what keeps it from writing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::plan::{Change, plan};
use super::{untouched, wanted, write};
use crate::check::{self, Source};
use crate::stop::Stop;

// Names that nobody gives a service.
const FIRST: &str = "anewone";
const SECOND: &str = "anotherone";
const EDITS: &str = "infra/xtask/templates/service/edits.toml";

fn tree() -> Vec<Source> {
    check::files().unwrap()
}

/// The tree with these changes in it.
fn changed(mut files: Vec<Source>, changes: Vec<Change>) -> Vec<Source> {
    for Change { path, after, .. } in changes {
        files.retain(|file| file.path != path);
        files.push(Source { path, text: after });
    }
    files
}

/// Name and internal port of the service behind which a new one comes.
fn last() -> (&'static str, String) {
    let last = system::system().unwrap().services.last().unwrap();
    (&last.name, last.internal.to_string())
}

fn text<'a>(files: &'a [Source], path: &str) -> &'a str {
    &files.iter().find(|file| file.path == path).unwrap().text
}

fn usage(error: &anyhow::Error) -> Option<&str> {
    match error.downcast_ref() {
        Some(Stop::Usage(text)) => Some(text),
        _ => None,
    }
}

#[test]
fn a_service_and_one_more_behind_it_are_named_as_often_and_have_ports_of_their_own() {
    let first = plan(FIRST, &tree()).unwrap();
    let with_first = changed(tree(), plan(FIRST, &tree()).unwrap());
    let second = plan(SECOND, &with_first).unwrap();
    let times = |changes: &[Change], name: &str| -> BTreeMap<String, usize> {
        let times = |it: &Change| (it.path.replace(name, "NAME"), it.after.to_lowercase().matches(name).count());
        changes.iter().map(times).collect()
    };
    assert_eq!(times(&first, FIRST), times(&second, SECOND));
    let both = changed(with_first, second);
    let table: toml::Table = text(&both, "infra/system.toml").parse().unwrap();
    let services = table["services"].as_table().unwrap().values().map(|service| service.as_table().unwrap());
    let ports: Vec<i64> = services.flat_map(|service| service.values().filter_map(toml::Value::as_integer)).collect();
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len(), "{ports:?}");
    let place = |name: &str| text(&both, "infra/compose/compose.yaml").find(&format!("\n  {name}:\n    <<")).unwrap();
    assert!(place(last().0) < place(FIRST) && place(FIRST) < place(SECOND));
}

#[test]
fn no_word_of_the_templates_is_left() {
    let words = ["__name__", "__Name__", "__NAME__", "__port__", "__last__", "__LAST__", "__last_port__"];
    let changes = plan(FIRST, &tree()).unwrap();
    assert!(changes.len() > 40, "{}", changes.len());
    for Change { path, after, .. } in &changes {
        for word in words {
            assert!(!path.contains(word) && !after.contains(word), "{path}: {word}");
        }
    }
}

#[test]
fn what_is_there_stays_to_the_letter() {
    for Change { path, before, after } in plan(FIRST, &tree()).unwrap() {
        let mut rest = after.as_str();
        // Each character of before, in its order: something was put between, and nothing taken.
        for character in before.unwrap_or_default().chars() {
            let at = rest.find(character).unwrap_or_else(|| panic!("{path} has lost something"));
            rest = &rest[at + character.len_utf8()..];
        }
    }
}

#[test]
fn the_same_name_again_is_refused() {
    let files = changed(tree(), plan(FIRST, &tree()).unwrap());
    let error = plan(FIRST, &files).unwrap_err();
    assert_eq!(usage(&error).unwrap(), format!("there is a service `{FIRST}` already: nothing was written"));
}

#[test]
fn a_name_that_cannot_stand_everywhere_is_refused_with_the_reason() {
    let files = tree();
    for (name, why) in [
        ("", "is not 2 to 16"),
        ("a", "is not 2 to 16"),
        ("abcdefghijklmnopq", "is not 2 to 16"),
        ("Savings", "is not 2 to 16"),
        ("9lives", "is not 2 to 16"),
        ("sav-ings", "is not 2 to 16"),
        ("sav_ings", "is not 2 to 16"),
        ("säv", "is not 2 to 16"),
        ("../x", "is not 2 to 16"),
        ("self", "means something else"),
        ("while", "means something else"),
        ("test", "means something else"),
        ("tools", "means something else"),
        ("build", "means something else"),
        ("deps", "means something else"),
        ("on", "means something else"),
        ("null", "means something else"),
        ("localhost", "means something else"),
        (crate::rename::NAME, "means something else"),
        ("ledger", "there is a service"),
        ("operator", "stands in infra/system.toml"),
        ("partner", "stands in infra/system.toml"),
        ("money", "stands in infra/system.toml"),
        ("services", "stands in infra/system.toml"),
        ("redis", "is a container"),
        ("mesh", "is a container"),
        ("serde", "is a library"),
        ("world", "in the code of a new service"),
        ("service", "in the code of a new service"),
        ("config", "in the code of a new service"),
        ("workload", "in the code of a new service"),
        ("transfers", "has a file already, shared/api/src/transfers.rs"),
    ] {
        let error = plan(name, &files).unwrap_err();
        assert!(usage(&error).is_some_and(|text| text.contains(why)), "{name}: {error:#}");
    }
}

/// Every edit by itself: its place is gone, or there twice, or its file is; each time the file is named.
#[test]
fn a_file_that_is_not_as_expected_is_named_and_nothing_is_written() {
    let files = tree();
    let table: toml::Table = text(&files, EDITS).parse().unwrap();
    let ((last, port), mut broken) = (last(), 0);
    let words = [("__last_port__", port.as_str()), ("__last__", last), ("__LAST__", &last.to_uppercase())];
    let refusal = |file: &str, change: &dyn Fn(&str) -> Option<String>| {
        let with = |it: &Source| {
            let text = if it.path == file { change(&it.text)? } else { it.text.clone() };
            Some(Source { path: it.path.clone(), text })
        };
        let broken: Vec<Source> = files.iter().filter_map(with).collect();
        format!("{:#}", plan(FIRST, &broken).unwrap_err())
    };
    for edit in table["edit"].as_array().unwrap() {
        let file = edit["file"].as_str().unwrap();
        assert!(refusal(file, &|_| None).contains(&format!("{file} is not there")));
        let place = ["line", "after", "before", "every"].iter().find_map(|kind| edit.get(*kind)?.as_str());
        let Some(place) = place else { continue };
        let place = words.iter().fold(place.to_owned(), |place, (word, name)| place.replace(word, name));
        assert!(text(&files, file).contains(&place), "{file}: {place}");
        let named = format!("nothing was written: {file}: there ");
        let gone = refusal(file, &|text| Some(text.replace(&place, "# …")));
        assert!(gone.contains(&named), "{file}: {place}: {gone}");
        if edit.get("every").is_none() {
            let twice = refusal(file, &|text| Some(format!("{text}\n{place}\n")));
            assert!(twice.contains(&named), "{file}: {place}: {twice}");
        }
        broken += 1;
    }
    assert!(broken > 30, "{broken}");
}

/// A folder of this test's own, with git if that is wanted.
fn folder(name: &str, git: bool) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("{}-new-service-{name}-{}", crate::rename::NAME, std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    if git {
        run_git(&folder, &["init", "--quiet"]);
    }
    folder
}

fn run_git(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"];
    let status = std::process::Command::new("git").args(who).args(arguments).current_dir(folder).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

fn change(path: &str, before: Option<&str>, after: &str) -> Change {
    Change { path: path.to_owned(), before: before.map(str::to_owned), after: after.to_owned() }
}

#[test]
fn what_is_not_committed_in_a_file_that_is_changed_is_in_the_way_and_elsewhere_it_is_not() {
    let folder = folder("uncommitted", true);
    let (touched, other) = (folder.join("touched"), folder.join("other"));
    for file in [&touched, &other] {
        std::fs::write(file, "a\n").unwrap();
    }
    run_git(&folder, &["add", "."]);
    run_git(&folder, &["commit", "--quiet", "--message", "a"]);
    let changes = [change("new/file", None, "n"), change("touched", Some("a\n"), "b\n")];
    std::fs::write(&other, "mine\n").unwrap();
    untouched(&folder, &changes).unwrap();
    std::fs::write(&touched, "mine\n").unwrap();
    let error = untouched(&folder, &changes).unwrap_err().to_string();
    assert!(error.contains("nothing was written: commit what has changed in touched,"), "{error}");
    std::fs::write(&touched, "a\n").unwrap();
    // Whatever keeps git from telling.
    std::fs::rename(folder.join(".git/HEAD"), folder.join(".git/away")).unwrap();
    let error = untouched(&folder, &changes).unwrap_err().to_string();
    assert!(error.starts_with("nothing was written: git does not say what has changed ("), "{error}");
    std::fs::rename(folder.join(".git/away"), folder.join(".git/HEAD")).unwrap();
    std::fs::create_dir(folder.join("new")).unwrap();
    std::fs::write(folder.join("new/file"), "mine").unwrap();
    let error = untouched(&folder, &changes).unwrap_err().to_string();
    assert_eq!(error, "new/file is there already: nothing was written");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_cannot_be_written_to_its_end_is_taken_back() {
    let folder = folder("halfway", false);
    std::fs::write(folder.join("there"), "a\n").unwrap();
    // A file where a folder would have to be.
    std::fs::write(folder.join("file"), "").unwrap();
    let changes = [
        change("new", None, "n"),
        change("there", Some("a\n"), "b\n"),
        change("file/in", None, "n"),
        change("later", None, "n"),
    ];
    let error = format!("{:#}", write(&folder, &changes).unwrap_err());
    assert!(error.starts_with("what had been written is taken back"), "{error}");
    assert_eq!(std::fs::read_to_string(folder.join("there")).unwrap(), "a\n");
    assert!(!folder.join("new").exists() && !folder.join("later").exists());
    let changes = [change("deep/new", None, "n"), change("there", Some("a\n"), "b\n")];
    write(&folder, &changes).unwrap();
    assert_eq!(std::fs::read_to_string(folder.join("there")).unwrap(), "b\n");
    assert_eq!(std::fs::read_to_string(folder.join("deep/new")).unwrap(), "n");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_command_line_has_one_name() {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(wanted(&words("savings")).unwrap(), ("savings", false));
    assert_eq!(wanted(&words("--dry-run savings")).unwrap(), ("savings", true));
    for line in ["", "--dry-run", "savings pensions", "savings --force"] {
        let words = words(line);
        let error = wanted(&words).unwrap_err();
        assert!(usage(&error).is_some_and(|text| text.contains("usage: cargo xtask new-service")), "{line}");
    }
}
