//! Small dealings with the outside that std leaves to us: a command with a time limit, a poll, random words, and the first
//! packet of PostgreSQL's protocol.

#![expect(clippy::disallowed_methods, reason = "the ladder runs before any runtime: it polls processes and reads PATH")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);

/// Asks every 20 ms until there is an answer, at most for `limit`: by the clock, for asking takes time, too.
pub fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if began.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(STEP);
    }
}

/// The full path of a program of that name on the PATH.
pub fn which(name: &str) -> Option<PathBuf> {
    path_directories().into_iter().map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// The directories of the PATH.
pub(super) fn path_directories() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Runs a command; past the limit it is killed.
pub(super) fn run(command: &mut Command, limit: Duration) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{name} cannot be started ({e})"))?;
    // Read while it runs: a full pipe would stop it.
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let Some(ended) = poll(limit, || child.try_wait().transpose()) else {
        drop(child.kill());
        drop(child.wait());
        return Err(format!("{name} gave no answer within {} s", limit.as_secs()));
    };
    let status = ended.map_err(|e| format!("{name} was lost ({e})"))?;
    let text = |reader: JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
    Ok(Output { status, stdout: text(stdout), stderr: text(stderr) })
}

fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            drop(stream.read_to_end(&mut bytes)); // what came is what there is
        }
        bytes
    })
}

/// Runs a command and returns what it printed, or its last words as an error.
pub(super) fn stdout(program: impl AsRef<OsStr>, arguments: &[&str], limit: Duration) -> Result<String, String> {
    let output = run(Command::new(program).args(arguments), limit)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(last_words(&output))
    }
}

/// The last line that a failed command printed.
pub(super) fn last_words(output: &Output) -> String {
    let text = if output.stderr.trim_ascii().is_empty() { &output.stdout } else { &output.stderr };
    let text = String::from_utf8_lossy(text);
    explain(text.trim().lines().last().map_or("it failed without a word", str::trim))
}

/// What a program has logged, or why that is not known.
pub(super) fn logged(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_else(|e| format!("its log {} cannot be read ({e})", log.display()))
}

/// Names the cause where the tool's own words do not.
pub(super) fn explain(words: &str) -> String {
    if words.contains("No space left on device") || words.contains("ENOSPC") || words.contains("os error 28") {
        format!("the disk is full; free some space (about 1 GB) and run again ({words})")
    } else {
        words.to_owned()
    }
}

/// Random bytes as hexadecimal, for passwords and names.
pub fn random_hex(bytes: usize) -> Result<String, String> {
    let mut buffer = vec![0_u8; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .map_err(|e| format!("/dev/urandom cannot be read ({e})"))?;
    Ok(buffer.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}

/// Does a PostgreSQL server that accepts sessions listen there? Sends a startup packet (protocol 3.0) and looks at the first
/// byte: `R` asks for authentication; `E` is an answer too unless it says that the server is still starting (57P03).
pub fn answers(address: &str) -> bool {
    let limit = Duration::from_secs(2);
    let ask = || -> std::io::Result<bool> {
        let address = address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(STARTUP)?;
        let mut answer = [0_u8; 256];
        let length = stream.read(&mut answer)?;
        let answer = answer.get(..length).unwrap_or_default();
        Ok(match answer.first() {
            Some(b'R') => true,
            Some(b'E') => !answer.windows(5).any(|code| code == b"57P03"),
            _ => false,
        })
    };
    ask().unwrap_or(false)
}

/// Length 41, protocol 3.0, `user` and `database` both `postgres`.
const STARTUP: &[u8] = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_startup_packet_states_its_own_length() {
        assert_eq!(STARTUP.len(), usize::from(STARTUP[3]));
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let error = run(Command::new("sleep").arg("60"), Duration::from_millis(60)).unwrap_err();
        assert!(error.contains("no answer"), "{error}");
    }

    #[test]
    fn a_command_that_says_a_lot_is_heard_out() {
        let said = stdout("sh", &["-c", "yes | head -c 500000"], Duration::from_secs(10)).unwrap();
        assert!(said.len() > 490_000);
    }

    #[test]
    fn a_full_disk_is_named() {
        assert!(explain("could not write: No space left on device").starts_with("the disk is full"));
    }

    #[test]
    fn random_words_differ() {
        assert_ne!(random_hex(16).unwrap(), random_hex(16).unwrap());
    }
}
