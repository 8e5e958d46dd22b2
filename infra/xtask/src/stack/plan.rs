//! Which system, and what is built for it.

use anyhow::Result;
use system::system;

use crate::compile::{self, Programs};
use crate::place;
use crate::process::Run;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Free ports, a PKI of its own, everything gone at the end.
    Demo,
    /// Fixed ports, a PKI that stays, so that whoever trusts it need not do so again.
    Up,
    /// As a demonstration, built for release and with a thread for each core.
    Bench,
    /// As a benchmark, with programs whose layers can be turned off. They stand in a directory of their own, so that nobody
    /// takes one of them for a program that protects people.
    Ablation,
}

impl Kind {
    pub(crate) fn workers(self) -> usize {
        match self {
            Self::Demo | Self::Up => 1,
            Self::Bench | Self::Ablation => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }

    /// What is built and how: the services, `sandbox` and `story`.
    pub(crate) fn build(self, run: &mut Run) -> Result<Programs> {
        match self {
            Self::Demo | Self::Up => compile::build(run, "the services and their stand-ins", &programs()?),
            Self::Bench => {
                let release = ["--release", "--example", "bench"].map(str::to_owned);
                let arguments = [programs()?, release.to_vec()].concat();
                compile::build(run, "the services and their stand-ins for release", &arguments)
            }
            Self::Ablation => {
                let directory = place::target().join("ablation").display().to_string();
                let ablated =
                    ["--release", "--features", "defense/ablation", "--target-dir", &directory].map(str::to_owned);
                let arguments = [programs()?, ablated.to_vec()].concat();
                compile::build(run, "the services for release, with layers that can be turned off", &arguments)
            }
        }
    }
}

/// What cargo is told: the services, `sandbox` and `story`.
pub(crate) fn programs() -> Result<Vec<String>> {
    let services = system()?.services.iter().map(|service| service.name.as_str());
    let packages = services.chain(["testkit", "e2e"]).flat_map(|name| ["--package", name]);
    Ok(packages.chain(["--bins"]).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A benchmark takes the example of that name from one build of all services: of two, it would get either.
    #[test]
    fn no_two_services_have_an_example_of_one_name() {
        let mut names = Vec::new();
        for service in &system().unwrap().services {
            let folder = place::root().join("services").join(&service.name).join("examples");
            if folder.is_dir() {
                names.extend(std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()));
            }
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert!(count > 1 && names.len() == count, "{names:?}");
    }
}
