//! What the person at the terminal sees while it takes its time.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    sync::atomic::{AtomicUsize, Ordering},
};

const CELLS: usize = 30;

/// How far something is that takes a while.
#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    total: usize,
    done: AtomicUsize,
    cells: AtomicUsize,
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new(what: &str, total: usize) -> Self {
        Self {
            what: what.to_owned(),
            total: total.max(1),
            done: AtomicUsize::new(0),
            cells: AtomicUsize::new(0),
            is_shown: stderr().is_terminal(),
        }
    }

    /// So much more is done.
    pub(crate) fn advance(&self, by: usize) {
        let done = self.done.fetch_add(by, Ordering::Relaxed) + by;
        let cells = (CELLS * done / self.total).min(CELLS);
        if self.cells.swap(cells, Ordering::Relaxed) == cells || !self.is_shown {
            return;
        }
        let (full, empty) = ("█".repeat(cells), "░".repeat(CELLS - cells));
        eprint!("\r  {full}{empty} {} ", self.what);
        if cells == CELLS {
            eprintln!();
        }
        stderr().flush().ok();
    }
}

/// Says what is being done now.
pub(crate) fn say(what: &str) {
    eprintln!("{what}");
}
