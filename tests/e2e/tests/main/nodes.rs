//! Two servers on one Postgres: what one did is in force on the other within a second, whatever happens to the database
//! in between (R7), and nobody wins a race by asking both.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use gatelodge_e2e::{
    api::{Answer, Api},
    nodes::{Nodes, UNLIMITED},
    place::Place,
    revocation::Seen,
    storage::{Postgres, Storage},
    wait,
    world::{ADMINISTRATOR, ADMINISTRATORS_PASSWORD, HOME},
};
use gatelodge_postgres::Proxy;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

/// How soon what one node acknowledged must be in force on the other.
const SECOND: Duration = Duration::from_secs(1);
/// In each round a session is ended in five ways.
const ROUNDS: usize = 6;
/// The tenant that is locked.
const SHOP: &str = "shop";

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_revoked_is_refused_on_the_other_within_a_second() {
    let nodes = Nodes::new("").await;
    let seen = revoke_in_every_way(&nodes).await;
    assert_soon("calm", &seen);
}

/// A transaction that stays open holds up what other transactions may forget, and has a change of its own that nobody
/// sees yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_revoked_is_refused_on_the_other_while_somebody_keeps_a_transaction_open() {
    let nodes = Nodes::new("").await;
    let url = nodes.postgres().superuser_url();
    let mut other = PgConnection::connect(url).await.unwrap();
    let change = "BEGIN; INSERT INTO gatelodge.changes (at, tenant, what) VALUES (now(), gen_random_uuid(), 'tenant')";
    sqlx::raw_sql(change).execute(&mut other).await.unwrap();
    let seen = revoke_in_every_way(&nodes).await;
    assert_soon("with a transaction kept open", &seen);
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
}

/// The feed of changes hardly ever gets through, nor does anything else of that node.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_revoked_is_refused_on_the_other_while_its_connections_are_killed() {
    let postgres = Postgres::new();
    let (others, role) = postgres.served_by("victim");
    let nodes = Nodes::on(postgres, others, "").await;
    let killed = AtomicUsize::new(0);
    let seen = tokio::select! {
        seen = revoke_in_every_way(&nodes) => seen,
        () = kill_connections(&nodes, &role, &killed) => Seen::default(),
    };
    let killed = killed.into_inner();
    assert!(killed > 10, "{killed} connections were killed");
    assert_soon(&format!("with {killed} connections killed"), &seen);
    wait::until("the node works again", async || {
        nodes
            .nobody_there()
            .try_sign_in(Some(HOME), ADMINISTRATOR, ADMINISTRATORS_PASSWORD)
            .await
            .is_ok()
    })
    .await;
}

/// Ends every connection of an account, ten times a second, for ever.
async fn kill_connections(nodes: &Nodes, role: &str, killed: &AtomicUsize) {
    let url = nodes.postgres().superuser_url();
    let mut superuser = PgConnection::connect(url).await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1 AND \
                    application_name = 'gatelodge'";
        let ended: i64 = sqlx::query_scalar(kill)
            .bind(role)
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        killed.fetch_add(usize::try_from(ended).unwrap(), Ordering::Relaxed);
    }
}

fn assert_soon(when: &str, seen: &Seen) {
    println!("{when}: {} sessions revoked; {seen}", ROUNDS * 5);
    assert!(seen.accepted < SECOND, "{when}: {seen}");
}

/// Ends sessions on the one node in all ways there are, and sees how the other takes it.
async fn revoke_in_every_way(nodes: &Nodes) -> Seen {
    nodes.world.tenant(SHOP).await;
    let mut password = [
        nodes.world.user(HOME, "leaver").await,
        nodes.world.user(HOME, "locked").await,
        nodes.world.user(HOME, "by-command").await,
        nodes.world.user(HOME, "changer").await,
        nodes.world.user(SHOP, "clerk").await,
    ];
    let mut all = Seen::default();
    for round in 0..ROUNDS {
        let next = format!("canary: song number {round} of the wren");
        let (one, two, three, four, five) = tokio::join!(
            by_leaving(nodes, &password[0]),
            by_lock(nodes, &password[1]),
            by_command(nodes, &password[2]),
            by_change(nodes, &password[3], &next),
            by_lock_of_tenant(nodes, &password[4]),
        );
        password[3] = next;
        for seen in [one, two, three, four, five] {
            all.add(&seen);
        }
    }
    all
}

/// A session of the one node that the other has in memory.
async fn known_there(nodes: &Nodes, tenant: &str, user: &str, password: &str) -> (Api, Api) {
    let here = nodes.world.nobody().sign_in(tenant, user, password).await;
    let there = here.at(&nodes.other);
    for _ in 0..2 {
        wait::until("the session on the other node", async || {
            there.get("/api/v1/session").await.status == 200
        })
        .await;
    }
    (here, there)
}

