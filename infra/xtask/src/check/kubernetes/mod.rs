//! `infra/k8s` as kustomize renders it, beside `infra/system.toml`: who reaches whom, who has a way out, and what every pod may not do.
//!
//! `pods` holds for every pod, `services` for the five, `policies` for the network between all, `settings` for what they are told; `edges` are the policies that
//! the table makes, `watching` how all of it is watched. What is rendered has been seen by `kubectl` of this machine and by no cluster.

mod edges;
mod pods;
mod policies;
mod rendered;
mod services;
mod settings;
#[cfg(test)]
mod tests;
mod watching;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use system::system;

use self::pods::Images;
use self::rendered::{Objects, render};
use self::services::{Code, Expectation};
use super::Complaints;
use super::sources::Source;
use crate::{place, stack};

const FOLDER: &str = "infra/k8s";
/// Goes without.
const WAIVED: &str = "REDOUBT_KUBECTL_WAIVED";

/// The folder, rendered, and what it is judged as.
struct Rendered {
    path: String,
    objects: Objects,
}

/// What is judged as a whole, and as what.
const OVERLAYS: [(&str, bool); 2] = [("overlays/dev", false), ("overlays/prod", true)];

pub(super) fn all(files: &[Source], fix: bool) -> Result<Complaints> {
    let system = system()?;
    let mut complaints = Complaints::new();
    let rules = watching::rules(files).context("infra/watching/alerts.yaml has no groups")?;
    let made = [
        (edges::FILE, edges::text(system)),
        (watching::MONITORS, watching::monitors(system)),
        (watching::RULES, rules),
    ];
    for (path, text) in made {
        if fix {
            std::fs::write(place::root().join(path), &text)?;
        } else if file(files, path) != Some(&text) {
            complaints.push(format!("{path} is not what it is made of: `cargo xtask check --fix` writes it"));
        }
    }
    let Some(kubectl) = kubectl() else {
        complaints.extend(absent());
        return Ok(complaints);
    };
    let code = code(files)
        .context("shared/ does not say how long the end of a process may take, or in which trust domain it is")?;
    for folder in folders(files) {
        let Rendered { path, objects } = rendered(&kubectl, &folder)?;
        let overlay = OVERLAYS.iter().find(|(name, _)| path == format!("{FOLDER}/{name}"));
        let found = match overlay {
            Some((_, production)) => {
                whole(&objects, &Expectation { system, production: *production, code: code.clone() }, files)
            }
            // A component alone: what its pods may do.
            None => pods::all(&objects, Images::Any),
        };
        complaints.extend(found.into_iter().map(|complaint| format!("{path}: {complaint}")));
    }
    Ok(complaints)
}

/// What is applied as one.
fn whole(objects: &Objects, expectation: &Expectation<'_>, files: &[Source]) -> Complaints {
    let images = if expectation.production { Images::ByDigest } else { Images::ByTag };
    let mut complaints = pods::all(objects, images);
    complaints.extend(services::all(objects, expectation));
    complaints.extend(policies::all(objects, expectation.system));
    if expectation.production {
        complaints.extend(settings::all(objects, expectation.system));
        complaints.extend(given(objects));
        complaints.extend(watching::all(objects, expectation.system, &expectation.code.trust_domain, files));
    } else {
        complaints.extend(as_in_compose(objects, files));
    }
    complaints
}

/// Everything that a pod mounts is made by something here: a Secret by a Certificate or an `ExternalSecret`.
fn given(objects: &Objects) -> Complaints {
    let made_of = |kind: &'static str| objects.of_kind(kind).map(|object| rendered::text(object, "/spec/secretName"));
    let external = objects.of_kind("ExternalSecret").map(|object| rendered::text(object, "/spec/target/name"));
    let secrets: Vec<&str> = made_of("Certificate").chain(external).collect();
    let mut complaints = Complaints::new();
    for workload in objects.workloads() {
        for (kind, name) in services::mounted(&workload) {
            let there = if kind == "Secret" { secrets.contains(&name) } else { objects.named(kind, name).is_some() };
            if !there {
                complaints.push(format!("{}: nothing makes its {kind} {name}", workload.name));
            }
        }
    }
    complaints
}

