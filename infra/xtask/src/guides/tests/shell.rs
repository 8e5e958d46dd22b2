//! A shell that a reader of a guide types into: one for a guide, so that what an earlier command has set a later one finds.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// A guide's commands take moments; packages come from a registry.
const LIMIT: Duration = Duration::from_mins(1);
const END: &str = "@@ended@@ ";

pub(super) struct Shell {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

impl Shell {
    pub(super) fn start(directory: &Path, environment: &BTreeMap<String, String>) -> Self {
        let mut child = Command::new("bash")
            .current_dir(directory)
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"exec 2>&1\n").unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, input, output }
    }

    /// What the command printed, and how it ended. `answer` is what a person types when they have read a line.
    pub(super) fn run(&mut self, command: &str, mut answer: impl FnMut(&str) -> Option<String>) -> (String, i32) {
        // In one line: what the command reads is what a person types, and not the next command.
        let line = format!("{{ {} ; }}; printf '\\n{END}%s\\n' \"$?\"\n", uncommented(command));
        self.input.write_all(line.as_bytes()).unwrap();
        let (mut printed, began) = (String::new(), Instant::now());
        loop {
            let left = LIMIT.checked_sub(began.elapsed());
            let line = left.and_then(|left| self.output.recv_timeout(left).ok());
            let Some(line) = line else { panic!("`{command}` has not ended after {LIMIT:?}; it printed:\n{printed}") };
            if let Some(status) = line.strip_prefix(END) {
                return (printed.trim_end_matches('\n').to_owned(), status.parse().unwrap());
            }
            let typed = answer(&line);
            // A terminal shows what is typed, too.
            for line in [Some(line), typed.clone()].into_iter().flatten() {
                printed.push_str(&line);
                printed.push('\n');
            }
            if let Some(typed) = typed {
                self.input.write_all(format!("{typed}\n").as_bytes()).unwrap();
            }
        }
    }
}

/// A comment would hide the rest of the line.
fn uncommented(command: &str) -> &str {
    command.split(" # ").next().unwrap().trim_end()
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_shell_remembers_and_tells_how_a_command_ended() {
    let mut shell = Shell::start(Path::new("/"), &BTreeMap::new());
    assert_eq!(shell.run("A=1; f() { echo \"f $1\"; }  # a comment", |_| None), (String::new(), 0));
    assert_eq!(shell.run("f $A; echo no >&2; (exit 3)", |_| None), ("f 1\nno".to_owned(), 3));
    let typed = shell.run("echo who; read name; echo \"it is $name\"", |line| (line == "who").then(|| "I".to_owned()));
    assert_eq!(typed, ("who\nI\nit is I".to_owned(), 0));
}