async fn by_leaving(nodes: &Nodes, password: &str) -> Seen {
    let (here, there) = known_there(nodes, HOME, "leaver", password).await;
    here.delete("/api/v1/session").await.expect(204);
    Seen::until_refused(&there, Instant::now()).await
}

async fn by_lock(nodes: &Nodes, password: &str) -> Seen {
    let (here, there) = known_there(nodes, HOME, "locked", password).await;
    let keeper = &nodes.world.administrator;
    let path = format!("/api/v1/tenants/{HOME}/users/{}/lock", here.user_id().await);
    keeper.put(&path, json!({})).await.expect(200);
    let seen = Seen::until_refused(&there, Instant::now()).await;
    keeper.delete(&path).await.expect(200);
    seen
}

async fn by_command(nodes: &Nodes, password: &str) -> Seen {
    let (_, there) = known_there(nodes, HOME, "by-command", password).await;
    let lock = ["user", "lock", "-t", HOME, "by-command"];
    nodes.world.run(&lock).await.succeeded();
    let seen = Seen::until_refused(&there, Instant::now()).await;
    let unlock = ["user", "unlock", "-t", HOME, "by-command"];
    nodes.world.run(&unlock).await.succeeded();
    seen
}

async fn by_change(nodes: &Nodes, old: &str, new: &str) -> Seen {
    let (_, there) = known_there(nodes, HOME, "changer", old).await;
    let elsewhere = nodes.world.nobody().sign_in(HOME, "changer", old).await;
    let elsewhere = elsewhere.change_password(old, new).await;
    let seen = Seen::until_refused(&there, Instant::now()).await;
    assert!(elsewhere.is_signed_in().await, "the changer is out too");
    seen
}

async fn by_lock_of_tenant(nodes: &Nodes, password: &str) -> Seen {
    let (_, there) = known_there(nodes, SHOP, "clerk", password).await;
    let keeper = &nodes.world.administrator;
    let path = format!("/api/v1/tenants/{SHOP}/lock");
    keeper.put(&path, json!({})).await.expect(200);
    let seen = Seen::until_refused(&there, Instant::now()).await;
    keeper.delete(&path).await.expect(200);
    seen
}

/// What was asked of a node while its network hung.
struct Asked {
    after: Duration,
    took: Duration,
    status: u16,
    retries: bool,
}

/// Asks as whoever `program` is, ten times a second, without waiting for answers.
async fn ask_for(program: &Api, since: Instant, span: Duration) -> Vec<Asked> {
    let mut asking = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    while since.elapsed() < span {
        ticks.tick().await;
        let program = program.clone();
        asking.spawn(async move {
            let after = since.elapsed();
            let answer = program.get("/api/v1/session").await;
            Asked {
                after,
                took: since.elapsed() - after,
                status: answer.status,
                retries: answer.headers.contains_key("retry-after"),
            }
        });
    }
    asking.join_all().await
}

/// A node that cannot know lets nobody in, and needs nobody to come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_cut_off_from_the_database_lets_nobody_in_after_a_second_and_comes_back_by_itself() {
    let postgres = Postgres::new();
    let address = postgres.address();
    let network = tokio::task::spawn_blocking(move || Proxy::start(address));
    let network = network.await.unwrap();
    let others = postgres.over(&network).as_out_of_the_box();
    let nodes = Nodes::on(postgres, others, "").await;
    let there = nodes.world.administrator.at(&nodes.other);
    for (what, cut) in [("hangs", Proxy::hang as fn(&Proxy)), ("is cut", Proxy::cut)] {
        // By then it has it in memory.
        for _ in 0..20 {
            there.get("/api/v1/session").await.expect(200);
            wait::pause().await;
        }
        tokio::task::block_in_place(|| cut(&network));
        let since = Instant::now();
        let asked = ask_for(&there, since, Duration::from_millis(2_500)).await;
        let accepted = asked.iter().filter(|asked| asked.status == 200);
        let last = accepted.map(|asked| asked.after).max().unwrap_or_default();
        let slowest = asked.iter().map(|asked| asked.took).max().unwrap();
        for late in asked.iter().filter(|asked| asked.after >= SECOND) {
            assert_eq!(late.status, 503, "asked after {:?}", late.after);
            assert!(late.retries);
        }
        assert!(slowest < Duration::from_secs(6), "{slowest:?}");
        nodes
            .world
            .administrator
            .get("/api/v1/session")
            .await
            .expect(200);
        tokio::task::block_in_place(|| network.restore());
        let since = Instant::now();
        wait::until("the node is back", async || {
            there.get("/api/v1/session").await.status == 200
        })
        .await;
        println!(
            "the network {what}: let in for {last:.3?} more, slowest refusal {slowest:.3?}, back after {:.3?}",
            since.elapsed()
        );
    }
}

