//! Stopping, crashing, starting again.

use std::sync::{Arc, Mutex};

use gatelodge_e2e::{
    api::Api,
    place::Place,
    server::Server,
    wait,
    world::{HOME, World},
};
use reqwest::Method;
use serde_json::json;
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

#[tokio::test]
async fn sessions_survive_a_restart() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    visitor.sign_in("", "ada", &password).await;
    let left = world.visitor();
    left.sign_in("", "ada", &password).await;
    let form = left.open("/account").await.form("/sign-out");
    let gone = left.cookies();
    left.submit(&form, &[]).await;

    let world = world
        .restarted(async |server| assert!(server.stop().await.success()))
        .await;
    assert!(visitor.at(&world.server).is_signed_in("").await);
    assert!(world.administrator.is_signed_in().await);
    let left = left.at(&world.server);
    left.set_cookies(&gone);
    assert!(
        !left.is_signed_in("").await,
        "a session that was left is back"
    );
}

/// S19: a revocation that was acknowledged outlives the process that made it.
#[tokio::test]
async fn s19_what_was_revoked_is_refused_after_kill_9() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let left = world.visitor();
    left.sign_in("", "ada", &password).await;
    let form = left.open("/account").await.form("/sign-out");
    let gone = left.cookies();
    left.submit(&form, &[]).await;

    let world = world.restarted(Server::kill).await;
    let left = left.at(&world.server);
    left.set_cookies(&gone);
    assert!(!left.is_signed_in("").await, "a revoked session is back");
    assert!(world.administrator.is_signed_in().await);
}

/// What clients were told is done.
#[derive(Debug, Default)]
struct Acknowledged {
    signed_in: Mutex<Vec<Api>>,
    users: Mutex<Vec<String>>,
}

impl Acknowledged {
    fn count(&self) -> usize {
        self.signed_in
            .lock()
            .unwrap()
            .len()
            .min(self.users.lock().unwrap().len())
    }
}

/// What a client was told is done is done, whatever happens to the process after. This says nothing about a loss of
/// power: the operating system still had the pages; `synchronous=FULL` is for that.
#[tokio::test]
async fn what_was_acknowledged_is_there_after_kill_9() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let told = Arc::new(Acknowledged::default());
    let mut work = JoinSet::new();
    work.spawn(sign_in_until_it_dies(
        world.nobody(),
        password,
        Arc::clone(&told),
    ));
    work.spawn(make_users_until_it_dies(
        world.administrator.clone(),
        Arc::clone(&told),
    ));
    wait::until("some acknowledged changes", async || told.count() >= 10).await;

    let world = world.restarted(Server::kill).await;
    work.join_all().await;
    let signed_in = std::mem::take(&mut *told.signed_in.lock().unwrap());
    for program in signed_in {
        assert!(
            program.at(&world.server).is_signed_in().await,
            "an acknowledged session is lost"
        );
    }
    let listed = world
        .run(&["--json", "user", "list", "-t", HOME])
        .await
        .succeeded();
    for user in told.users.lock().unwrap().iter() {
        assert!(
            listed.contains(&format!("\"{user}\"")),
            "acknowledged user `{user}` is lost"
        );
    }
    assert!(world.server.stop().await.success());
    if world.place.postgres().is_none() {
        assert_sound(&world.place).await;
    }
}

async fn assert_sound(place: &Place) {
    let options = SqliteConnectOptions::new().filename(place.database());
    let mut database = options.connect().await.unwrap();
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert_eq!(sound, "ok");
}

async fn sign_in_until_it_dies(nobody: Api, password: String, told: Arc<Acknowledged>) {
    loop {
        let start = json!({ "tenant": HOME, "transport": "token" });
        let Ok(flow) = nobody
            .try_send(Method::POST, "/api/v1/sign-in/flows", Some(start))
            .await
        else {
            return;
        };
        let path = format!(
            "/api/v1/sign-in/flows/{}",
            flow.body["id"].as_str().unwrap_or_default()
        );
        let answer = json!({ "provider": "password", "answer": { "user_name": "ada", "password": password } });
        let Ok(done) = nobody.try_send(Method::POST, &path, Some(answer)).await else {
            return;
        };
        let Some(token) = done.body["session"]["token"].as_str() else {
            return;
        };
        told.signed_in
            .lock()
            .unwrap()
            .push(nobody.with_token(token));
    }
}

async fn make_users_until_it_dies(keeper: Api, told: Arc<Acknowledged>) {
    for number in 0.. {
        let name = format!("bird-{number}");
        let new = json!({ "user_name": name });
        let path = format!("/api/v1/tenants/{HOME}/users");
        match keeper.try_send(Method::POST, &path, Some(new)).await {
            Ok(answer) if answer.status == 201 => told.users.lock().unwrap().push(name),
            _ => return,
        }
    }
}

/// A rolling restart has two servers on the same data for a while.
#[tokio::test]
async fn a_second_server_on_the_same_data_works_and_hears_of_changes_within_a_second() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let second = world.place.serve().await;
    let here = world.nobody().sign_in(HOME, "ada", &password).await;
    let there = here.at(&second);
    assert!(there.is_signed_in().await);
    let other = Api::new(&second).sign_in(HOME, "ada", &password).await;
    assert!(other.at(&world.server).is_signed_in().await);
    here.delete("/api/v1/session").await.expect(204);
    let limit = std::time::Duration::from_secs(1);
    let heard = wait::holds_within(limit, async || !there.is_signed_in().await).await;
    assert!(
        heard,
        "the second server still lets an ended session in after a second"
    );
    assert!(second.stop().await.success());
    assert!(other.at(&world.server).is_signed_in().await);
}

#[tokio::test]
async fn a_stopping_server_finishes_the_request_that_it_is_answering() {
    let mut world = World::new().await;
    let authority = world.server.authority();
    let body = json!({ "transport": "token", "tenant": HOME }).to_string();
    let head = format!(
        "POST /api/v1/sign-in/flows HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut open = TcpStream::connect(&authority).await.unwrap();
    open.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    open.read_exact(&mut go_on).await.unwrap();
    assert!(
        go_on.starts_with(b"HTTP/1.1 100"),
        "{}",
        String::from_utf8_lossy(&go_on)
    );

    world.server.terminate();
    wait::until("no new connections", async || {
        TcpStream::connect(&authority).await.is_err()
    })
    .await;
    open.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(world.server.ended().await.success());
    assert!(
        world.server.log().contains("stopped"),
        "{}",
        world.server.log()
    );
}
