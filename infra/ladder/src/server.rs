//! A private cluster: `initdb` into a directory of our own, one server on a Unix socket in it and on a free port of 127.0.0.1.

use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::guard::{Guard, Rights, Setting};
use crate::{Backup, Options, Tls, shell};

/// `sockaddr_un` holds 104 bytes on the smallest of the platforms; the socket's own name takes 20.
const LONGEST_DIRECTORY: usize = 80;
/// A free port can be taken by another process between our look and the server's bind.
pub(super) const PORT_ATTEMPTS: usize = 8;

/// With the files of [`Place::protect`], which are where the server looks for them.
const TLS_SETTINGS: [&str; 2] = ["ssl=on", "ssl_min_protocol_version=TLSv1.3"];
const HOST_RULES: &str = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

/// A running server. Dropping it stops the server and removes its directory.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    port: u16,
    password: String,
    tls: Option<Tls>,
    guard: Guard,
}

impl Server {
    /// Makes and starts a cluster.
    pub(super) fn start(binaries: &Binaries, options: &Options) -> Result<Self, String> {
        let account = Account::needed()?;
        let directory = make_directory(&options.work_dir, account.as_ref())?;
        let guard = Guard::over_directory(&directory).inspect_err(|_| drop(std::fs::remove_dir_all(&directory)))?;
        let place = Place { bin: reachable(binaries, account.as_ref(), &directory)?, directory, account };
        place.start(guard, options)
    }

    /// The superuser's URL.
    pub(super) fn url(&self) -> String {
        let (password, port) = (&self.password, self.port);
        match &self.tls {
            None => format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres"),
            Some(Tls { name, authority, .. }) => format!(
                "postgres://postgres:{password}@{name}:{port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={}",
                authority.display()
            ),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing in it is to be kept, so the shutdown is the immediate one (SIGQUIT).
        stop(&mut self.child);
        self.guard.forget(&self.child);
    }
}

/// Ends a server that is our child and reaps it.
fn stop(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Fails only if it has ended already.
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).ok();
    }
    if shell::poll(Duration::from_secs(10), || child.try_wait().transpose()).is_none() {
        drop(child.kill());
        drop(child.wait());
    }
}

struct Place {
    bin: PathBuf,
    directory: PathBuf,
    account: Option<Account>,
}

