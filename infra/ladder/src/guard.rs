//! The guard: a small `sh` that outlives us for as long as it takes to end and remove what we started.
//!
//! Its standard input is a pipe that only we hold, so it reads the end of file when we end, for whatever reason. It stands in
//! its own process group and ignores the terminal's signals: Ctrl-C reaches us, not it. Nothing is ever started outside its
//! sight: a watched process begins as `sh` waiting for one line, is named to the guard, and only then becomes the program.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::account::Account;

/// Reads `watch GROUP SIGNAL` and `forget GROUP`; at the end of its input it signals each watched process group, kills what is
/// left of it after six seconds, and removes the directory ($1).
const DIRECTORY: &str = r#"
trap '' INT TERM HUP QUIT
watched=
while read -r word group signal; do
    rest=
    for one in $watched; do
        [ "${one%%:*}" = "$group" ] || rest="$rest $one"
    done
    watched=$rest
    [ "$word" = watch ] && watched="$watched $group:$signal"
done
for one in $watched; do
    kill -s "${one#*:}" -- "-${one%%:*}"
done
n=0
alive=$watched
while [ $n -lt 60 ] && [ -n "$alive" ]; do
    alive=
    for one in $watched; do
        kill -s 0 -- "-${one%%:*}" && alive=yes
    done
    [ -n "$alive" ] && sleep 0.1
    n=$((n + 1))
done
for one in $watched; do
    kill -s KILL -- "-${one%%:*}"
done
n=0
while [ $n -lt 20 ] && ! rm -rf -- "$1"; do
    n=$((n + 1))
    sleep 0.1
done
"#;

/// The same for a container: $1 is the docker program, $2 the container's name. A `docker run` under way may still create it
/// after a first removal, so the absence has to be seen twice.
const CONTAINER: &str = r#"
trap '' INT TERM HUP QUIT
group=
while read -r word value signal; do
    case $word in watch) group=$value ;; forget) group= ;; esac
done
[ -n "$group" ] && kill -s TERM -- "-$group"
n=0
absent=0
while [ $n -lt 60 ] && [ $absent -lt 2 ]; do
    n=$((n + 1))
    "$1" rm -f -v "$2"
    [ -z "$("$1" ps -aq --filter "name=^/?$2\$")" ] && absent=$((absent + 1)) || absent=0
    sleep 0.2
done
"#;

/// Holds one guard; dropping it lets the guard do its work and waits for it.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    orders: Option<ChildStdin>,
}

impl Guard {
    /// Over a directory and the processes that work in it.
    pub fn over_directory(directory: &Path) -> Result<Self, String> {
        Self::post(Command::new("sh").args(["-c", DIRECTORY, "redoubt-postgres-guard"]).arg(directory))
    }

    /// Over a container.
    pub fn over_container(docker: &Path, name: &str) -> Result<Self, String> {
        Self::post(Command::new("sh").args(["-c", CONTAINER, "redoubt-postgres-guard"]).arg(docker).arg(name))
    }

    fn post(command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("the guard process cannot be started ({e})"))?;
        let orders = child.stdin.take();
        Ok(Self { child, orders })
    }

    /// Starts a program under the guard's eyes, in a process group of its own.
    pub fn start(&mut self, program: &Path, arguments: &[String], setting: &Setting<'_>) -> Result<Child, String> {
        let script = if setting.input { r#"read -r go && exec "$@""# } else { r#"read -r go && exec "$@" </dev/null"# };
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "redoubt-start"])
            .arg(program)
            .args(arguments)
            .current_dir(setting.directory)
            .process_group(0)
            .stdin(Stdio::piped());
        if setting.piped {
            command.stdout(Stdio::piped());
        } else if let Some(log) = setting.log {
            command.stdout(append(log)?).stderr(append(log)?);
        }
        if setting.rights.clean_environment {
            command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
        }
        command.envs(setting.environment.iter().copied());
        if let Some(account) = setting.rights.account {
            account.assume(&mut command);
        }
        let failed = |e: std::io::Error| format!("{} cannot be started ({e})", program.display());
        let mut child = command.spawn().map_err(failed)?;
        self.order(&format!("watch {} {}", child.id(), setting.signal));
        if let Some(mut gate) = child.stdin.take() {
            gate.write_all(b"go\n").map_err(failed)?;
            child.stdin = setting.input.then_some(gate);
        }
        Ok(child)
    }

    /// The watched process has ended and been reaped: its number may belong to somebody else from now on.
    pub fn forget(&mut self, child: &Child) {
        self.order(&format!("forget {}", child.id()));
    }

    fn order(&mut self, line: &str) {
        // A guard that is gone has done its work already, or was killed on purpose: nothing to do about either.
        if let Some(orders) = &mut self.orders {
            drop(orders.write_all(format!("{line}\n").as_bytes()));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.orders.take());
        drop(self.child.wait());
    }
}

