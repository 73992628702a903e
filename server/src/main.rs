//! The program `gatelodge`. Everything is in the library.

use std::process::ExitCode;

/// It takes less memory in a flood of sign-ins than the C library's allocator and costs each request less: figures in
/// `docs/performance.md`.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gatelodge_server::cli::main()
}
