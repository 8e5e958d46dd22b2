//! A server that somebody else runs, named by a URL: whether it will do, and that nobody else of ours uses it at the same time. Two systems on one server
//! would drop each other's databases, and give each other's roles new passwords.
//!
//! Whoever uses it holds an advisory lock for as long as its session lives, so that it ends with its process, however that ends. The lock belongs to one
//! database and the databases that are made to the whole server; so whoever has it looks for others in other databases, and the older session stays.

use crate::OLDEST_MAJOR;
use crate::session::Session;
use crate::url::Given;

/// The two keys of the lock. A shared lock is for test processes, which share one server.
const LOCK: (i32, i32) = (7_235_414, 1);

/// How a server is used, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nobody else of ours may use it at the same time. The name of the command, for others to see.
    Alone(String),
    /// Those that do the same may.
    Together(String),
}

/// The lock of a session, and what the server is.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) about: String,
    /// None where the URL asks for TLS.
    pub(crate) session: Option<Session>,
}

/// What the server is, if it will do and nobody of ours uses it. It starts nothing.
pub(crate) fn look(url: &str) -> Result<String, String> {
    let given = Given::read(url)?;
    if given.tls {
        Session::offers_tls(&given)?;
        return Ok(over_tls(&given));
    }
    let mut session = Session::open(&given, "cargo xtask doctor")?;
    let about = suits(&mut session, &given)?;
    match holders(&mut session, "true")?.first() {
        Some(holder) => Err(taken(&given, holder)),
        None => Ok(about),
    }
}

/// The same, and takes it.
pub(crate) fn take(url: &str, how: &Use) -> Result<Taken, String> {
    let given = Given::read(url)?;
    if given.tls {
        Session::offers_tls(&given)?;
        return Ok(Taken { about: over_tls(&given), session: None });
    }
    let (command, function, rivals) = match how {
        Use::Alone(command) => (command, "pg_try_advisory_lock", "true"),
        Use::Together(command) => (command, "pg_try_advisory_lock_shared", "l.mode = 'ExclusiveLock'"),
    };
    let mut session = Session::open(&given, &format!("{command}, pid {}", std::process::id()))?;
    let about = suits(&mut session, &given)?;
    let (first, second) = LOCK;
    let got = session.ask(&format!("select {function}({first}, {second})"))?;
    let got = got.first().and_then(|row| row.first()?.as_deref()) == Some("t");
    // With the lock of another database in hand, the older session stays.
    let older =
        "(a.backend_start, l.pid) < (select backend_start, pid from pg_stat_activity where pid = pg_backend_pid())";
    let rivals = if got { format!("{rivals} and {older}") } else { "true".to_owned() };
    match holders(&mut session, &rivals)?.first() {
        Some(holder) => Err(taken(&given, holder)),
        None if got => Ok(Taken { about, session: Some(session) }),
        None => Err(format!("the server at {} was just in use by another: run this again", given.place())),
    }
}

fn over_tls(given: &Given) -> String {
    let place = given.place();
    format!(
        "the server at {place}, over TLS: its login is tried after the build, and nobody is kept from using it at the same time"
    )
}

fn taken(given: &Given, holder: &str) -> String {
    format!(
        "the server at {} is in use by {holder}: two systems on one server would drop each other's databases. End that one, or name another server",
        given.place()
    )
}

/// The server's version, if databases can be made in it.
fn suits(session: &mut Session, given: &Given) -> Result<String, String> {
    let place = given.place();
    let rows = session.ask(
        "select current_setting('server_version'), current_setting('server_version_num')::int / 10000, pg_is_in_recovery(), \
         (select rolsuper from pg_roles where rolname = current_user)",
    )?;
    let columns: Vec<&str> = rows.iter().flatten().map(|column| column.as_deref().unwrap_or_default()).collect();
    let [version, major, standby, superuser] = columns.as_slice() else {
        return Err(format!("the server at {place} does not say what it is"));
    };
    if major.parse::<u32>().map_err(|e| format!("the server at {place} has no version ({e})"))? < OLDEST_MAJOR {
        return Err(format!("the server at {place} is PostgreSQL {version}, at least {OLDEST_MAJOR} is needed"));
    }
    if *standby != "f" {
        return Err(format!("the server at {place} only reads: it is a standby"));
    }
    if *superuser != "t" {
        let user = &given.user;
        return Err(format!(
            "the role {user} at {place} is no superuser, and may not make the roles and databases that are needed: name one that is"
        ));
    }
    Ok(format!("the server at {place}, PostgreSQL {version}"))
}

