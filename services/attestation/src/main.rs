//! `attestation serve | migrate | healthcheck | config | openapi`.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run::<attestation::Attestation>()
}
