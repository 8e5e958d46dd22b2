//! `behavior serve | migrate | healthcheck | config | openapi`. What people do with the engine is `behaviorctl`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    runtime::run::<behavior::Behavior>()
}