/// Those who hold the lock in any database, but for this session; the oldest first.
fn holders(session: &mut Session, which: &str) -> Result<Vec<String>, String> {
    let (first, second) = LOCK;
    let rows = session.ask(&format!(
        "select coalesce(nullif(a.application_name, ''), 'a session without a name'), coalesce(host(a.client_addr), 'a socket'), \
         to_char(a.backend_start at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS') \
         from pg_locks l join pg_stat_activity a using (pid) \
         where l.locktype = 'advisory' and l.classid = {first} and l.objid = {second} and l.objsubid = 2 and l.granted \
         and l.pid <> pg_backend_pid() and {which} order by a.backend_start, l.pid"
    ))?;
    let words = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
    let holder = |row| match words(row).as_slice() {
        [name, from, since] => Ok(format!("{name}, from {from}, since {since} UTC")),
        other => Err(format!("the server's list of locks has other columns: {other:?}")),
    };
    rows.into_iter().map(holder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cluster, Durability, Mode, Options, Rung};

    /// A server of this test's own.
    fn server() -> Cluster {
        let mut options = Options::new(std::env::temp_dir(), Durability::Disposable);
        options.mode = Mode::Only(Rung::System);
        let system = crate::bring(&options);
        options.mode = Mode::Only(Rung::Embedded);
        system.or_else(|_| crate::bring(&options)).expect("no PostgreSQL of this machine or a registry's")
    }

    fn in_database(url: &str, database: &str) -> String {
        format!("{}/{database}", url.rsplit_once('/').unwrap().0)
    }

    fn alone(command: &str) -> Use {
        Use::Alone(command.to_owned())
    }

    #[test]
    fn the_second_is_refused_and_hears_who_the_first_is_until_that_ends() {
        let server = server();
        let first = take(server.url(), &alone("cargo xtask up")).unwrap();
        assert!(first.about.contains("PostgreSQL 1"), "{}", first.about);
        // Another database of the same server, where the lock is another one.
        let elsewhere = in_database(server.url(), "template1");
        let together = Use::Together("cargo test".to_owned());
        for (url, how) in [(server.url(), alone("b")), (&elsewhere, alone("c")), (&elsewhere, together.clone())] {
            let text = take(url, &how).unwrap_err();
            let me = format!("cargo xtask up, pid {}, from 127.0.0.1, since 20", std::process::id());
            assert!(text.contains(&me) && text.contains("drop each other's databases"), "{text}");
        }
        assert!(look(server.url()).unwrap_err().contains("cargo xtask up"));
        drop(first);
        // The server notices the end of a session a moment later.
        let free = crate::shell::poll(std::time::Duration::from_secs(10), || look(server.url()).ok());
        assert!(free.is_some());
        let shared = [take(server.url(), &together).unwrap(), take(&elsewhere, &together).unwrap()];
        assert!(take(server.url(), &alone("d")).unwrap_err().contains("cargo test"));
        drop(shared);
    }

    #[test]
    fn what_will_not_do_is_named_without_a_word_of_the_password() {
        let server = server();
        let url = server.url();
        let password = url.split([':', '@']).nth(2).unwrap();
        let mut session = Session::open(&Given::read(url).unwrap(), "test").unwrap();
        session.ask("create role clerk login createdb createrole password 'hunter2'").unwrap();
        let [host, wrong, clerk, nowhere, tls] = [
            url.replace(password, "hunter2").replace("127.0.0.1", "127.0.0.9"),
            url.replace(password, "hunter2"),
            url.replace(&format!("postgres:{password}"), "clerk:hunter2"),
            in_database(url, "nowhere"),
            format!("{url}?sslmode=verify-full&sslrootcert=x"),
        ];
        for (url, named) in [
            (host.as_str(), "no server answers at 127.0.0.9"),
            (&wrong, "password authentication failed"),
            (&clerk, "the role clerk at"),
            (&nowhere, "does not exist"),
            (&tls, "offers no TLS"),
            ("postgres://u:hunter2@127.0.0.1:1/x", "no server answers at 127.0.0.1:1"),
        ] {
            let text = look(url).unwrap_err();
            assert!(text.contains(named) && !text.contains("hunter2") && !text.contains(password), "{text}");
            assert_eq!(take(url, &alone("up")).unwrap_err(), text);
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for_without_end_and_one_of_another_kind_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
        });
        let text = look(&format!("postgres://u:p@127.0.0.1:{port}/x")).unwrap_err();
        other.join().unwrap();
        assert!(text.contains("does not speak PostgreSQL's protocol"), "{text}");
    }
}
