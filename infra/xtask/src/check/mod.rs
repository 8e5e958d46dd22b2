//! `cargo xtask check`: what holds for the whole repository, proved and not promised.
//!
//! Every rule is a function from text to complaints, so that its tests can show it a broken text and see it complain. All
//! checks run; one complaint is enough for a non-zero end.

mod catalogue;
mod causes;
mod circles;
mod containers;
mod defaults;
mod documents;
mod generated;
mod graph;
mod ids;
mod kubernetes;
mod manifests;
mod named;
mod partners;
mod placement;
mod refusals;
mod sources;
mod terraform;
mod watching;
mod workflows;

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;

use crate::options::Options;
use crate::stop::Stop;
use crate::{interrupt, place, preflight};

pub(crate) use sources::{Source, files};

/// What a check found; empty: nothing.
pub(crate) type Complaints = Vec<String>;

type Check<'a> = (&'a str, Box<dyn Fn() -> Result<Complaints> + 'a>);

/// What `check infra` is.
const INFRA: [&str; 4] = [
    "containers as the table says",
    "Kubernetes as the table says",
    "settings that the services read",
    "what a cloud gives as the table says",
];

pub(crate) fn run(options: &Options) -> Result<()> {
    preflight::run()?;
    let files = files()?;
    // The cheap ones first; those that compile last, and not at all if it is to be quick.
    let checks: Vec<Check<'_>> = vec![
        (
            "formatting",
            Box::new(|| if options.fix { cargo(&["fmt", "--all"]) } else { cargo(&["fmt", "--all", "--check"]) }),
        ),
        ("dependency direction", Box::new(graph::direction)),
        ("dependency tree", Box::new(graph::tree)),
        ("licenses and sources", Box::new(graph::deny)),
        ("xtask without C", Box::new(graph::tool)),
        ("manifests", Box::new(|| Ok(manifests::all(&files)))),
        ("libraries in their places", Box::new(|| Ok(placement::all(&files)))),
        ("no circle of files", Box::new(|| Ok(circles::all(&files)))),
        ("no partner in the code", Box::new(|| Ok(partners::named(&files)))),
        (INFRA[0], Box::new(|| Ok(containers::all(&files)))),
        (INFRA[1], Box::new(|| kubernetes::all(&files, options.fix))),
        (INFRA[3], Box::new(|| terraform::all(&files, options.fix))),
        ("links of documents", Box::new(|| Ok(documents::all(&files, |path| place::root().join(path).exists())))),
        ("every service where services are named", Box::new(|| named::all(&files))),
        ("the attack catalogue", Box::new(|| Ok(catalogue::all(&files)))),
        ("workflows of the forge", Box::new(|| Ok(workflows::all(&files)))),
        ("alerts, runbooks and dashboards", Box::new(|| Ok(watching::all(&files)))),
        ("secrets and machine paths", Box::new(|| Ok(sources::secrets(&files)))),
        ("no silent defaults", Box::new(|| Ok(defaults::silent(&files)))),
        ("no cause thrown away", Box::new(|| Ok(causes::thrown_away(&files)))),
        ("no refusal by hand", Box::new(|| Ok(refusals::by_hand(&files)))),
        ("no bare ids in domain signatures", Box::new(|| Ok(ids::bare(&files)))),
        ("file sizes", Box::new(|| Ok(sources::sizes(&files)))),
        ("lints", Box::new(lints)),
        ("documentation", Box::new(documentation)),
        ("generated files", Box::new(|| generated::run(options.fix))),
        (INFRA[2], Box::new(kubernetes::settings)),
    ];
    let compile = 4;
    let most = if options.quick { checks.len() - compile } else { checks.len() };
    let wanted = |name: &str| options.rest.is_empty() || INFRA.contains(&name);
    let mut red = Vec::new();
    for (name, check) in checks.into_iter().take(most).filter(|(name, _)| wanted(name)) {
        let began = Instant::now();
        let complaints = check().unwrap_or_else(|error| vec![format!("could not run: {error:#}")]);
        interrupt::check()?;
        let verdict = if complaints.is_empty() { "ok " } else { "RED" };
        println!("{verdict} {name} ({:.1} s)", began.elapsed().as_secs_f64());
        for complaint in &complaints {
            println!("      {complaint}");
        }
        if !complaints.is_empty() {
            red.push(name);
        }
    }
    if red.is_empty() {
        let of = if options.rest.is_empty() { "" } else { " of infra" };
        println!("\nall checks{of} hold{}", if options.quick { " that compile nothing" } else { "" });
        return Ok(());
    }
    Err(Stop::Failed(1, format!("checks that do not hold: {}", red.join(", "))).into())
}

fn lints() -> Result<Complaints> {
    // With what no other command compiles.
    let features = ["--features", "testkit/docker"];
    let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--quiet"];
    cargo(&[&clippy[..], &features, &["--", "--deny", "warnings"]].concat())
}

/// Every link in it leads somewhere.
fn documentation() -> Result<Complaints> {
    let arguments = ["doc", "--locked", "--workspace", "--no-deps", "--document-private-items", "--quiet"];
    ran(&arguments, Command::new("cargo").args(arguments).env("RUSTDOCFLAGS", "--deny warnings"))
}

/// A cargo command whose own output is the explanation.
fn cargo(arguments: &[&str]) -> Result<Complaints> {
    ran(arguments, Command::new("cargo").args(arguments))
}

fn ran(arguments: &[&str], command: &mut Command) -> Result<Complaints> {
    let status = command.current_dir(place::root()).stdin(Stdio::null()).status()?;
    Ok(if status.success() { Vec::new() } else { vec![format!("`cargo {}` failed, see above", arguments.join(" "))] })
}

/// What a cargo command printed.
fn cargo_output(arguments: &[&str]) -> Result<String> {
    let output = Command::new("cargo").args(arguments).current_dir(place::root()).stdin(Stdio::null()).output()?;
    anyhow::ensure!(
        output.status.success(),
        "`cargo {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
