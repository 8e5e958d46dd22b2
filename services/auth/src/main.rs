//! The `auth` process: see the crate `auth`.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run::<auth::Auth>()
}
