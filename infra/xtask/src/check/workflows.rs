//! What runs at the forge: actions of others are named by commit, because a tag is whatever its owner says today; a workflow may do what it says; and the versions of
//! what it installs stand there.

use super::Complaints;
use super::sources::Source;

const FOLDER: &str = ".github/workflows/";

pub(super) fn all(files: &[Source]) -> Complaints {
    files.iter().filter(|file| file.path.starts_with(FOLDER)).flat_map(workflow).collect()
}

fn workflow(file: &Source) -> Complaints {
    let mut complaints: Complaints = file
        .text
        .lines()
        .enumerate()
        .filter_map(|(number, line)| line_of(line).map(|why| format!("{}:{}: {why}", file.path, number + 1)))
        .collect();
    if !file.text.lines().any(|line| line == "permissions:") {
        complaints
            .push(format!("{}: no `permissions` for all of it: it may do what the forge's default is", file.path));
    }
    complaints
}

fn line_of(line: &str) -> Option<&'static str> {
    let line = line.trim_start().trim_start_matches("- ");
    // What stands in this tree is of this commit.
    if let Some(action) = line.strip_prefix("uses: ").filter(|action| !action.starts_with("./.github/")) {
        let by_commit = action.split_once('@').and_then(|(_, at)| at.split_once(" # v")).is_some_and(|(commit, _)| {
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        });
        return (!by_commit).then_some("an action is named by its commit, with its version behind it (`# v1.2.3`)");
    }
    let unpinned = line.contains("cargo install ") && !(line.contains(" --locked ") && line.contains(" --version "));
    unpinned.then_some("what is installed has a version and its own lock file (`--locked --version`)")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name: x\npermissions:\n  contents: read\njobs:\n  one:\n    steps:\n      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2\n      - run: cargo install a --locked --version 1.0.0\n";

    fn complain(path: &str, text: &str) -> Complaints {
        all(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn what_is_not_pinned_or_says_not_what_it_may_is_refused_with_the_line() {
        let path = ".github/workflows/x.yml";
        assert_eq!(complain(path, GOOD), Vec::<String>::new());
        for (from, to, says) in [
            ("11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2", "v4", "x.yml:7: an action"),
            ("11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2", "main # v4.2.2", "x.yml:7: an action"),
            (" # v4.2.2", "", "x.yml:7: an action"),
            ("@11bd", "@11bg", "x.yml:7: an action"),
            (" --version 1.0.0", "", "x.yml:8: what is installed"),
            (" --locked", "", "x.yml:8: what is installed"),
            ("permissions:\n  contents: read\n", "", "x.yml: no `permissions`"),
        ] {
            let broken = GOOD.replacen(from, to, 1);
            assert_ne!(broken, GOOD, "{from}");
            let complaints = complain(path, &broken);
            assert!(complaints.len() == 1 && complaints[0].contains(says), "{from} → {to}: {complaints:?}");
        }
        let ours = GOOD.replacen(
            "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2",
            "./.github/workflows/ci.yml",
            1,
        );
        assert_eq!(complain(path, &ours), Vec::<String>::new());
        assert_eq!(complain("docs/x.yml", "uses: a@b"), Vec::<String>::new(), "that is elsewhere");
    }
}
