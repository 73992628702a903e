//! R13: no room on the disk, nothing but reading, no file descriptors. What needs them is refused, what does not goes
//! on, and once there is enough again everything works.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use gatelodge_e2e::{
    place::{Place, Start},
    storage::{Postgres, Storage},
    wait,
};
use gatelodge_postgres::Server;
use tempfile::Builder;
use tokio::{net::TcpStream, time::timeout};

use crate::{random::Random, report::Outcome, site::Site, tmpfs::Tmpfs, work::After};

/// What may be answered when there is no room.
const ANSWERS: [Option<u16>; 4] = [Some(200), Some(201), Some(204), Some(503)];
/// Why there is no small disk.
const NO_ROOT: &str = "needs the right to mount a tmpfs";

/// Files may not grow any further, as on a full disk; the server is started again without that.
pub async fn file_size(times: usize, random: &mut Random) -> Outcome {
    let mut outcome = Outcome::of("full-file-limit");
    let mut site = Site::on(Storage::Embedded).await;
    for _ in 0..times {
        site.stop().await;
        let size = fs::metadata(site.place.database()).unwrap().len() / 1024;
        let limit = size + random.between(0, 400);
        let limited = Start {
            file_limit_kib: Some(u32::try_from(limit.max(64)).unwrap()),
            ..Start::default()
        };
        site.start(limited).await;
        fills_up(&site, &mut outcome).await;
        site.kill().await;
        site.start(Start::default()).await;
        works(&site, &mut outcome).await;
    }
    finish(&site, outcome).await
}

/// The disk is full, and later it is not: nobody starts anything again.
pub async fn small_disk(times: usize, random: &mut Random) -> Outcome {
    let name = "full-disk";
    let place = Place::on(Storage::Embedded);
    let Some(disk) = Tmpfs::mount(&place.data(), 64 * 1024) else {
        return Outcome::left_out(name, NO_ROOT);
    };
    let mut outcome = Outcome::of(name);
    let mut site = Site::at(place).await;
    for _ in 0..times {
        disk.resize(used_kib(&site) + random.between(64, 600));
        fills_up(&site, &mut outcome).await;
        disk.resize(used_kib(&site) + 64 * 1024);
        works(&site, &mut outcome).await;
    }
    // And nothing of it is only in memory.
    site.kill().await;
    site.start(Start::default()).await;
    let outcome = finish(&site, outcome).await;
    site.stop().await;
    outcome
}

/// The disk of Postgres is full, and later it is not. Should Postgres have ended over it, it is started again.
pub async fn small_disk_of_postgres(times: usize, random: &mut Random) -> Outcome {
    let name = "full-disk-postgres";
    let folder = Builder::new()
        .prefix("gatelodge-faults-")
        .permissions(Permissions::from_mode(0o711))
        .tempdir()
        .unwrap();
    let Some(disk) = Tmpfs::mount(&folder.path().join("disk"), 256 * 1024) else {
        return Outcome::left_out(name, NO_ROOT);
    };
    fs::set_permissions(disk.path(), Permissions::from_mode(0o711)).unwrap();
    let mut outcome = Outcome::of(name);
    let mut server = tokio::task::block_in_place(|| Server::start_in(disk.path()));
    let postgres = Postgres::in_server(&server).as_out_of_the_box();
    let site = Site::at(Place::on(Storage::Postgres(postgres))).await;
    let mut ended = 0;
    for _ in 0..times {
        let ballast = disk.path().join("ballast");
        let left = usize::try_from(random.between(0, 256 * 1024)).unwrap();
        tokio::task::block_in_place(|| fill(&ballast, left));
        fills_up(&site, &mut outcome).await;
        fs::remove_file(&ballast).unwrap();
        let is_there = wait::holds_within(Duration::from_secs(5), async || {
            tokio::task::block_in_place(|| server.try_sql("SELECT 1").is_ok())
        });
        if !is_there.await {
            ended += 1;
            tokio::task::block_in_place(|| {
                server.kill();
                server.start_again();
            });
        }
        site.is_ready().await;
        works(&site, &mut outcome).await;
    }
    outcome.measure("Postgres ended over it", ended);
    finish(&site, outcome).await
}

/// Takes all the room there is, but for so many bytes.
fn fill(ballast: &Path, left: usize) {
    let mut file = fs::File::create(ballast).unwrap();
    let block = vec![1; 64 * 1024];
    while file.write_all(&block).is_ok() {}
    let size = file.metadata().unwrap().len();
    let left = u64::try_from(left).unwrap();
    file.set_len(size.saturating_sub(left)).unwrap();
}