/// Signs somebody in many times at once, half on each node.
fn signing_in_on_both(
    nodes: &Nodes,
    tenant: &str,
    user: &str,
    password: &str,
    times: usize,
) -> JoinSet<Result<Api, Answer>> {
    let mut signing_in = JoinSet::new();
    for number in 0..times {
        let nobody = match number % 2 {
            0 => nodes.world.nobody(),
            _ => nodes.nobody_there(),
        };
        let [tenant, user, password] = [tenant, user, password].map(str::to_owned);
        signing_in.spawn(async move { nobody.try_sign_in(Some(&tenant), &user, &password).await });
    }
    signing_in
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sign_ins_of_one_person_at_once_on_two_nodes_all_succeed() {
    let nodes = Nodes::new("").await;
    let password = nodes.world.user(HOME, "ada").await;
    let begun = Instant::now();
    let done = signing_in_on_both(&nodes, HOME, "ada", &password, 50)
        .join_all()
        .await;
    println!(
        "50 sign-ins of one person on two nodes took {:.3?}",
        begun.elapsed()
    );
    let (signed_in, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert!(
        refused.is_empty(),
        "{} refused, such as {:?}",
        refused.len(),
        refused[0]
    );
    assert_eq!(nodes.open_sessions("ada").await, 50);
    for program in signed_in {
        let program = program.unwrap();
        assert!(program.is_signed_in().await);
        assert!(program.at(&nodes.other).is_signed_in().await);
    }
}

/// Whoever is just signing in when the lock comes is either too early, and the session ends with the lock, or too late.
#[tokio::test(flavor = "multi_thread")]
async fn no_sign_in_on_either_node_outlives_a_lock() {
    let nodes = Nodes::new("").await;
    let keeper = &nodes.world.administrator;
    nodes.world.tenant(SHOP).await;
    let password = nodes.world.user(SHOP, "ada").await;
    let first = nodes.world.nobody().sign_in(SHOP, "ada", &password).await;
    let of_user = format!(
        "/api/v1/tenants/{SHOP}/users/{}/lock",
        first.user_id().await
    );
    let of_tenant = format!("/api/v1/tenants/{SHOP}/lock");
    let (mut early, mut late) = (0, 0);
    for round in 0..8 {
        let lock = [&of_user, &of_tenant][round % 2];
        let mut signing_in = signing_in_on_both(&nodes, SHOP, "ada", &password, 12);
        let mut signed_in = Vec::new();
        // Later in each round.
        for _ in 0..round {
            signed_in.extend(signing_in.join_next().await.unwrap().unwrap());
        }
        keeper.put(lock, json!({})).await.expect(200);
        while let Some(done) = signing_in.join_next().await {
            signed_in.extend(done.unwrap());
        }
        assert_eq!(nodes.open_sessions("ada").await, 0, "round {round}");
        for program in &signed_in {
            assert!(!program.is_signed_in().await, "round {round}");
        }
        early += signed_in.len();
        late += 12 - signed_in.len();
        keeper.delete(lock).await.expect(200);
        nodes.world.nobody().sign_in(SHOP, "ada", &password).await;
    }
    println!("{early} sign-ins were before a lock, {late} after");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_start_first_at_once_both_serve_and_one_set_up_works() {
    for _ in 0..3 {
        let storage = Storage::Postgres(Postgres::new());
        let one = Place::on(storage.clone()).configured(UNLIMITED);
        let other = one.beside(storage);
        let (here, there) = tokio::join!(one.serve(), other.serve());
        let tokens = [here.set_up_token(), there.set_up_token()];
        let set_up = async |server, token: &str| {
            let body = json!({
                "token": token,
                "tenant": HOME,
                "user_name": ADMINISTRATOR,
                "password": ADMINISTRATORS_PASSWORD,
            });
            Api::new(server).post("/api/v1/setup", body).await.status
        };
        let statuses: [u16; 4] = tokio::join!(
            set_up(&here, &tokens[0]),
            set_up(&there, &tokens[1]),
            set_up(&there, &tokens[0]),
            set_up(&here, &tokens[1]),
        )
        .into();
        let done = statuses.iter().filter(|status| **status == 201).count();
        assert_eq!(done, 1, "{statuses:?}");
        for server in [&here, &there] {
            for token in &tokens {
                let again = set_up(server, token).await;
                assert!(
                    (400..500).contains(&again),
                    "a set-up link worked twice: {again}"
                );
            }
            let nobody = Api::new(server);
            let keeper = nobody
                .sign_in(HOME, ADMINISTRATOR, ADMINISTRATORS_PASSWORD)
                .await;
            assert!(keeper.is_signed_in().await);
        }
    }
}
