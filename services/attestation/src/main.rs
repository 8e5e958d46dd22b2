//! `attestation serve | migrate | healthcheck | config | openapi | pardon`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    runtime::run::<attestation::Attestation>()
}
