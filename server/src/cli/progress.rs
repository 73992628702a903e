//! Says on standard error what takes long, when somebody is there to read it.

use std::{
    cell::RefCell,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gatelodge_core::archive::{self, Report};
use tokio::time::{Instant, sleep, sleep_until};

use super::{surroundings::Surroundings, text::thousands};

/// What takes no longer than this passes without a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// Back to the line's start, and what stood there is gone.
const CLEAR: &str = "\r\u{1b}[K";

/// What is being done, and since when.
pub(super) struct Progress<'a> {
    surroundings: &'a Surroundings,
    state: RefCell<State>,
}

struct State {
    doing: String,
    since: Instant,
    silent: bool,
    shown: bool,
}

impl<'a> Progress<'a> {
    pub(super) fn new(surroundings: &'a Surroundings) -> Self {
        Self {
            surroundings,
            state: RefCell::new(State {
                doing: "working".to_owned(),
                since: Instant::now(),
                silent: !surroundings.terminals.errors,
                shown: false,
            }),
        }
    }

    /// Something new begins.
    pub(super) fn begin(&self, doing: &str) {
        self.clear();
        let mut state = self.state.borrow_mut();
        doing.clone_into(&mut state.doing);
        state.since = Instant::now();
    }

    /// The same goes on, and this is how far it is.
    pub(super) fn is_at(&self, doing: String) {
        self.state.borrow_mut().doing = doing;
    }

    /// Does `work` on an archive, which reports how far it has come.
    pub(super) async fn follow<T>(
        &self,
        doing: &str,
        work: impl AsyncFnOnce(Report<'_>) -> T,
    ) -> T {
        const LOOK_EVERY: Duration = Duration::from_millis(250);
        let tally = Mutex::new(Tally::default());
        let locked = || tally.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = |progress| locked().add(progress);
        let mut work = pin!(work(&mut report));
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = sleep(LOOK_EVERY) => {
                    if let Some(far) = locked().words() {
                        self.is_at(format!("{doing}: {far}"));
                    }
                }
            }
        }
    }

    /// What follows shows by itself that it goes on.
    pub(super) fn be_silent(&self) {
        self.clear();
        self.state.borrow_mut().silent = true;
    }

    /// Takes the line away, before something else is written there.
    pub(super) fn clear(&self) {
        let was_shown = std::mem::take(&mut self.state.borrow_mut().shown);
        if was_shown {
            self.surroundings.tell(CLEAR);
        }
    }

    /// Waits for `work`, and shows each second that it goes on.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut next = Instant::now() + PATIENCE;
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    self.clear();
                    return done;
                }
                () = sleep_until(next) => {
                    self.show();
                    next = Instant::now() + PATIENCE;
                }
            }
        }
    }

    fn show(&self) {
        let mut state = self.state.borrow_mut();
        let taken = state.since.elapsed();
        if state.silent || taken < PATIENCE {
            return;
        }
        state.shown = true;
        let line = format!("{CLEAR}{} … {} s", state.doing, taken.as_secs());
        self.surroundings.tell(&line);
    }
}

/// Adds up what an archive reports.
#[derive(Default)]
struct Tally {
    last: Option<archive::Progress>,
    /// Rows of what was done before the last.
    before: u64,
}

impl Tally {
    fn add(&mut self, progress: archive::Progress) {
        if let Some(last) = &self.last
            && (last.scope, last.kind) != (progress.scope, progress.kind)
        {
            self.before += last.rows;
        }
        self.last = Some(progress);
    }

    /// "[#....................] tenant 12 of 340, 12,345 rows".
    fn words(&self) -> Option<String> {
        const WIDTH: u64 = 20;
        let last = self.last?;
        let rows = thousands(self.before + last.rows);
        let number = (last.tenants_done + 1).min(last.tenants);
        Some(match last.tenants {
            0 | 1 => format!("{rows} rows"),
            all => {
                let done = (0..WIDTH).map(|mark| {
                    let is_done = mark * all < last.tenants_done * WIDTH;
                    if is_done { '#' } else { '.' }
                });
                let bar: String = done.collect();
                let (number, all) = (thousands(number), thousands(all));
                format!("[{bar}] tenant {number} of {all}, {rows} rows")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_core::storage::{RowKind, Scope};

    use super::*;
    use crate::cli::surroundings::fake::Fake;

    #[test]
    fn rows_of_all_that_was_done_are_added_up() {
        let at = |kind, rows, tenants_done| archive::Progress {
            scope: Scope::Platform,
            kind,
            rows,
            tenants_done,
            tenants: 340,
        };
        let mut tally = Tally::default();
        assert_eq!(tally.words(), None);
        for progress in [
            at(RowKind::User, 200, 11),
            at(RowKind::User, 12_000, 11),
            at(RowKind::Grant, 345, 11),
        ] {
            tally.add(progress);
        }
        let words = tally.words();
        let expected = "[#...................] tenant 12 of 340, 12,345 rows";
        assert_eq!(words.as_deref(), Some(expected));
    }

    const AT_A_TERMINAL: fn() -> Fake = || Fake::typing("");

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_is_shown_each_second_and_then_taken_away() {
        let fake = AT_A_TERMINAL();
        let surroundings = fake.surroundings();
        let progress = Progress::new(&surroundings);
        let work = async {
            progress.begin("counting");
            sleep(Duration::from_millis(1_500)).await;
            progress.is_at("counted 7 users".to_owned());
            sleep(Duration::from_millis(1_000)).await;
            "done"
        };
        assert_eq!(progress.watch(work).await, "done");
        assert_eq!(
            fake.errors.text(),
            format!("{CLEAR}counting … 1 s{CLEAR}counted 7 users … 2 s{CLEAR}")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_quick_passes_without_a_word() {
        let fake = AT_A_TERMINAL();
        let surroundings = fake.surroundings();
        let progress = Progress::new(&surroundings);
        progress.watch(sleep(Duration::from_millis(999))).await;
        assert_eq!(fake.errors.text(), "");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_shown_where_nobody_reads_or_output_runs_anyway() {
        let nobody = Fake::default();
        let surroundings = nobody.surroundings();
        Progress::new(&surroundings)
            .watch(sleep(Duration::from_secs(5)))
            .await;
        assert_eq!(nobody.errors.text(), "");

        let fake = AT_A_TERMINAL();
        let surroundings = fake.surroundings();
        let progress = Progress::new(&surroundings);
        progress.be_silent();
        progress.watch(sleep(Duration::from_secs(5))).await;
        assert_eq!(fake.errors.text(), "");
    }
}
