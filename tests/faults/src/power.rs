//! R4: the power goes, and the disk has only what it was told to keep.
//!
//! The server writes under a library that notes what it writes and syncs (`power.c`). It is killed in the middle of its
//! work, every other time just before a sync, when the most is at stake; the database is put into a state that a disk
//! could have been left in ([`disk`](crate::disk)), and the server is started on that.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use gatelodge_e2e::place::Start;

use crate::{
    disk::{Disk, Forgotten, Trust},
    random::Random,
    report::Outcome,
    site::{Kind, Site},
    work::After,
};

/// Before which sync the power goes, from the start of the server on: after those of the start.
const SYNCS: std::ops::Range<u64> = 20..90;
/// How often one database is used.
const PER_DATABASE: usize = 25;

/// Lets the power go so many times, each time after some `changes` more were acknowledged.
pub async fn run(losses: usize, changes: u64, random: &mut Random) -> Outcome {
    let mut outcome = Outcome::of("power-sqlite");
    let (mut syncs, mut unsynced, mut dropped) = (0, 0, 0);
    let mut ready = Vec::new();
    while outcome.faults < losses {
        let mut watched = Watched::new().await;
        for _ in 0..(losses - outcome.faults).min(PER_DATABASE) {
            let (acknowledged, forgotten) =
                watched.loses_power(changes, Trust::Honest, random).await;
            outcome.acknowledged += acknowledged;
            syncs += forgotten.syncs;
            unsynced += forgotten.unsynced;
            dropped += forgotten.dropped;
            let next = outcome
                .faults
                .is_multiple_of(2)
                .then(|| random.between(SYNCS.start, SYNCS.end));
            ready.push(watched.start(next).await);
            outcome
                .violations
                .extend(watched.site.violations(usize::MAX).await);
            outcome.faults += 1;
        }
        watched.site.stop().await;
    }
    outcome.measure("syncs", syncs);
    outcome.measure("writes not synced", unsynced);
    outcome.measure("of these lost or torn", dropped);
    outcome.measure_all("ready again", &ready);
    outcome.expect(syncs > 0 && dropped > 0, || {
        "the library noted nothing: this showed nothing".to_owned()
    });
    outcome
}

/// The control: on a disk that lies about its syncs, this must notice what is lost. Answers what it noticed.
pub async fn on_a_lying_disk(changes: u64, random: &mut Random) -> Vec<String> {
    let mut watched = Watched::new().await;
    watched.loses_power(changes, Trust::Lying, random).await;
    watched.start(None).await;
    watched.site.violations(usize::MAX).await
}

/// A site whose server is watched.
struct Watched {
    site: Site,
    library: PathBuf,
    /// Whether it was started so that the library will end it.
    ends_by_itself: bool,
}

impl Watched {
    async fn new() -> Self {
        let mut site = Site::on(Kind::Sqlite.storage()).await;
        let library = compile(site.place.root());
        site.stop().await;
        let mut watched = Self {
            site,
            library,
            ends_by_itself: false,
        };
        watched.start(None).await;
        watched
    }

    fn notes(&self) -> PathBuf {
        self.site.place.root().join("power.notes")
    }

    /// Starts the server; it ends by itself before a sync, if one is given.
    async fn start(&mut self, last_sync: Option<u64>) -> Duration {
        let data = fs::canonicalize(self.site.place.data()).unwrap();
        let mut how = Start {
            variables: vec![
                ("LD_PRELOAD", self.library.display().to_string()),
                ("POWER_LOG", self.notes().display().to_string()),
                ("POWER_FOLDER", data.display().to_string()),
            ],
            ..Start::default()
        };
        if let Some(last) = last_sync {
            how.variables.push(("POWER_SYNCS", last.to_string()));
        }
        self.ends_by_itself = last_sync.is_some();
        // What is there now is what the disk has: a copy, since the server begins to write at once.
        let base = self.base();
        fs::remove_dir_all(&base).ok();
        copy(&data, &base);
        fs::remove_file(self.notes()).ok();
        self.site.start(how).await
    }

    fn base(&self) -> PathBuf {
        self.site.place.root().join("base")
    }

    /// Works, loses its power, and leaves the database as the disk would.
    async fn loses_power(
        &mut self,
        changes: u64,
        trust: Trust,
        random: &mut Random,
    ) -> (usize, Forgotten) {
        let work = self.site.work(After::Leave);
        if self.ends_by_itself {
            self.site.ends().await;
        } else {
            let some = random.between(changes * 3 / 4, changes * 5 / 4);
            work.goes_on(usize::try_from(some).unwrap()).await;
            tokio::time::sleep(Duration::from_micros(random.between(0, 5_000))).await;
            self.site.kill().await;
        }
        let told = work.finish().await;
        let data = fs::canonicalize(self.site.place.data()).unwrap();
        copy(&self.base(), &data);
        let mut disk = Disk::holding(&data);
        let notes = fs::read(self.notes()).unwrap();
        let forgotten = disk.lose_power(&notes, trust, random);
        disk.restore(&data);
        (told.acknowledged, forgotten)
    }
}

/// Makes the databases of `to` those of `from`; other files stay as they are.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(to).unwrap() {
        let path = entry.unwrap().path();
        if is_copied(&path) {
            fs::remove_file(path).unwrap();
        }
    }
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if is_copied(&path) {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn is_copied(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".db", "-wal", "-journal", "-shm"]
        .iter()
        .any(|end| name.ends_with(end))
}

fn compile(folder: &Path) -> PathBuf {
    let source = folder.join("power.c");
    fs::write(&source, include_str!("power.c")).unwrap();
    let library = folder.join("power.so");
    let output = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .args(["-ldl", "-lpthread"])
        .output()
        .expect("a C compiler");
    assert!(output.status.success(), "{output:?}");
    library
}
