//! Postgres stops, is killed and comes back while a server is at work: nobody is told anything but that it is not
//! available for a moment, nothing that was acknowledged is lost, and nobody has to start anything again (R3).

use std::time::{Duration, Instant};

use gatelodge_e2e::{
    load::{Journal, Load},
    nodes::UNLIMITED,
    place::Place,
    storage::{Postgres, Storage},
    wait,
    world::{HOME, World},
};
use gatelodge_postgres::Server;

/// How long a request may wait for the database, by default, and a bit.
const LONGEST: Duration = Duration::from_secs(5);
/// How soon after Postgres everything works again.
const BACK: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_gone_every_answer_is_503_and_nothing_acknowledged_is_lost() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let postgres = Postgres::in_server(&server).as_out_of_the_box();
    let place = Place::on(Storage::Postgres(postgres)).configured(UNLIMITED);
    let world = World::of(place).await;
    let password = world.user(HOME, "ada").await;
    let load = Load::start(&world, "ada", &password);
    let ends = [
        ("stopped", Server::stop as fn(&mut Server)),
        ("stopped at once", Server::stop_immediate),
        ("killed", Server::kill),
        ("restarted", |server| {
            server.stop();
            server.start_again();
        }),
        ("killed and restarted", |server| {
            server.kill();
            server.start_again();
        }),
    ];
    for (what, end) in ends {
        load.goes_on(3).await;
        tokio::task::block_in_place(|| end(&mut server));
        if !what.contains("restarted") {
            looks_gone(&world, &load).await;
            tokio::task::block_in_place(|| server.start_again());
        }
        let begun = Instant::now();
        is_back(&world).await;
        let back = begun.elapsed();
        load.goes_on(1).await;
        let working = begun.elapsed();
        println!(
            "{what}: ready {back:.3?} after Postgres, every client at work after {working:.3?}"
        );
        assert!(back < BACK, "{what}: {back:?}");
    }
    let journal = load.finish().await;
    assert_only_unavailable(&journal);
    println!(
        "{} acknowledged, refused {:?}",
        journal.acknowledged(),
        journal.statuses()
    );
    let listed = world.run(&["--json", "user", "list", "-t", HOME]).await;
    journal.assert_users_in(&listed.succeeded());
    journal.assert_sessions_at(&world.server).await;
}

/// Alive, and not ready; whoever asks is told so in time.
async fn looks_gone(world: &World, load: &Load) {
    let nobody = world.nobody();
    nobody.get("/healthz").await.expect(200);
    let begun = Instant::now();
    let ready = nobody.get("/readyz").await;
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
    assert_eq!(ready.status, 503, "{ready:?}");
    assert_eq!(ready.headers["content-type"], "application/problem+json");
    assert!(ready.headers.contains_key("retry-after"), "{ready:?}");
    let before = load.so_far().refused.len();
    wait::until("refused clients", async || {
        load.so_far().refused.len() >= before + 3
    })
    .await;
    let page = world.visitor().get(&format!("/t/{HOME}/sign-in")).await;
    assert_eq!(page.status, 503, "{}", page.text());
    assert!(page.says("Not available for a moment"), "{}", page.text());
    nobody.get("/healthz").await.expect(200);
}

async fn is_back(world: &World) {
    wait::until("the server is ready", async || {
        world.nobody().get("/readyz").await.status == 200
            && world.administrator.get("/api/v1/tenants").await.status == 200
    })
    .await;
}

fn assert_only_unavailable(journal: &Journal) {
    assert!(!journal.refused.is_empty(), "nobody noticed");
    let mut slowest = Duration::ZERO;
    for refusal in &journal.refused {
        assert_eq!(refusal.status, Some(503), "{refusal:?}");
        assert_eq!(refusal.content_type, "application/problem+json");
        slowest = slowest.max(refusal.took);
    }
    println!("the slowest refusal took {slowest:.3?}");
    assert!(slowest < LONGEST, "{slowest:?}");
}
