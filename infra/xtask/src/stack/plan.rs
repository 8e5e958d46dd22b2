//! Which system, and what is built for it.

use anyhow::Result;
use system::system;

use crate::compile::{self, Programs};
use crate::process::Run;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Free ports, a PKI of its own, everything gone at the end.
    Demo,
    /// Fixed ports, a PKI that stays, so that whoever trusts it need not do so again.
    Up,
    /// As a demonstration, built for release and with a thread for each core.
    Bench,
}

impl Kind {
    pub(crate) fn workers(self) -> usize {
        match self {
            Self::Demo | Self::Up => 1,
            Self::Bench => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }

    /// What is built and how: the services, `sandbox` and `story`.
    pub(crate) fn build(self, run: &mut Run) -> Result<Programs> {
        const RELEASE: [&str; 3] = ["--release", "--example", "bench"];
        match self {
            Self::Demo | Self::Up => compile::build(run, "the services and their stand-ins", &programs()?),
            Self::Bench => {
                let arguments = [programs()?, RELEASE.map(str::to_owned).to_vec()].concat();
                compile::build(run, "the services and their stand-ins for release", &arguments)
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
