//! The ledger's process; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run::<ledger::Ledger>()
}
