//! `cargo xtask demo`: the whole system, then the story.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};

use crate::options::Options;
use crate::process::{Run, Task};
use crate::stack::{Kind, Stack};
use crate::stop::Stop;
use crate::{compose, place, say};

pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(file) = &options.transcript {
        return written(file, &std::env::args().skip(1).collect::<Vec<_>>());
    }
    if options.containers {
        return compose::demo(options.offline);
    }
    let began = Instant::now();
    let mut stack = Stack::start(Kind::Demo, options)?;
    let report = place::target().join("dev/report.html");
    let status = match stack.tell(&[], &report) {
        Ok(status) => status,
        Err(error) => return Err(stack.keep_logs(error)),
    };
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        let error = anyhow!(Stop::Failed(code, format!("the story did not end well ({status})")));
        return Err(stack.keep_logs(error));
    }
    stack.end()?;
    say::line(&format!("done in {:.1} s; the report: {}", began.elapsed().as_secs_f64(), place::short(&report)));
    Ok(())
}

/// The same command in a process of its own, whose every line is shown, and kept.
fn written(file: &Path, arguments: &[String]) -> Result<()> {
    let unwritable = || format!("{} cannot be written", file.display());
    // Before the story is told; what stands in it stays until then.
    let mut kept = OpenOptions::new().create(true).append(true).open(file).with_context(unwritable)?;
    let mut run = Run::of("transcript")?;
    let arguments = without_the_file(arguments);
    let task = Task { piped: true, directory: Some(&place::root()), ..Task::default() };
    let number = run.begin_task("demo", &std::env::current_exe()?, &arguments, &task)?;
    let output = BufReader::new(run.output_of(number)?);
    let reader = std::thread::spawn(move || {
        output.lines().inspect(|line| line.iter().for_each(|line| println!("{line}"))).collect::<Result<Vec<_>, _>>()
    });
    let status = run.end_task(number)?;
    let lines = reader.join().map_err(|_| anyhow!("whoever reads the demonstration has panicked"))??;
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1); // Default: a signal ended it.
        return Err(Stop::Told(code).into());
    }
    let text = format!("$ cargo xtask {}\n{}\n", arguments.join(" "), lines.join("\n"));
    kept.set_len(0).and_then(|()| kept.write_all(text.as_bytes())).with_context(unwritable)
}

/// What stands on the command line, but `--transcript FILE`.
fn without_the_file(arguments: &[String]) -> Vec<String> {
    let mut rest = arguments.iter();
    let mut kept = Vec::new();
    while let Some(word) = rest.next() {
        if word == "--transcript" {
            rest.next();
        } else {
            kept.push(word.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_begins_with_the_command_that_it_is_of() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let line = words("demo --target compose --transcript docs/it.txt --offline");
        assert_eq!(without_the_file(&line), words("demo --target compose --offline"));
        assert_eq!(without_the_file(&words("demo")), words("demo"));
    }

    #[test]
    fn a_transcript_that_cannot_be_written_fails_before_anything_is_told() {
        let error = written(Path::new("/nowhere/it.txt"), &[]).unwrap_err();
        assert!(error.to_string().contains("/nowhere/it.txt cannot be written"), "{error:#}");
    }
}
