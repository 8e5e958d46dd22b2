//! `attestation serve | migrate | healthcheck | config | openapi | pardon`.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run::<attestation::Attestation>()
}
