//! Programs that we start and end.
//!
//! Each runs in a process group of its own under the guard of the run's directory: when we end in whatever way, the guard ends
//! them and removes the directory. In the ordinary way the ends come in order: their standard input is closed (services
//! finish what they are doing), then SIGTERM, then SIGKILL.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use ladder::{Guard, Setting};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{interrupt, place};

/// How long a service may take to finish what it is doing, and then to obey SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// A directory of this run and the programs that work in it.
pub(crate) struct Run {
    directory: PathBuf,
    children: Vec<Process>,
    /// After the children: it removes the directory.
    guard: Guard,
}

struct Process {
    name: String,
    child: Child,
    log: Option<PathBuf>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is expected to end.
    Task,
    /// It goes on until its input ends.
    Ours,
    /// It goes on until it is told by a signal: it knows nothing of our ways.
    Foreign,
}

impl Run {
    /// In `target/dev`, under a name of its own.
    pub(crate) fn of(name: &str) -> Result<Self> {
        // A process may have several at once: our tests have.
        static RUNS: AtomicU32 = AtomicU32::new(1);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let runs = place::target().join("dev");
        std::fs::create_dir_all(&runs)?;
        let directory = runs.join(format!("{name}-{}-{number}", std::process::id()));
        std::fs::create_dir(&directory).map_err(|e| anyhow!("{} cannot be made ({e})", directory.display()))?;
        let guard = Guard::over_directory(&directory).map_err(|e| anyhow!(e))?;
        std::fs::create_dir(directory.join("logs"))?;
        Ok(Self { directory, children: Vec::new(), guard })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a program that is expected to go on until it is told to stop.
    pub(crate) fn spawn(&mut self, name: &str, program: &Path, arguments: &[String]) -> Result<()> {
        let log = self.log(name);
        let setting = Setting { log: Some(&log), input: true, ..Setting::new(&self.directory) };
        let child = self.guard.start(program, arguments, &setting).map_err(|e| anyhow!(e))?;
        self.children.push(Process { name: name.to_owned(), child, log: Some(log), kind: Kind::Ours });
        Ok(())
    }

    /// The same for a program of somebody else, which ends by SIGTERM only.
    pub(crate) fn spawn_foreign(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
    ) -> Result<()> {
        let log = self.log(name);
        let setting = Setting { log: Some(&log), environment, ..Setting::new(&self.directory) };
        let child = self.guard.start(program, arguments, &setting).map_err(|e| anyhow!(e))?;
        self.children.push(Process { name: name.to_owned(), child, log: Some(log), kind: Kind::Foreign });
        Ok(())
    }

    /// Starts a program that is expected to end, with our outputs or a log.
    pub(crate) fn begin_task(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[String],
        task: &Task<'_>,
    ) -> Result<usize> {
        let log = task.logged.then(|| self.log(name));
        let mut setting = Setting {
            log: log.as_deref(),
            piped: task.piped,
            input: task.input,
            environment: task.environment,
            ..Setting::new(&self.directory)
        };
        if let Some(directory) = task.directory {
            setting.directory = directory;
        }
        let child = self.guard.start(program, arguments, &setting).map_err(|e| anyhow!(e))?;
        let number = usize::try_from(child.id())?;
        self.children.push(Process { name: name.to_owned(), child, log, kind: Kind::Task });
        Ok(number)
    }

    /// The standard output of a piped task.
    pub(crate) fn output_of(&mut self, number: usize) -> Result<ChildStdout> {
        let task = self.children.iter_mut().find(|process| process.is(number));
        task.and_then(|process| process.child.stdout.take()).ok_or_else(|| anyhow!("a program has no output"))
    }

    /// The standard input of a task that has one.
    pub(crate) fn input_of(&mut self, number: usize) -> Result<ChildStdin> {
        let task = self.children.iter_mut().find(|process| process.is(number));
        task.and_then(|process| process.child.stdin.take()).ok_or_else(|| anyhow!("a program has no input"))
    }

    /// Ends one of our programs, which may be started again.
    pub(crate) fn stop(&mut self, name: &str) -> Result<()> {
        let at = self.children.iter().position(|process| process.name == name);
        let mut process = self.children.remove(at.ok_or_else(|| anyhow!("`{name}` does not run"))?);
        drop(process.child.stdin.take());
        process.stop();
        self.guard.forget(&process.child);
        Ok(())
    }

    /// Waits for a task, while everything else must stay alive.
    pub(crate) fn end_task(&mut self, number: usize) -> Result<ExitStatus> {
        self.end_within(number, None)
    }

    fn end_within(&mut self, number: usize, limit: Option<Duration>) -> Result<ExitStatus> {
        let status = interrupt::wait(limit, || {
            for process in &mut self.children {
                let ended = process.child.try_wait()?;
                match ended {
                    Some(status) if process.is(number) => return Ok(Some(status)),
                    Some(status) if process.kind != Kind::Task => {
                        return Err(process.died(status));
                    }
                    _ => (),
                }
            }
            Ok(None)
        })?;
        if let Some(at) = self.children.iter().position(|process| process.is(number)) {
            let process = self.children.remove(at);
            self.guard.forget(&process.child);
        }
        status.ok_or_else(|| anyhow!("it has not ended in time"))
    }

    /// A task that must succeed within that time, when nothing else runs any more; with how many programs were ended for it.
    pub(crate) fn last_task(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[String],
        task: &Task<'_>,
        limit: Duration,
    ) -> Result<usize> {
        let running = self.children.len();
        self.stop_all();
        let number = self.begin_task(name, program, arguments, task)?;
        let status =
            self.end_within(number, Some(limit)).with_context(|| format!("{name}: after {} s", limit.as_secs()))?;
        ensure!(status.success(), "{name} failed ({status}){}", last_words(&self.log(name)));
        Ok(running)
    }

    /// A task that must succeed; its last words are the error.
    pub(crate) fn task(&mut self, name: &str, program: &Path, arguments: &[String], task: &Task<'_>) -> Result<()> {
        let number = self.begin_task(name, program, arguments, task)?;
        self.finish(name, number)
    }

    /// Ends a task begun earlier, which must succeed.
    pub(crate) fn finish(&mut self, name: &str, number: usize) -> Result<()> {
        let status = self.end_task(number)?;
        if status.success() {
            return Ok(());
        }
        Err(anyhow!("{name} failed ({status}){}", last_words(&self.log(name))))
    }

    /// Err if something that should go on has ended.
    pub(crate) fn all_alive(&mut self) -> Result<()> {
        for process in &mut self.children {
            if let Some(status) = process.child.try_wait()? {
                return Err(process.died(status));
            }
        }
        Ok(())
    }

    /// The log file of a program.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.directory.join("logs").join(format!("{name}.log"))
    }