/// Under which circumstances a watched program runs.
pub struct Setting<'a> {
    /// Its working directory.
    pub directory: &'a Path,
    /// Where both its outputs are appended; ours if none.
    pub log: Option<&'a Path>,
    /// Whether its standard output is a pipe to us (then in the returned child).
    pub piped: bool,
    /// Whether its standard input is a pipe from us (then in the returned child) or empty.
    pub input: bool,
    /// What it sees in its environment besides ours.
    pub environment: &'a [(&'a str, &'a str)],
    /// What the guard ends it with.
    pub signal: &'static str,
    /// Whose rights it has; ours unless a server asked for less.
    pub rights: Rights<'a>,
}

/// Rights of a program that is started.
#[derive(Default)]
pub struct Rights<'a> {
    pub(super) account: Option<&'a Account>,
    /// Whether it sees nothing of our environment (`PGDATA`, `PGPORT` and such would confuse a server).
    pub(super) clean_environment: bool,
}

impl<'a> Setting<'a> {
    /// Our environment, our outputs, no input, ended by SIGTERM.
    pub fn new(directory: &'a Path) -> Self {
        Self {
            directory,
            log: None,
            piped: false,
            input: false,
            environment: &[],
            signal: "TERM",
            rights: Rights::default(),
        }
    }
}

fn append(log: &Path) -> Result<Stdio, String> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(log);
    opened.map(Stdio::from).map_err(|e| crate::shell::explain(&format!("{} cannot be written ({e})", log.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;
    use std::time::Duration;

    fn directory() -> std::path::PathBuf {
        let directory = std::env::temp_dir().join(format!("redoubt-guard-{}", shell::random_hex(6).unwrap()));
        std::fs::create_dir(&directory).unwrap();
        directory
    }

    fn group_is_empty(child: &mut Child) -> bool {
        shell::poll(Duration::from_secs(5), || child.try_wait().unwrap()).is_some()
    }

    #[test]
    fn the_end_of_the_holder_ends_every_watched_group_and_removes_the_directory() {
        let directory = directory();
        let mut guard = Guard::over_directory(&directory).unwrap();
        let setting = Setting::new(&directory);
        let sleep = || ["-c".to_owned(), "sleep 100 & sleep 100".to_owned()];
        let mut first = guard.start(Path::new("/bin/sh"), &sleep(), &setting).unwrap();
        let mut second = guard.start(Path::new("/bin/sh"), &sleep(), &setting).unwrap();
        // As the kernel does when we are killed. The children must be reaped by somebody, here by us.
        drop(guard.orders.take());
        assert!(group_is_empty(&mut first) && group_is_empty(&mut second));
        drop(guard);
        assert!(!directory.exists());
    }

    #[test]
    fn a_forgotten_process_is_left_alone() {
        let directory = directory();
        let mut guard = Guard::over_directory(&directory).unwrap();
        let mut child = guard.start(Path::new("sleep"), &["100".to_owned()], &Setting::new(&directory)).unwrap();
        guard.forget(&child);
        drop(guard);
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn input_is_kept_when_asked_for() {
        let directory = directory();
        let log = directory.join("log");
        let mut guard = Guard::over_directory(&directory).unwrap();
        let setting = Setting { input: true, log: Some(&log), ..Setting::new(&directory) };
        let mut child = guard.start(Path::new("cat"), &[], &setting).unwrap();
        child.stdin.take().unwrap().write_all(b"through").unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "through");
    }
}