impl Place {
    fn start(&self, mut guard: Guard, options: &Options) -> Result<Server, String> {
        let password = match &options.backup {
            None => {
                let password = shell::random_hex(18)?;
                self.initialize(&mut guard, &password)?;
                password
            }
            Some(backup) => self.put_back(backup)?,
        };
        if let Some(tls) = &options.tls {
            self.protect(tls)?;
        }
        let tls = if options.tls.is_some() { TLS_SETTINGS.as_slice() } else { &[] };
        // It is ready once it has been recovered, and not while that goes on.
        let recovered = options.backup.as_ref().map(|_| "hot_standby=off");
        let more = options.settings.iter().map(String::as_str).chain(recovered);
        let settings: Vec<&str> = options.durability.settings().iter().chain(tls).copied().chain(more).collect();
        let mut failure = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            match self.serve(&mut guard, port, &settings) {
                Ok(child) => return Ok(Server { child, port, password, tls: options.tls.clone(), guard }),
                Err(log) if port_was_taken(&log) => failure = log,
                Err(log) => return Err(format!("the server did not start: {}", shell::explain(&telling_line(&log)))),
            }
        }
        Err(format!("no port stayed free for the server: {}", telling_line(&failure)))
    }

    fn initialize(&self, guard: &mut Guard, password: &str) -> Result<(), String> {
        let word = self.directory.join("password");
        write_private(&word, password, self.account.as_ref())?;
        let arguments = [
            "--pgdata=data".to_owned(),
            "--username=postgres".to_owned(),
            "--pwfile=password".to_owned(),
            "--auth=scram-sha-256".to_owned(),
            "--encoding=UTF8".to_owned(),
            "--locale=C".to_owned(),
            "--no-sync".to_owned(), // the cluster is new and empty: a crash of the machine now loses nothing
        ];
        let log = self.directory.join("initdb.log");
        let mut child = guard.start(&self.bin.join("initdb"), &arguments, &self.setting(&log))?;
        let status = child.wait().map_err(|e| format!("initdb was lost ({e})"))?;
        guard.forget(&child);
        drop(std::fs::remove_file(&word));
        if status.success() {
            return Ok(());
        }
        Err(format!("initdb failed: {}", shell::explain(&telling_line(&shell::logged(&log)))))
    }

    /// A copy of the backup, which is to be recovered; answers the superuser's password.
    fn put_back(&self, backup: &Backup) -> Result<String, String> {
        let data = self.directory.join("data");
        let text = |path: &Path| path.to_string_lossy().into_owned();
        shell::stdout("cp", &["-R", "-P", &text(&backup.directory), &text(&data)], Duration::from_mins(2))?;
        write_private(&data.join("recovery.signal"), "", None)?;
        shell::stdout("chmod", &["-R", "u=rwX,go=", &text(&data)], Duration::from_mins(1))?;
        if let Some(account) = &self.account {
            let owner = format!("{}:{}", account.uid, account.gid);
            shell::stdout("chown", &["-R", &owner, &text(&data)], Duration::from_mins(1))?;
        }
        let password = backup.url.split_once("://postgres:").and_then(|(_, rest)| rest.split_once('@'));
        password.map(|(password, _)| password.to_owned()).ok_or_else(|| "the backup's URL has no password".to_owned())
    }

    /// Its certificate and key, where the server may read them, and who may come in how: nobody over TCP without TLS.
    fn protect(&self, tls: &Tls) -> Result<(), String> {
        let data = self.directory.join("data");
        for (file, name) in [(&tls.certificate, "server.crt"), (&tls.key, "server.key")] {
            let text = std::fs::read_to_string(file).map_err(|e| format!("{} cannot be read ({e})", file.display()))?;
            write_private(&data.join(name), &text, self.account.as_ref())?;
        }
        let rules = data.join("pg_hba.conf");
        std::fs::write(&rules, HOST_RULES).map_err(|e| format!("{} cannot be written ({e})", rules.display()))
    }

    /// Err holds what the server logged.
    fn serve(&self, guard: &mut Guard, port: u16, settings: &[&str]) -> Result<Child, String> {
        let log = self.directory.join("server.log");
        drop(std::fs::remove_file(&log));
        let mut arguments: Vec<String> = ["-D", "data", "-k"].map(str::to_owned).to_vec();
        arguments.push(self.directory.to_string_lossy().into_owned());
        let port_setting = format!("port={port}");
        let always = ["listen_addresses=127.0.0.1", &port_setting, "max_connections=300"];
        for setting in always.iter().chain(settings) {
            arguments.extend(["-c".to_owned(), (*setting).to_owned()]);
        }
        let mut child = guard.start(&self.bin.join("postgres"), &arguments, &self.setting(&log))?;
        // Line 8 of the lock file turns to `ready` when sessions are accepted; it is what pg_ctl looks at.
        let lock = self.directory.join("data/postmaster.pid");
        let ready = shell::poll(Duration::from_secs(90), || match child.try_wait() {
            Ok(None) => says_ready(&lock).then_some(true),
            _ => Some(false),
        });
        if ready == Some(true) {
            return Ok(child);
        }
        stop(&mut child);
        guard.forget(&child);
        Err(shell::logged(&log))
    }

    fn setting<'a>(&'a self, log: &'a Path) -> Setting<'a> {
        let rights = Rights { account: self.account.as_ref(), clean_environment: true };
        // SIGQUIT is PostgreSQL's immediate shutdown.
        Setting { log: Some(log), signal: "QUIT", rights, ..Setting::new(&self.directory) }
    }
}

/// A fresh directory that the account owns and can reach: under `work_dir` if possible, else in the temporary directory.
fn make_directory(work_dir: &Path, account: Option<&Account>) -> Result<PathBuf, String> {
    let name = format!("pg-{}-{}", std::process::id(), shell::random_hex(4)?);
    let mut reason = String::new();
    for parent in [work_dir.join("postgres"), std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")] {
        match make_directory_in(&parent, &name, account) {
            Ok(directory) => return Ok(directory),
            Err(why) => reason = why,
        }
    }
    Err(shell::explain(&format!("no directory for the cluster: {reason}")))
}

