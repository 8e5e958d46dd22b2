//! Which library may be used in which files: a handler holds no SQL, a store knows no HTTP, only the broker's egress builds a
//! client that may leave the system, what is read from the wire is no bare `Uuid`, and an audit line has one way into the log.

use super::Complaints;
use super::sources::Source;

struct Rule {
    /// Names of crates, or of a type, as they stand in code.
    crates: &'static [&'static str],
    /// If not empty, the rule is about files under these folders or of these names only.
    about: &'static [&'static str],
    /// If not empty, the use counts only when the file also has one of these.
    when: &'static [&'static str],
    /// Folders in which it may be.
    folders: &'static [&'static str],
    /// Names of files of a service (or of a folder of it, for what has outgrown one file).
    files: &'static [&'static str],
    says: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        crates: &["actix_web", "actix_service", "actix_tls", "actix_http", "actix_server", "actix_rt"],
        about: &[],
        when: &[],
        folders: &["shared/runtime/", "shared/defense/", "shared/testkit/"],
        files: &["lib", "routes", "http"],
        says: "actix stands in runtime, defense and a service's lib.rs, routes.rs and http.rs",
    },
    Rule {
        crates: &["diesel", "diesel_async"],
        about: &[],
        when: &[],
        folders: &["shared/storage/", "shared/testkit/"],
        files: &["store", "schema"],
        says: "diesel stands in storage and a service's store.rs and schema.rs",
    },
    Rule {
        crates: &["reqwest"],
        about: &[],
        when: &["Client::builder(", "Client::new(", "ClientBuilder::new("],
        folders: &["shared/runtime/", "shared/testkit/", "services/broker/src/egress/", "mobile-sdk/", "e2e/"],
        files: &[],
        says: "HTTP clients are built by runtime (for services) and the broker's egress (for the world)",
    },
    Rule {
        crates: &["Uuid"],
        about: &["shared/api/src/", "/http.rs", "/routes.rs"],
        when: &[],
        folders: &["shared/api/src/id.rs"],
        files: &[],
        says: "an id on the wire is an `api::Id`: `Uuid` reads other spellings too",
    },
    Rule {
        crates: &["target: \"audit\""],
        about: &[],
        when: &[],
        folders: &["shared/runtime/"],
        files: &[],
        says: "an audit line is written by `runtime::audit`, whose lines say where the request came from",
    },
];

pub(super) fn all(files: &[Source]) -> Complaints {
    // This crate uses none of them, as the dependency direction proves; it only names them.
    let ours = |path: &str| !path.starts_with("infra/xtask/") && !is_test(path);
    let rust = |file: &&Source| file.path.strip_suffix(".rs").is_some_and(ours);
    files.iter().filter(rust).flat_map(|file| RULES.iter().filter_map(|rule| rule.complain(file))).collect()
}

pub(super) fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "examples" || part == "benches") || path.ends_with("_tests")
}

/// Rust that is no test, whether it has a folder or a file of its own.
pub(super) fn is_program(path: &str) -> bool {
    path.strip_suffix(".rs").is_some_and(|path| !is_test(path) && !path.ends_with("/tests"))
}

impl Rule {
    fn complain(&self, file: &Source) -> Option<String> {
        if self.allows(&file.path) || !self.is_about(&file.path) {
            return None;
        }
        let text = file.program();
        let relevant =
            self.when.is_empty() || text.lines().any(|line| self.when.iter().any(|sign| code(line).contains(sign)));
        let used = |line: &str| self.crates.iter().any(|name| mentions(code(line), name));
        let at = text.lines().position(used).filter(|_| relevant)?;
        Some(format!("{}:{}: {}", file.path, at + 1, self.says))
    }

    fn is_about(&self, path: &str) -> bool {
        self.about.is_empty() || self.about.iter().any(|place| path.starts_with(place) || path.ends_with(place))
    }

    fn allows(&self, path: &str) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder))
            || path.starts_with("services/")
                && path.split('/').skip(3).any(|part| self.files.contains(&part.trim_end_matches(".rs")))
    }
}

/// The line without its comment.
pub(super) fn code(line: &str) -> &str {
    let line = line.split_once(" //").map_or(line, |(code, _)| code);
    if line.trim_start().starts_with("//") { "" } else { line }
}

/// Does the line have this identifier, as a whole word?
pub(super) fn mentions(line: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Complaints {
        all(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn sql_in_a_handler_is_refused() {
        let found =
            complaints("services/ledger/src/transfers/http.rs", "use actix_web::web;\nuse diesel::prelude::*;\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("services/ledger/src/transfers/http.rs:2:"), "{found:?}");
        assert!(complaints("services/ledger/src/transfers/store.rs", "use diesel::prelude::*;").is_empty());
        assert!(complaints("services/ledger/src/store/rows.rs", "use diesel::prelude::*;").is_empty());
    }

    #[test]
    fn http_in_the_domain_is_refused() {
        assert_eq!(complaints("services/ledger/src/transfers/post.rs", "use actix_web::HttpResponse;").len(), 1);
        assert_eq!(complaints("shared/money/src/lib.rs", "fn f(_: actix_web::HttpRequest) {}").len(), 1);
    }

    #[test]
    fn an_audit_line_past_the_recorder_is_refused() {
        let text = "tracing::info!(target: \"audit\", event = \"login\");";
        assert_eq!(complaints("services/auth/src/people/log_in.rs", text).len(), 1);
        assert!(complaints("services/auth/src/people/log_in.rs", "runtime::audit!(\"login\");").is_empty());
        assert!(complaints("shared/runtime/src/audit.rs", text).is_empty());
    }

    #[test]
    fn a_client_for_the_world_is_built_in_the_brokers_egress_only() {
        let text = "let client = reqwest::Client::builder().build();";
        assert_eq!(complaints("services/auth/src/login/mod.rs", text).len(), 1);
        assert!(complaints("services/broker/src/egress/client.rs", text).is_empty());
        assert!(complaints("services/auth/src/keys.rs", "fn fetch(client: &reqwest::Client) {}").is_empty());
    }

    #[test]
    fn a_bare_uuid_on_the_wire_is_refused() {
        let handler = "async fn get(path: web::Path<uuid::Uuid>) {}";
        assert_eq!(complaints("services/ledger/src/transfers/http.rs", handler).len(), 1);
        assert_eq!(complaints("shared/api/src/transfers.rs", "pub id: Uuid,").len(), 1);
        assert!(complaints("shared/api/src/id.rs", "use uuid::Uuid;").is_empty());
        assert!(complaints("services/ledger/src/transfers/http.rs", "let id = path.uuid();").is_empty());
        assert!(complaints("services/ledger/src/transfers/post.rs", "use uuid::Uuid;").is_empty());
    }

    #[test]
    fn comments_and_longer_names_do_not_count() {
        assert!(
            complaints(
                "shared/api/src/lib.rs",
                "//! No actix_web here.\nlet x = 1; // diesel\nuse diesel_migrations::X;"
            )
            .is_empty()
        );
    }

    #[test]
    fn tests_may_use_what_they_need() {
        assert!(complaints("services/ledger/tests/it/main.rs", "use diesel::prelude::*;").is_empty());
        assert!(complaints("shared/api/src/lib.rs", "#[cfg(test)]\nmod tests {\n    use diesel::x;\n}").is_empty());
    }
}
