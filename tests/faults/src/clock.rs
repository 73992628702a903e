//! R13: the clock jumps while the server works. Sessions end when the clock says so, nobody gets in who should not, and
//! once the clock is right again everything works. Needs Debian's `faketime`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use gatelodge_e2e::{api::Api, place::Start, wait, world::HOME};

use crate::{
    report::Outcome,
    site::{Kind, PASSWORD, Site, USER},
};

/// How the clock jumps, as `faketime` says it, and whether a session outlives that.
const JUMPS: [(&str, bool); 4] = [("+1h", false), ("-1h", true), ("+2y", false), ("-2y", true)];

/// Lets the clock jump there and back so many times.
pub async fn run(times: usize) -> Outcome {
    let name = "clock-jumps";
    let Some(library) = library() else {
        return Outcome::left_out(name, "needs the library of Debian's package faketime");
    };
    let mut outcome = Outcome::of(name);
    let mut site = Site::on(Kind::Sqlite.storage()).await;
    site.stop().await;
    let clock = site.place.root().join("clock");
    fs::write(&clock, "+0").unwrap();
    let how = Start {
        variables: vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ],
        ..Start::default()
    };
    site.start(how).await;
    for number in 0..times {
        let (jump, outlives) = JUMPS[number % JUMPS.len()];
        let begun = site.nobody().sign_in(HOME, USER, PASSWORD).await;
        set(&clock, jump);
        let status = begun.get("/api/v1/session").await.status;
        let expected = if outlives { 200 } else { 401 };
        outcome.expect(status == expected, || {
            format!("after {jump} a session is answered with {status}")
        });
        works(&site, jump, &mut outcome).await;
        set(&clock, "+0");
        works(&site, "the way back", &mut outcome).await;
        outcome.faults += 1;
    }
    outcome
}

/// Somebody can sign in and out, soon.
async fn works(site: &Site, when: &str, outcome: &mut Outcome) {
    let nobody = site.nobody();
    let signs_in = async || nobody.try_sign_in(Some(HOME), USER, PASSWORD).await;
    let mut program: Option<Api> = None;
    let holds = wait::holds_within(Duration::from_secs(5), async || {
        program = signs_in().await.ok();
        program.is_some()
    });
    let holds = holds.await;
    outcome.expect(holds, || format!("after {when} nobody can sign in"));
    if let Some(program) = program {
        let left = program.delete("/api/v1/session").await.status;
        outcome.expect(left == 204, || {
            format!("after {when} signing out is answered with {left}")
        });
        outcome.acknowledged += 2;
    }
}

/// In one step, so that nobody reads half of it.
fn set(clock: &Path, time: &str) {
    let next = clock.with_extension("next");
    fs::write(&next, time).unwrap();
    fs::rename(&next, clock).unwrap();
}

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|library| library.is_file())
}