/// What others made is the same in both; and the world outside is called the same.
fn as_in_compose(objects: &Objects, files: &[Source]) -> Complaints {
    let defaults = file(files, "infra/compose/.env").unwrap_or_default(); // Default: then nothing is the same.
    let compose = file(files, "infra/compose/compose.yaml").unwrap_or_default(); // Default: as above.
    let mut complaints = Complaints::new();
    for workload in objects.workloads() {
        let Some(container) = rendered::list(workload.spec, "/containers").first() else { continue };
        let image = rendered::text(container, "/image");
        let line = format!("{}_IMAGE={image}", workload.name.to_uppercase());
        if workload.component() == "store" && !defaults.lines().any(|have| have == line) {
            complaints.push(format!("{}: in infra/compose/.env it is not {image}", workload.name));
        }
        let told = rendered::texts(container, "/args");
        if workload.component() == "stand-in"
            && !super::containers::commands(compose).contains(&told.iter().map(|word| (*word).to_owned()).collect())
        {
            complaints.push(format!("{}: in infra/compose/compose.yaml it is not told {told:?}", workload.name));
        }
    }
    complaints
}

/// The services read what an overlay for production tells them. It builds them.
pub(super) fn settings() -> Result<Complaints> {
    let Some(kubectl) = kubectl() else { return Ok(absent().into_iter().collect()) };
    let mut run = crate::process::Run::of("check")?;
    let programs = crate::compile::build(&mut run, "the services, for what they read", &stack::programs()?)?;
    let mut complaints = Complaints::new();
    for (name, _) in OVERLAYS.iter().filter(|(_, production)| *production) {
        let Rendered { path, objects } = rendered(&kubectl, &format!("{FOLDER}/{name}"))?;
        let found = settings::read_back(&objects, |name| Ok(programs.path(name)?.to_owned()))?;
        complaints.extend(found.into_iter().map(|complaint| format!("{path}: {complaint}")));
    }
    Ok(complaints)
}

fn rendered(kubectl: &Path, folder: &str) -> Result<Rendered> {
    let objects = render(kubectl, &place::root().join(folder)).with_context(|| folder.to_owned())?;
    Ok(Rendered { path: folder.to_owned(), objects })
}

/// All that can be rendered by itself.
fn folders(files: &[Source]) -> Vec<String> {
    let kustomizations = files.iter().filter(|file| file.text.contains("\nkind: Kustomization\n"));
    let folders = kustomizations.filter_map(|file| file.path.strip_suffix("/kustomization.yaml"));
    folders.filter(|folder| folder.starts_with(&format!("{FOLDER}/"))).map(str::to_owned).collect()
}

fn kubectl() -> Option<PathBuf> {
    ladder::shell::which("kubectl")
}

/// Nothing is proven without it: said where nobody overlooks it, and a complaint where a green run would be believed.
fn absent() -> Option<String> {
    let said =
        format!("kubectl is not here: nothing of {FOLDER} is rendered, and so nothing proven ({WAIVED} goes without)");
    if std::env::var("CI").is_ok_and(|ci| ci == "true") && std::env::var_os(WAIVED).is_none() {
        return Some(said);
    }
    eprintln!("\n!!!!! NOT CHECKED: {said} !!!!!\n");
    None
}

/// What the services' code says. The end of a process is that of its requests, then its background work, then its telemetry.
fn code(files: &[Source]) -> Option<Code> {
    let parts = [("listener.rs", "DRAIN"), ("server.rs", "CLOSE"), ("server.rs", "END"), ("telemetry/mod.rs", "FLUSH")];
    let value = |path: &str, before: &str, after: char| {
        let (_, rest) = file(files, path)?.split_once(before)?;
        Some(rest.split_once(after)?.0)
    };
    let seconds = parts.map(|(path, name)| {
        let declared = format!("const {name}: Duration = Duration::from_secs(");
        value(&format!("shared/runtime/src/{path}"), &declared, ')')?.parse::<u64>().ok()
    });
    let trust_domain = value("shared/api/src/service.rs", "TRUST_DOMAIN: &str = \"", '"')?.to_owned();
    Some(Code { end: seconds.into_iter().sum::<Option<u64>>()?, trust_domain })
}

fn file<'a>(files: &'a [Source], path: &str) -> Option<&'a str> {
    files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
}
