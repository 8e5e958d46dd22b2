//! A Prometheus for tests: on this machine, or out of Debian's package, fetched by apt and unpacked, without being root and without installing anything.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use crate::server::free_port;
use crate::{Guard, Rights, Setting, debian, shell};

/// How long it may take to be ready, and to answer.
const START: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(5);

/// Debian's package; its programs need nothing else of it.
const PACKAGE: &str = "prometheus";

/// The server, and the tool that reads its files.
#[derive(Debug, Clone)]
pub struct Software {
    pub server: PathBuf,
    pub promtool: PathBuf,
}

impl Software {
    /// From this machine, or fetched now.
    ///
    /// # Errors
    ///
    /// Neither: why.
    pub fn bring(work_dir: &Path, say: fn(&str)) -> Result<Self, String> {
        if let (Some(server), Some(promtool)) = (shell::which("prometheus"), shell::which("promtool")) {
            return Ok(Self { server, promtool });
        }
        let programs = debian::unpacked(PACKAGE, work_dir, say)?.join("usr/bin");
        Ok(Self { server: programs.join("prometheus"), promtool: programs.join("promtool") })
    }
}

/// What would be used here, or why nothing can be, without fetching anything.
///
/// # Errors
///
/// Nothing can be: why.
pub fn survey() -> Result<String, String> {
    match (shell::which("prometheus"), shell::which("apt-get"), shell::which("dpkg-deb")) {
        (Some(server), ..) => Ok(server.display().to_string()),
        (None, Some(_), Some(_)) => Ok("Debian's package would be fetched with apt-get".to_owned()),
        _ => Err("prometheus is not on the PATH (apt-get install prometheus)".to_owned()),
    }
}

/// A running Prometheus. Dropping it ends it and removes its directory.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    guard: Guard,
}

impl Server {
    /// Starts one with this configuration, on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// It does not start: why.
    pub fn start(software: &Software, configuration: &str) -> Result<Self, String> {
        let directory = std::env::temp_dir().join(format!("redoubt-prometheus-{}", shell::random_hex(8)?));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(|e| shell::explain(&format!("{} cannot be made ({e})", directory.display())))?;
        let mut guard = Guard::over_directory(&directory).inspect_err(|_| drop(std::fs::remove_dir_all(&directory)))?;
        let (settings, log, port) = (directory.join("prometheus.yaml"), directory.join("log"), free_port()?);
        std::fs::write(&settings, configuration).map_err(|e| shell::explain(&e.to_string()))?;
        let arguments = [
            format!("--config.file={}", settings.display()),
            format!("--storage.tsdb.path={}", directory.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let rights = Rights { account: None, clean_environment: true };
        let setting = Setting { log: Some(&log), rights, ..Setting::new(&directory) };
        let child = guard.start(&software.server, &arguments, &setting)?;
        let mut server = Self { child, port, guard };
        let ready = shell::poll(START, || match server.child.try_wait() {
            Ok(None) => server.ask("/-/ready").is_ok().then_some(true),
            _ => Some(false),
        });
        if ready == Some(true) {
            return Ok(server);
        }
        Err(format!("Prometheus did not start: {}", shell::logged(&log)))
    }

    /// What it answers with 200 to `GET path`.
    ///
    /// # Errors
    ///
    /// It answers something else, or nothing in time.
    pub fn ask(&self, path: &str) -> Result<String, String> {
        let asked = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(ANSWER))?;
            // Without chunks, and it ends when all is said.
            stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = asked().map_err(|e| e.to_string())?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
            _ => Err(answer),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.guard.forget(&self.child);
    }
}
