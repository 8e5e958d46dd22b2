//! `cargo xtask up`: the system kept running on fixed ports.

use anyhow::Result;
use system::system;

use crate::options::Options;
use crate::stack::{CONSOLE, DESK, Kind, Stack};
use crate::stop::Stop;
use crate::{interrupt, place, say};

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stack = Stack::start(Kind::Up, options)?;
    let report = place::target().join("dev/report.html");
    let seeded = stack.tell(&["seed"], &report)?;
    if !seeded.success() {
        say::line(&format!("(no users could be seeded: {seeded})"));
    }
    if let Err(error) = stack.open_console(&report, seeded.success()) {
        return Err(stack.keep_logs(error));
    }
    print_table(&stack)?;
    let _phones = stack.offer(&report)?;
    let outcome = interrupt::wait(None, || stack.all_alive().map(|()| None::<()>));
    match outcome {
        // Ctrl-C is the way out, not a failure.
        Err(error) if matches!(error.downcast_ref(), Some(Stop::Interrupted)) => {
            say::line("");
            stack.end()
        }
        Err(error) => Err(stack.keep_logs(error)),
        Ok(_) => stack.end(),
    }
}

fn print_table(stack: &Stack) -> Result<()> {
    println!("\nREDOUBT is up; Ctrl-C stops it\n");
    println!("  {:<12} {}", CONSOLE, stack.url(CONSOLE)?);
    println!("  {:<12} {}/desk", DESK, stack.url(DESK)?);
    for service in &system()?.services {
        match service.public {
            // What it takes and answers, as a page: at its root there is none.
            Some(_) => println!("  {:<12} {}/docs", service.name, stack.url(&service.name)?),
            None => println!(
                "  {:<12} {}, from inside only",
                service.name,
                stack.url(&format!("{}-internal", service.name))?
            ),
        }
    }
    if stack.has_edge() {
        println!("  {:<12} {}", "edge's logs", place::short(&stack.logs().join("edge*.log")));
    }
    println!("  {:<12} {}", "partner", stack.url("partner")?);
    println!("  {:<12} http://127.0.0.1:7020/traces", "traces");
    println!("  {:<12} {}", "database", masked(stack.database_url()));
    println!("  {:<12} {}", "its roles", place::short(&stack.url_file("*", "*.url")));
    println!("  {:<12} {}", "logs", place::short(&stack.logs()));
    println!(
        "\n  curl --cacert {}/public-ca.pem \\\n    {}/.well-known/openid-configuration\n",
        place::short(stack.pki()),
        stack.url("auth")?
    );
    Ok(())
}

/// A URL to be shown: whatever may be a password in it is not. What one sees on a screen is copied into tickets and chats, and stays in
/// the log of a pipeline; who needs the password reads it from the roles' files, which only their owner can.
fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) =
        rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len())).unwrap_or((rest, ""));
    if path.contains('@') {
        // Not where a URL has one (RFC 3986 §3.2): then a password is not where one looks for it either.
        return format!("{scheme}://***");
    }
    let shown = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    let (path, query) = path.split_once(['?', '#']).map_or((path, ""), |(path, _)| (path, "?***"));
    format!("{scheme}://{shown}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://postgres:hunter2@127.0.0.1:5432/postgres", "postgres://postgres:***@127.0.0.1:5432/postgres"),
            ("postgres://a:p@ss:hunter2@[::1]:5432/x", "postgres://a:***@[::1]:5432/x"),
            ("postgres://a@host/x?password=hunter2&sslmode=require", "postgres://a@host/x?***"),
            ("postgres://a:hunter2/?@host/x", "postgres://***"),
            ("postgres://host/x?password=hunter@2", "postgres://***"),
            ("postgres://host/x", "postgres://host/x"),
        ] {
            assert_eq!(masked(url), shown);
        }
    }
}
