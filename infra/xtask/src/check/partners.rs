//! No third party in the code: who they are, what their operations and their events are called, stands in manifests and configuration, so that a
//! partner is added without Rust ([the guide](../../../../docs/guides/add-a-partner.md)).

use super::Complaints;
use super::placement::{is_program, mentions};
use super::sources::Source;

/// Where the manifests are.
const MANIFESTS: &str = "services/broker/manifests/";
/// The programs that deal with third parties, or start those that do.
const PROGRAMS: [&str; 4] = ["services/broker/src/", "services/ledger/src/", "shared/api/src/", "infra/xtask/src/"];

pub(super) fn named(files: &[Source]) -> Complaints {
    let names: Vec<&str> = files.iter().filter(|file| file.path.starts_with(MANIFESTS)).flat_map(names).collect();
    files.iter().filter(|file| is_held(&file.path)).flat_map(|file| complaints(file, &names)).collect()
}

fn is_held(path: &str) -> bool {
    is_program(path) && PROGRAMS.iter().any(|program| path.starts_with(program))
}

/// The provider, its operations and its events.
fn names(manifest: &Source) -> impl Iterator<Item = &str> {
    manifest.text.lines().filter_map(|line| {
        let provider = line.strip_prefix("name = ");
        let table = |head| line.strip_prefix(head).and_then(|rest: &str| rest.strip_suffix(']'));
        // A name without quotes ends where a table within it begins.
        let operation = table("[operations.").and_then(|name| name.split('.').next());
        let name = provider.or(operation).or_else(|| table("[webhook.events."))?;
        Some(name.trim_matches('"'))
    })
}

/// Comments count, too: what a reader has to know of a partner stands in its manifest.
fn complaints(file: &Source, names: &[&str]) -> Complaints {
    let complaint = |(number, line): (usize, &str)| {
        let name = names.iter().find(|name| mentions(line, name))?;
        Some(format!(
            "{}:{}: names `{name}`, which stands in a manifest: no code knows a partner",
            file.path,
            number + 1
        ))
    };
    file.program().lines().enumerate().filter_map(complaint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "name = \"some-bank\"\n[operations.send]\n[operations.send.params]\n[webhook.events.\"money.in\"]\n";

    fn complain(path: &str, text: &str) -> Complaints {
        let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        named(&[file("services/broker/manifests/some-bank.toml", MANIFEST), file(path, text)])
    }

    #[test]
    fn code_that_names_a_partner_or_what_is_its_own_is_refused_with_the_line() {
        for line in [
            "const P: &str = \"some-bank\";",
            "format!(\"{url}/some-bank/x\")",
            "\"send\" => 1",
            "// as money.in is",
            "\"money.in\"",
        ] {
            let complaints = complain("services/ledger/src/payouts/mod.rs", &format!("\n{line}\n"));
            assert!(
                complaints.len() == 1 && complaints[0].starts_with("services/ledger/src/payouts/mod.rs:2: "),
                "{line}"
            );
        }
    }

    #[test]
    fn tests_stand_ins_and_longer_words_may() {
        for line in ["fn sender()", "resend()", "\"params\""] {
            assert_eq!(complain("services/ledger/src/lib.rs", line), Complaints::new(), "{line}");
        }
        for path in [
            "services/ledger/tests/it/world.rs",
            "shared/testkit/src/partner.rs",
            "services/broker/src/providers/catalogue/tests.rs",
        ] {
            assert_eq!(complain(path, "\"some-bank\""), Complaints::new(), "{path}");
        }
        let text = "fn x() {}\n#[cfg(test)]\nmod tests {\n    // some-bank\n}\n";
        assert_eq!(complain("services/broker/src/webhooks/event.rs", text), Complaints::new());
    }
}