/// A server on a folder that it cannot write to is refused in words, and starts when it can.
pub async fn read_only(times: usize) -> Outcome {
    let name = "read-only";
    let place = Place::on(Storage::Embedded);
    let Some(disk) = Tmpfs::mount(&place.data(), 64 * 1024) else {
        return Outcome::left_out(name, NO_ROOT);
    };
    let mut outcome = Outcome::of(name);
    let mut site = Site::at(place).await;
    for _ in 0..times {
        // Once left in order, and once with a log that is still to be taken over.
        if outcome.faults.is_multiple_of(2) {
            site.stop().await;
        } else {
            site.kill().await;
        }
        disk.read_only(true);
        let refused = site.place.refused(Start::default()).await;
        let last = refused.stderr.lines().last().unwrap_or_default().to_owned();
        let is_in_words = refused.code == Some(1)
            && last.starts_with("error: ")
            && !refused.stderr.contains("panicked");
        outcome.expect(is_in_words, || format!("{refused:?}"));
        disk.read_only(false);
        site.start(Start::default()).await;
        works(&site, &mut outcome).await;
        outcome.faults += 1;
    }
    let outcome = finish(&site, outcome).await;
    site.stop().await;
    outcome
}

/// Idle connections take every file descriptor; then they are gone.
pub async fn descriptors(times: usize, random: &mut Random) -> Outcome {
    let mut outcome = Outcome::of("no-descriptors");
    let mut site = Site::on(Storage::Embedded).await;
    site.stop().await;
    let limited = Start {
        open_files: Some(96),
        ..Start::default()
    };
    site.start(limited).await;
    let mut back = Vec::new();
    for _ in 0..times {
        let work = site.work(After::TryAgain);
        work.goes_on(20).await;
        let mut idle = Vec::new();
        for _ in 0..random.between(120, 200) {
            // Those that do not fit into the line of the waiting either give up.
            let connecting = TcpStream::connect(site.server().authority());
            let connected = timeout(Duration::from_millis(50), connecting).await;
            idle.extend(connected.ok().and_then(Result::ok));
        }
        tokio::time::sleep(Duration::from_millis(random.between(100, 500))).await;
        drop(idle);
        let begun = Instant::now();
        site.is_ready().await;
        work.goes_on(20).await;
        back.push(begun.elapsed());
        let told = work.finish().await;
        outcome.acknowledged += told.acknowledged;
        let allowed = [&ANSWERS[..], &[None]].concat();
        outcome.add_answers(&told.answers, &allowed);
        outcome.faults += 1;
    }
    outcome.measure_all("works again", &back);
    site.kill().await;
    site.start(Start::default()).await;
    finish(&site, outcome).await
}

/// Clients work until there is no room any more. Reading goes on.
async fn fills_up(site: &Site, outcome: &mut Outcome) {
    let work = site.work(After::TryAgain);
    work.is_refused(20).await;
    let reads = site.administrator.get("/api/v1/session").await;
    outcome.expect(reads.status == 200, || {
        format!("without room a session is answered with {}", reads.status)
    });
    let alive = site.nobody().get("/healthz").await;
    outcome.expect(alive.status == 200, || format!("{alive:?}"));
    let told = work.finish().await;
    outcome.acknowledged += told.acknowledged;
    outcome.add_answers(&told.answers, &ANSWERS);
    outcome.faults += 1;
}

/// Changes work, soon.
async fn works(site: &Site, outcome: &mut Outcome) {
    let work = site.work(After::TryAgain);
    let more = work.told().acknowledged + 10;
    let holds = wait::holds_within(Duration::from_secs(5), async || {
        work.told().acknowledged >= more
    });
    let holds = holds.await;
    let told = work.finish().await;
    outcome.acknowledged += told.acknowledged;
    outcome.expect(holds, || format!("with room again: {told:?}"));
    outcome.add_answers(&told.answers, &ANSWERS);
}

async fn finish(site: &Site, mut outcome: Outcome) -> Outcome {
    outcome.violations.extend(site.violations(usize::MAX).await);
    outcome
}

fn used_kib(site: &Site) -> u64 {
    let files = fs::read_dir(site.place.data()).unwrap().flatten();
    let sizes = files.map(|file| {
        file.metadata()
            .map_or(0, |data| data.len().div_ceil(4096) * 4)
    });
    sizes.sum()
}
