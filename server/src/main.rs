//! The program `gatelodge`. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatelodge_server::cli::main()
}
