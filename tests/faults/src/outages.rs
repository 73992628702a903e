//! R3: Postgres is killed, stopped at once or cut off while the server works: everybody is told 503 until it is back,
//! which nobody has to do anything for, and nothing that was acknowledged is lost.

use std::time::{Duration, Instant};

use gatelodge_e2e::{
    place::Place,
    storage::{Postgres, Storage},
};
use gatelodge_postgres::{Proxy, Server};

use crate::{
    random::Random,
    report::Outcome,
    site::Site,
    work::{After, Work},
};

/// How soon after Postgres everything works again.
const BACK: Duration = Duration::from_secs(5);
/// The longest that one waits for a refusal: twice the server's patience with the database, and a bit.
const REFUSED: Duration = Duration::from_secs(8);
/// What may be answered while the database goes and comes.
const ANSWERS: [Option<u16>; 4] = [Some(200), Some(201), Some(204), Some(503)];

/// Ends Postgres so many times, in turns by killing all its processes, at once, and in order.
pub async fn postgres_ends(times: usize, changes: u64, random: &mut Random) -> Outcome {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let postgres = Postgres::in_server(&server).as_out_of_the_box();
    let site = Site::at(Place::on(Storage::Postgres(postgres))).await;
    let ends: [fn(&mut Server); 3] = [Server::kill, Server::stop_immediate, Server::stop];
    let mut faults = Faults::new(&site, "postgres-ends", changes);
    for number in 0..times {
        let gone = Duration::from_millis(random.between(0, 1_500));
        faults.works(random).await;
        tokio::task::block_in_place(|| {
            ends[number % ends.len()](&mut server);
            std::thread::sleep(gone);
            server.start_again();
        });
        faults.is_back().await;
    }
    faults.finish().await
}

/// Makes the network between the server and Postgres fail so many times, in turns by closing all connections, by
/// refusing new ones too, and by letting nothing through.
pub async fn network_fails(times: usize, changes: u64, random: &mut Random) -> Outcome {
    let postgres = tokio::task::spawn_blocking(Postgres::new).await.unwrap();
    let address = postgres.address();
    let network = tokio::task::spawn_blocking(move || Proxy::start(address));
    let network = network.await.unwrap();
    let over = postgres.over(&network).as_out_of_the_box();
    let site = Site::at(Place::on(Storage::Postgres(over))).await;
    let cuts: [fn(&Proxy); 3] = [Proxy::kill_connections, Proxy::cut, Proxy::hang];
    let mut faults = Faults::new(&site, "network-fails", changes);
    for number in 0..times {
        let gone = Duration::from_millis(random.between(50, 2_500));
        faults.works(random).await;
        tokio::task::block_in_place(|| {
            cuts[number % cuts.len()](&network);
            std::thread::sleep(gone);
            network.restore();
        });
        faults.is_back().await;
    }
    faults.finish().await
}

/// Clients at work through one fault after another.
struct Faults<'a> {
    site: &'a Site,
    changes: u64,
    work: Work,
    back: Vec<Duration>,
    working: Vec<Duration>,
    outcome: Outcome,
}

impl<'a> Faults<'a> {
    fn new(site: &'a Site, name: &'static str, changes: u64) -> Self {
        Self {
            site,
            changes,
            work: site.work(After::TryAgain),
            back: Vec::new(),
            working: Vec::new(),
            outcome: Outcome::of(name),
        }
    }

    /// Waits for some more changes.
    async fn works(&self, random: &mut Random) {
        let some = random.between(self.changes / 2, self.changes * 3 / 2);
        self.work.goes_on(usize::try_from(some).unwrap()).await;
    }

    /// The fault is over: waits until everything works again.
    async fn is_back(&mut self) {
        let begun = Instant::now();
        self.site.is_ready().await;
        let back = begun.elapsed();
        self.work.goes_on(1).await;
        self.back.push(back);
        self.working.push(begun.elapsed());
        self.outcome.faults += 1;
        self.outcome.expect(back < BACK, || {
            format!("ready only {back:?} after the fault was over")
        });
    }

    async fn finish(self) -> Outcome {
        let mut outcome = self.outcome;
        let told = self.work.finish().await;
        outcome.acknowledged = told.acknowledged;
        outcome.add_answers(&told.answers, &ANSWERS);
        outcome.expect(told.refused() > 0, || "nobody noticed anything".to_owned());
        let slowest = told.slowest_refusal;
        outcome.expect(slowest < REFUSED, || format!("refused after {slowest:?}"));
        outcome.measure_all("ready again", &self.back);
        outcome.measure_all("next change", &self.working);
        outcome.measure("slowest refusal", format!("{slowest:.1?}"));
        outcome.measure("refused", told.refused());
        let found = self.site.violations(usize::MAX).await;
        outcome.violations.extend(found);
        outcome
    }
}
