//! `__name__ serve | migrate | healthcheck | config | openapi`.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run::<__name__::__Name__>()
}