    /// Ends everything and removes the directory; the number of programs that were running.
    pub(crate) fn end(mut self) -> usize {
        let running = self.children.len();
        self.stop_all();
        running
    }

    /// What was started first ends last: the others report to it (the collector of traces) until their own end.
    fn stop_all(&mut self) {
        let later = self.children.split_off(self.children.len().min(1));
        for mut wave in [later, std::mem::take(&mut self.children)] {
            for process in &mut wave {
                drop(process.child.stdin.take()); // the request to finish, to all before any is waited for
            }
            for process in &mut wave {
                process.stop();
                self.guard.forget(&process.child);
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop_all();
    }
}

/// How a program that is expected to end is run.
#[derive(Default)]
pub(crate) struct Task<'a> {
    /// Whether its outputs go to a log instead of ours.
    pub(crate) logged: bool,
    /// Whether its standard output is to be taken with [`Run::output_of`].
    pub(crate) piped: bool,
    /// Whether its standard input is to be taken with [`Run::input_of`]; else it has none.
    pub(crate) input: bool,
    /// The working directory; the run's if none.
    pub(crate) directory: Option<&'a Path>,
    /// What it sees in its environment besides ours.
    pub(crate) environment: &'a [(&'a str, &'a str)],
}

impl Process {
    fn is(&self, number: usize) -> bool {
        usize::try_from(self.child.id()).is_ok_and(|id| id == number)
    }

