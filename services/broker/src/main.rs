//! The broker's process; everything is in the library.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Clears every block when it is freed. What holds a secret here clears itself; the libraries that a request passes through (its
/// headers, the buffers of connection and TLS) do not.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    runtime::run::<broker::Broker>()
}