fn make_directory_in(parent: &Path, name: &str, account: Option<&Account>) -> Result<PathBuf, String> {
    std::fs::create_dir_all(parent).map_err(|e| format!("{} cannot be made ({e})", parent.display()))?;
    let parent = parent.canonicalize().map_err(|e| e.to_string())?;
    let directory = parent.join(name);
    if directory.as_os_str().len() > LONGEST_DIRECTORY {
        return Err(format!("{} is too long a path for a Unix socket", directory.display()));
    }
    if let Some(account) = account.filter(|account| !account.may_pass(&parent)) {
        return Err(format!("{} is closed to the account `{}`", parent.display(), account.name));
    }
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .map_err(|e| format!("{} cannot be made ({e})", directory.display()))?;
    if let Some(account) = account {
        chown(&directory, Some(account.uid), Some(account.gid)).map_err(|e| {
            drop(std::fs::remove_dir(&directory));
            format!("{} cannot be given to `{}` ({e})", directory.display(), account.name)
        })?;
    }
    Ok(directory)
}

/// The programs' directory, or that of a copy where the account cannot reach the original (below root's home).
fn reachable(binaries: &Binaries, account: Option<&Account>, directory: &Path) -> Result<PathBuf, String> {
    let Some(account) = account.filter(|account| !account.may_pass(binaries.bin_dir())) else {
        return Ok(binaries.bin_dir().to_owned());
    };
    let copy = directory.join("installation");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    shell::stdout("cp", &["-R", "-P", &text(binaries.root()), &text(&copy)], Duration::from_mins(2)).map_err(|e| {
        format!("{} is closed to `{}` and could not be copied: {e}", binaries.bin_dir().display(), account.name)
    })?;
    let owner = format!("{}:{}", account.uid, account.gid);
    shell::stdout("chown", &["-R", &owner, &text(&copy)], Duration::from_mins(1))?;
    let bin = binaries.bin_dir().strip_prefix(binaries.root()).unwrap_or(Path::new(""));
    Ok(copy.join(bin))
}

fn write_private(path: &Path, content: &str, account: Option<&Account>) -> Result<(), String> {
    use std::io::Write;
    let write = || -> std::io::Result<()> {
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?
            .write_all(content.as_bytes())?;
        account.map_or(Ok(()), |account| chown(path, Some(account.uid), Some(account.gid)))
    };
    write().map_err(|e| shell::explain(&format!("{} cannot be written ({e})", path.display())))
}

pub(super) fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| format!("no free port on 127.0.0.1 ({e})"))
}

fn says_ready(lock: &Path) -> bool {
    // Lost: at first there is none.
    std::fs::read_to_string(lock).is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim() == "ready"))
}

fn port_was_taken(log: &str) -> bool {
    log.contains("could not create any TCP/IP sockets") || log.contains("Address already in use")
}

fn telling_line(log: &str) -> String {
    let telling = |line: &&str| {
        line.contains("FATAL") || line.contains("PANIC") || line.contains("error:") || line.contains("ERROR")
    };
    let line = log.lines().find(telling).or_else(|| log.lines().last()).unwrap_or("it logged nothing");
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_told_from_other_failures() {
        assert!(port_was_taken("FATAL:  could not create any TCP/IP sockets"));
        assert!(!port_was_taken("FATAL:  data directory has wrong ownership"));
    }

    #[test]
    fn the_line_that_tells_the_cause_is_chosen() {
        assert_eq!(telling_line("LOG: a\nFATAL:  cause\nLOG:  shut down"), "FATAL:  cause");
        assert_eq!(telling_line(""), "it logged nothing");
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused() {
        let parent = std::env::temp_dir().join("x".repeat(90));
        let reason = make_directory_in(&parent, "pg", None).unwrap_err();
        drop(std::fs::remove_dir(&parent));
        assert!(reason.contains("too long"), "{reason}");
    }
}