    fn died(&self, status: ExitStatus) -> anyhow::Error {
        let words = self.log.as_deref().map(last_words).unwrap_or_default();
        anyhow!("{} ended before it was told to ({status}){words}", self.name)
    }

    fn stop(&mut self) {
        let polite = if self.log.is_some() && self.kind != Kind::Foreign { PATIENCE } else { Duration::ZERO };
        for (patience, signal) in [(polite, Signal::TERM), (PATIENCE, Signal::KILL)] {
            if self.ended_within(patience) {
                return;
            }
            if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
                kill_process_group(group, signal).ok(); // fails only if it has ended meanwhile
            }
        }
        drop(self.child.wait());
    }

    /// Not interruptible: this is what an interruption does.
    fn ended_within(&mut self, limit: Duration) -> bool {
        let began = Instant::now();
        loop {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return true;
            }
            if began.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The last lines of a log, as the tail of a sentence.
pub(crate) fn last_words(log: &Path) -> String {
    let text = match std::fs::read_to_string(log) {
        Ok(text) => text,
        Err(e) => return format!("; its log cannot be read ({e})"),
    };
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default();
    if tail.is_empty() {
        "; it logged nothing".to_owned()
    } else {
        format!("; its last lines:\n  {}", tail.join("\n  "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> Run {
        Run::of("probe").unwrap()
    }

    fn shell(script: &str) -> Vec<String> {
        vec!["-c".to_owned(), script.to_owned()]
    }

    #[test]
    fn two_runs_of_one_process_have_each_a_directory_of_its_own() {
        let (one, two) = (begin(), begin());
        assert!(one.directory() != two.directory() && one.directory().is_dir() && two.directory().is_dir());
    }

    #[test]
    fn a_program_that_dies_early_says_why() {
        let mut run = begin();
        run.spawn("ledger", Path::new("sh"), &shell("echo no database; exit 4")).unwrap();
        let error = interrupt::wait(Some(Duration::from_secs(5)), || run.all_alive().map(|()| None::<()>))
            .unwrap_err()
            .to_string();
        assert!(error.contains("ledger ended") && error.contains('4') && error.contains("no database"), "{error}");
    }

    #[test]
    fn the_end_of_input_is_enough_and_the_directory_goes() {
        let mut run = begin();
        let directory = run.directory().to_owned();
        run.spawn("cat", Path::new("cat"), &[]).unwrap();
        assert_eq!(run.end(), 1);
        assert!(!directory.exists());
    }

    #[test]
    fn a_task_is_ended_with_its_children() {
        let mut run = begin();
        let file = run.directory().with_extension("children");
        let script = format!("sleep 100 & first=$!; sleep 100 & echo $first $! > '{}'; wait", file.display());
        run.begin_task("task", Path::new("sh"), &shell(&script), &Task::default()).unwrap();
        let written = || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'));
        let children = interrupt::wait(Some(Duration::from_secs(5)), || Ok(written())).unwrap().unwrap();
        let children: Vec<i32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        let lives = |pid: &i32| rustix::process::test_kill_process(Pid::from_raw(*pid).unwrap()).is_ok();
        assert!(children.len() == 2 && children.iter().all(lives), "{children:?}");
        run.end();
        let gone = interrupt::wait(Some(Duration::from_secs(5)), || Ok((!children.iter().any(lives)).then_some(())));
        std::fs::remove_file(&file).unwrap();
        assert!(gone.unwrap().is_some(), "{children:?} outlived the task");
    }

    #[test]
    fn a_task_fails_when_something_else_dies() {
        let mut run = begin();
        run.spawn("auth", Path::new("sh"), &shell("exit 1")).unwrap();
        let error =
            run.task("story", Path::new("sleep"), &["100".to_owned()], &Task::default()).unwrap_err().to_string();
        assert!(error.contains("auth ended"), "{error}");
    }
}
