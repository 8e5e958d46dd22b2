//! Bare ids: what a thing is called is a type of its own (`AccountId`, `Subject`), so that none is taken for another. A `Uuid` or a text says
//! nothing of what it names.
//!
//! In the services' programs no `Uuid` stands, and what is named like an id (`transfer_id`, `from_account`, `key`) is no text, however it is
//! wrapped. Where text is right, a comment says why, in the same line or the one before:
//!
//! ```text
//! partner_id: &str, // Text: the partner's name for it, which is not ours to judge.
//! ```

use super::Complaints;
use super::placement::{code, is_program, mentions};
use super::sources::Source;

/// Whose programs are held to it.
const HELD: &str = "services/";
/// The tables as the database has them.
const TABLES: &str = "/schema.rs";

/// The last word of a name that is an id's.
const NAMES: [&str; 10] = ["id", "account", "transfer", "payout", "subject", "user", "owner", "grant", "jkt", "key"];
const BARE: [&str; 3] = ["Uuid", "String", "str"];
/// What an id may be wrapped in.
const WRAPPERS: [&str; 9] = ["&", "mut ", "[", "Option<", "Vec<", "Arc<", "Rc<", "Box<", "Cow<"];
const MEANING: &str = "// Text: ";

pub(super) fn bare(files: &[Source]) -> Complaints {
    files.iter().filter(|file| is_held(&file.path)).flat_map(complaints).collect()
}

fn is_held(path: &str) -> bool {
    is_program(path) && !path.ends_with(TABLES) && path.starts_with(HELD)
}

fn complaints(file: &Source) -> Complaints {
    let found = file.unexplained(MEANING, |lines| bare_in(code(lines.first()?)));
    let complaint = |(line, what)| {
        format!(
            "{}:{line}: `{what}` does not say what it names: a type of the service's ids.rs, or say why it is text: `{MEANING}…`",
            file.path
        )
    };
    found.into_iter().map(complaint).collect()
}

/// The first bare id of the line. What SQL calls so (`Uuid as SqlUuid`) is none.
fn bare_in(line: &str) -> Option<String> {
    let named = line.match_indices(": ").find_map(|(at, colon)| {
        let (before, after) = (line.get(..at)?, line.get(at + colon.len()..)?);
        let begin = before.rfind(|c: char| !is_part(c)).map_or(0, |end| end + 1);
        let (name, bare) = (before.get(begin..)?, bare_type(after)?);
        NAMES.contains(&name.rsplit('_').next()?).then(|| format!("{name}: {bare}"))
    });
    let uuid = || mentions(&line.replace("Uuid as ", ""), "Uuid").then(|| "Uuid".to_owned());
    named.or_else(uuid)
}

/// The bare type that a type is, or has in it.
fn bare_type(mut text: &str) -> Option<&'static str> {
    loop {
        if let Some(rest) = WRAPPERS.iter().find_map(|wrapper| text.strip_prefix(wrapper)) {
            text = rest;
        } else if let Some(lifetime) = text.strip_prefix('\'') {
            text = lifetime.trim_start_matches(is_part).trim_start_matches([',', ' ']);
        } else {
            break;
        }
    }
    // `String::new()` is a value.
    let is =
        |bare: &&str| text.strip_prefix(bare).is_some_and(|rest| !rest.starts_with(is_part) && !rest.starts_with("::"));
    BARE.into_iter().find(is)
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEDGER: &str = "services/ledger/src/payouts/store.rs";

    fn complaints(path: &str, text: &str) -> Complaints {
        bare(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_bare_id_is_refused_with_its_line_and_what_to_write() {
        for (text, what) in [
            ("pub async fn post(state: &State, subject: &str, key: IdempotencyKey) {}", "subject: str"),
            ("async fn find(db: &mut Connection, transfer: Uuid) {}", "transfer: Uuid"),
            ("    pub(super) from_account: Option<Uuid>,", "from_account: Uuid"),
            ("    event_id: String,", "event_id: String"),
            ("    key: Option<&'a str>,", "key: str"),
            ("    owner: Cow<'a, str>,", "owner: str"),
            ("fn stand(payout: &[&str]) {}", "payout: str"),
            ("fn knows_device(user: Option<&str>, client: &ClientId) -> bool {", "user: str"),
            ("    jkt: Option<Vec<String>>,", "jkt: String"),
            ("let held = |subject: &String| true;", "subject: String"),
            ("fn of(wanted: Uuid) {}", "Uuid"),
            ("fn new() -> Uuid {", "Uuid"),
            ("use uuid::Uuid;", "Uuid"),
        ] {
            let complaints = complaints(LEDGER, &format!("//! Rows.\n{text}\n"));
            let said = format!("services/ledger/src/payouts/store.rs:2: `{what}` does not say what it names: ");
            assert!(complaints.len() == 1 && complaints[0].starts_with(&said), "{text}: {complaints:?}");
            assert!(complaints[0].ends_with("a type of the service's ids.rs, or say why it is text: `// Text: …`"));
        }
    }

    #[test]
    fn a_text_that_says_why_it_is_one_passes() {
        let beside = "    partner_id: &str, // Text: the partner's.\n";
        let above = "    // Text: the partner's.\n    partner_id: &str,\n";
        assert!(complaints(LEDGER, beside).is_empty() && complaints(LEDGER, above).is_empty());
        assert_eq!(complaints(LEDGER, "    partner_id: &str, // The partner's.\n").len(), 1);
        assert_eq!(complaints(LEDGER, "    partner_id: &str, // Text: \n").len(), 1);
        assert_eq!(complaints(LEDGER, &format!("{beside}    other_id: &str,\n    third_id: &str,\n")).len(), 1);
    }

    #[test]
    fn what_is_no_bare_id_passes() {
        for text in [
            "fn post(subject: &Subject, key: &IdempotencyKey, account: Option<AccountId>, payout: &Payout) {}",
            "    pub reference: String,",
            "let order = Order { key: String::new(), account: Uuids::none() };",
            "use diesel::sql_types::{Text, Uuid as SqlUuid};",
            "    #[diesel(sql_type = SqlUuid)]",
            "// once a `transfer: Uuid`",
            "fn keys(monkey: &str) {}",
        ] {
            assert_eq!(complaints(LEDGER, &format!("{text}\n")), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn every_service_is_held() {
        for service in ["attestation", "auth", "broker", "ledger", "one-that-is-yet-to-come"] {
            for file in ["ids.rs", "config.rs", "grants/store.rs", "pages/http/login.rs"] {
                let path = format!("services/{service}/src/{file}");
                assert_eq!(complaints(&path, "    grant_id: Uuid,\n    client_id: String,\n").len(), 2, "{path}");
            }
        }
    }

    #[test]
    fn what_is_not_held_is_left_alone() {
        let text = "    transfer_id: Uuid,\n";
        for path in [
            "services/ledger/src/schema.rs",
            "services/ledger/src/posting/fold_tests.rs",
            "services/ledger/src/posting/store/tests.rs",
            "services/ledger/tests/it/world.rs",
            "services/auth/src/schema.rs",
            "shared/storage/src/ids.rs",
        ] {
            assert!(complaints(path, text).is_empty(), "{path}");
        }
        assert!(complaints(LEDGER, &format!("#[cfg(test)]\nmod tests {{\n{text}}}\n")).is_empty());
    }
}
