//! Prints which attacks and requirements the tests cover; with `--summary` in one line.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use gatelodge_attacks::coverage::{Coverage, root};

fn main() -> io::Result<ExitCode> {
    let coverage = Coverage::of(&root())?;
    let mut out = io::stdout().lock();
    match std::env::args().nth(1).as_deref() {
        None => write!(out, "{coverage}")?,
        Some("--summary") => writeln!(out, "{}", coverage.summary())?,
        Some(_) => {
            writeln!(io::stderr(), "the only argument there is: --summary")?;
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}
