//! What an operator and whoever trains a model do with the behavior analytics.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that people call")]

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use api::behavior::Decision;
use behavior::backtest::metrics::{Quality, Scored};
use behavior::backtest::{self, Replay, Split};
use behavior::decisions::explain::{self, Explained};
use behavior::export::Export;
use behavior::features::{self, Feature};
use behavior::judgement::Judge;
use behavior::model::Model;
use behavior::rules::Rules;
use behavior::scoring::bench::Bench;
use clap::{Parser, ValueEnum};

/// Train, test and explain what is thought of how users act.
#[derive(Debug, Parser)]
enum Cli {
    /// Print what the payments that train a model looked like, as CSV: the features, and whether it was fraud
    Features {
        /// The payments, CSV or CSV.gz
        #[arg(long)]
        data: PathBuf,
    },
    /// Play past payments and print how good rules, model and both are
    Backtest {
        /// The payments, CSV or CSV.gz
        #[arg(long)]
        data: PathBuf,
        /// The model
        #[arg(long)]
        model: PathBuf,
        /// The rules
        #[arg(long)]
        rules: PathBuf,
    },
    /// Judge a stored decision again by what it rested on, and say whether model and rules still think the same; if not, it ends with 1
    Explain {
        /// The decision as `GET /internal/v1/decisions/{id}` answers it, or `-` for standard input
        decision: PathBuf,
        /// The model
        #[arg(long)]
        model: PathBuf,
        /// The rules
        #[arg(long)]
        rules: PathBuf,
    },
    /// Print the log that all profiles are made of, or what its payments looked like to this code
    Export {
        /// What is printed
        what: Exported,
        /// File with the URL of the database, as `behavior_reader` (mode 0600)
        #[arg(long)]
        url_file: PathBuf,
        /// Up to this number of the log; without it, up to the last one, which is printed to standard error
        #[arg(long)]
        until: Option<i64>,
    },
}

/// What is exported.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Exported {
    /// The events and labels of the log, a JSON object each
    Log,
    /// What each payment looked like before it was learned, as CSV
    Features,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("behaviorctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli {
        Cli::Features { data } => with(&data, |payments| features(payments)),
        Cli::Backtest { data, model, rules } => {
            let Bench { model, rules } = Bench::read(&model, &rules)?;
            with(&data, |payments| backtest(payments, &model, &rules))
        }
        Cli::Explain { decision, model, rules } => {
            let bench = Bench::read(&model, &rules)?;
            explain(&decision, &bench)
        }
        Cli::Export { what, url_file, until } => export(what, &url_file, until),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn export(what: Exported, url_file: &Path, until: Option<i64>) -> Result<()> {
    let export = Export::open(url_file, until).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    match what {
        Exported::Log => export.lines(&mut out).await?,
        Exported::Features => export.features(&mut out).await?,
    }
    eprintln!("behaviorctl: the log up to number {}", export.until());
    Ok(())
}

fn features(payments: &mut dyn BufRead) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let names: Vec<&str> = Feature::ALL.iter().map(|feature| feature.name()).collect();
    // What a model is trained on, it says of itself.
    writeln!(out, "# features_version {}", features::VERSION)?;
    writeln!(out, "{},fraud", names.join(","))?;
    for played in Replay::new(payments)? {
        let played = played?;
        if Split::PUBLISHED.is_over(played.day) {
            break;
        }
        if Split::PUBLISHED.trains(played.day) {
            for (_, value) in played.features.iter() {
                write!(out, "{value},")?;
            }
            writeln!(out, "{}", u8::from(played.fraud))?;
        }
    }
    out.flush().context("standard output")
}

fn backtest(payments: &mut dyn BufRead, model: &Model, rules: &Rules) -> Result<()> {
    let judges = [
        ("rules alone", Judge { model: None, rules, by_rules: true }),
        ("model alone", Judge { model: Some(model), rules, by_rules: false }),
        ("both", Judge { model: Some(model), rules, by_rules: true }),
    ];
    let scored = backtest::run(payments, Split::PUBLISHED, &judges.map(|(_, judge)| judge))?;
    let tested = scored.first().map_or(&[][..], Vec::as_slice); // Default: no judge, no payment
    println!("model \"{}\", rules \"{}\"", model.name(), rules.version());
    println!(
        "{} payments tested, {} of them fraud\n",
        tested.len(),
        tested.iter().filter(|payment| payment.fraud).count()
    );
    println!("{:<12} {:>6} {:>18} {:>19}", "", "AUC", "average precision", "card precision@100");
    for ((name, _), scored) in judges.iter().zip(&scored) {
        print(name, scored)?;
    }
    Ok(())
}

fn print(name: &str, scored: &[Scored]) -> Result<()> {
    let quality = Quality::of(scored).context("in the days of test there is no fraud, or nothing else")?;
    println!("{name:<12} {:>6.4} {:>18.4} {:>19.4}", quality.auc, quality.average_precision, quality.card_precision);
    Ok(())
}

fn explain(file: &Path, bench: &Bench) -> Result<()> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("standard input")?
    } else {
        std::fs::read_to_string(file).with_context(|| file.display().to_string())?
    };
    let decision: Decision =
        serde_json::from_str(&text).with_context(|| format!("{} is no decision", file.display()))?;
    let Explained { now, differences } = explain::explain(&decision, bench)?;
    println!("decision {} of {}", decision.decision_id, decision.decided_at);
    println!("model \"{}\", rules \"{}\", score {:.4}, {:?}", decision.model, decision.rules, now.score, now.action);
    for reason in &now.reasons {
        println!("  {:+.2}  {}", reason.log_odds, reason.says);
    }
    if differences.is_empty() {
        println!("model and rules think the same as then");
        return Ok(());
    }
    bail!("model and rules think otherwise than then: {}", differences.join("; "))
}

/// Reads a file; one that ends in `.gz` through the `gzip` of the machine.
fn with(path: &Path, read: impl FnOnce(&mut dyn BufRead) -> Result<()>) -> Result<()> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    if path.extension().is_none_or(|extension| extension != "gz") {
        return read(&mut BufReader::new(file));
    }
    let mut gzip = Command::new("gzip");
    let mut unpacking = gzip.arg("-dc").stdin(file).stdout(Stdio::piped()).spawn().context("cannot run gzip")?;
    let mut unpacked = BufReader::new(unpacking.stdout.take().context("gzip has no output")?);
    let result = read(&mut unpacked);
    // To its end, so that what gzip says of the file is about all of it.
    std::io::copy(&mut unpacked, &mut std::io::sink())?;
    let status = unpacking.wait()?;
    ensure!(status.success(), "gzip cannot unpack {}", path.display());
    result
}
