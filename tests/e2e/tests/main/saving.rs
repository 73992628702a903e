//! Backups under load, restored elsewhere; what a restore must not bring back; and what is refused.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use gatelodge_e2e::{
    api::Api,
    load::Load,
    nodes::UNLIMITED,
    place::Place,
    revocation::Seen,
    storage::{Postgres, Storage, new_master_key},
    wait,
    world::{HOME, World},
};
use serde_json::{Value, json};

/// A tenant beside the first one.
const SHOP: &str = "shop";

/// The key that opens the backups of a test: its file and its recipient.
async fn backup_key(place: &Place, name: &str) -> (String, String) {
    let file = place.root().join(name).display().to_string();
    let made = place
        .run(&["--json", "backup", "key", "--output", &file])
        .await
        .json();
    (file, made["recipient"].as_str().unwrap().to_owned())
}

/// An encrypted backup: its file, and the file of what opens it.
struct Backup {
    file: String,
    identity: String,
}

impl Backup {
    async fn of(place: &Place, more: &[&str]) -> Self {
        let (identity, recipient) = backup_key(place, "key.txt").await;
        let file = place.root().join("all.backup.age").display().to_string();
        let create = [
            "backup",
            "create",
            "--recipient",
            &recipient,
            "--output",
            &file,
        ];
        place.run(&[&create, more].concat()).await.succeeded();
        let verify = ["backup", "verify", &file, "--identity", &identity];
        place.run(&verify).await.succeeded();
        Self { file, identity }
    }

    async fn restore(&self, into: &Place, more: &[&str]) -> gatelodge_e2e::place::Finished {
        let restore = ["restore", &self.file, "--identity", &self.identity];
        into.run(&[&restore, more].concat()).await
    }
}

fn master_key(place: &Place) -> String {
    let key = fs::read_to_string(place.master_key_file()).unwrap();
    key.trim().to_owned()
}

/// An empty place on this storage, which has this master key.
fn empty(storage: Storage, key: &str) -> Place {
    match storage {
        Storage::Postgres(postgres) => {
            Place::on(Storage::Postgres(postgres.with_master_key(key))).configured(UNLIMITED)
        }
        Storage::Embedded => {
            let place = Place::embedded().configured(UNLIMITED);
            place.put_master_key(key);
            place
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_sqlite_under_load_is_restored_into_postgres() {
    is_restored(Storage::Embedded, Storage::Postgres(Postgres::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_postgres_under_load_is_restored_into_sqlite() {
    is_restored(Storage::Postgres(Postgres::new()), Storage::Embedded).await;
}

/// Users and passwords are back; sessions and whatever lets somebody in once are not, nor is what had ended.
async fn is_restored(from: Storage, to: Storage) {
    let world = World::on(from, UNLIMITED).await;
    let password = world.user(HOME, "ada").await;
    let locked = world.user(HOME, "grace").await;
    world
        .run(&["user", "lock", "-t", HOME, "grace"])
        .await
        .succeeded();
    let deleted = world.user(HOME, "gone").await;
    let id = world
        .nobody()
        .sign_in(HOME, "gone", &deleted)
        .await
        .user_id()
        .await;
    let gone = format!("/api/v1/tenants/{HOME}/users/{id}");
    world.administrator.delete(&gone).await.expect(204);
    let visitor = world.visitor();
    visitor.sign_in("", "ada", &password).await;
    // A sign-in that somebody is in the middle of.
    let start = json!({ "tenant": HOME, "transport": "token" });
    let flow = world
        .nobody()
        .post("/api/v1/sign-in/flows", start)
        .await
        .expect(201);

    let load = Load::start(&world, "ada", &password);
    load.goes_on(4).await;
    let before = load.so_far();
    let backup = Backup::of(&world.place, &[]).await;
    load.goes_on(2).await;
    let journal = load.finish().await;
    assert!(journal.refused.is_empty(), "{:?}", journal.statuses());
    let set_up = world.server.set_up_token();
    assert!(world.server.stop().await.success());

    let place = empty(to, &master_key(&world.place));
    let restored = backup.restore(&place, &["--json"]).await.json();
    println!(
        "{} changes were acknowledged before the backup, {} in all; restored {}",
        before.acknowledged(),
        journal.acknowledged(),
        restored["rows"]
    );
    let server = place.serve().await;
    let listed = place
        .run(&["--json", "user", "list", "-t", HOME])
        .await
        .succeeded();
    before.assert_users_in(&listed);
    assert!(!listed.contains("\"gone\""), "{listed}");
    let nobody = Api::new(&server);
    nobody.sign_in(HOME, "ada", &password).await;
    for (user, password) in [("grace", &locked), ("gone", &deleted)] {
        let refused = nobody.try_sign_in(Some(HOME), user, password).await;
        assert_eq!(refused.unwrap_err().status, 401, "{user}");
    }
    assert!(!visitor.at(&server).is_signed_in("").await);
    assert!(!world.administrator.at(&server).is_signed_in().await);
    for program in before.open.iter().chain(&journal.ended) {
        assert!(
            !program.at(&server).is_signed_in().await,
            "a session was restored"
        );
    }
    let path = format!("/api/v1/sign-in/flows/{}", flow["id"].as_str().unwrap());
    let answer = json!({ "user_name": "ada", "password": password });
    let late = json!({ "provider": "password", "answer": answer });
    assert_eq!(nobody.post(&path, late).await.status, 404);
    let again = json!({ "token": set_up, "tenant": "x", "user_name": "x", "password": deleted });
    let again = nobody.post("/api/v1/setup", again).await;
    assert!((400..500).contains(&again.status), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_is_put_back_while_the_server_serves_and_it_hears_of_that() {
    for storage in [Storage::Embedded, Storage::Postgres(Postgres::new())] {
        let world = World::on(storage, UNLIMITED).await;
        world.tenant(SHOP).await;
        let password = world.user(SHOP, "ada").await;
        let elsewhere = world.user(HOME, "ada").await;
        let backup = Backup::of(&world.place, &["--tenant", SHOP]).await;

        let ada = world.nobody().sign_in(SHOP, "ada", &password).await;
        let changed = "canary: another tune for the evening";
        let ada = ada.change_password(&password, changed).await;
        world.user(SHOP, "late").await;
        let other = world.nobody().sign_in(HOME, "ada", &elsewhere).await;
        assert!(ada.is_signed_in().await);

        backup
            .restore(&world.place, &[])
            .await
            .refused(&["--replace"]);
        assert!(
            ada.is_signed_in().await,
            "a refused restore ended a session"
        );
        backup
            .restore(&world.place, &["--replace", "--yes"])
            .await
            .succeeded();
        let seen = Seen::until_refused(&ada, Instant::now()).await;
        println!("a tenant was put back: {seen}");
        assert!(seen.accepted.as_secs() < 1, "{seen}");
        assert!(other.is_signed_in().await, "another tenant's session ended");
        let refused = world.nobody().try_sign_in(Some(SHOP), "ada", changed).await;
        assert_eq!(refused.unwrap_err().status, 401);
        world.nobody().sign_in(SHOP, "ada", &password).await;
        let path = format!("/api/v1/tenants/{SHOP}/users");
        let listed = world.administrator.get(&path).await.expect(200).to_string();
        assert!(!listed.contains("\"late\""), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_is_refused_in_words_and_nothing_is_written() {
    let world = World::on(Storage::Embedded, UNLIMITED).await;
    world.user(HOME, "ada").await;
    let backup = Backup::of(&world.place, &[]).await;
    let key = master_key(&world.place);
    let (other_identity, _) = backup_key(&world.place, "other.txt").await;
    let cut = world
        .place
        .root()
        .join("cut.backup.age")
        .display()
        .to_string();
    let whole = fs::read(&backup.file).unwrap();
    fs::write(&cut, &whole[..whole.len() * 2 / 3]).unwrap();
    let (file, identity) = (backup.file.as_str(), backup.identity.as_str());
    let wrong_key = new_master_key();
    for (what, file, identity, key, said) in [
        (
            "another identity",
            file,
            Some(other_identity.as_str()),
            &key,
            "identit",
        ),
        ("no identity", file, None, &key, "identity"),
        (
            "another master key",
            file,
            Some(identity),
            &wrong_key,
            "the master key is not that of",
        ),
        (
            "a part of the file",
            cut.as_str(),
            Some(identity),
            &key,
            "damaged",
        ),
    ] {
        for storage in [Storage::Embedded, Storage::Postgres(Postgres::new())] {
            let place = empty(storage, key);
            let before = place.files();
            let mut restore = vec!["restore", file];
            restore.extend(identity.iter().flat_map(|file| ["--identity", file]));
            let refused = place.run(&restore).await.refused(&[file]);
            assert!(refused.contains(said), "{what}: {refused}");
            assert_eq!(place.files(), before, "{what}");
            if let Some(postgres) = place.postgres() {
                let made = postgres.sql("SELECT to_regnamespace('gatelodge')").await;
                assert_eq!(made, "", "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_that_are_due_at_once_one_makes_the_backup() {
    let postgres = Storage::Postgres(Postgres::new());
    let world = World::on(postgres.clone(), UNLIMITED).await;
    let (_, recipient) = backup_key(&world.place, "key.txt").await;
    let folder = world.place.root().join("backups");
    let schedule = format!(
        "{UNLIMITED}[backup]\nfolder = {:?}\nrecipients = [\"{recipient}\"]\nevery_hours = 1\n",
        folder.display().to_string()
    );
    assert!(world.server.stop().await.success());
    world.place.configure(&schedule);
    let beside = world.place.beside(postgres);
    // The second time nothing is due.
    for _ in 0..2 {
        let (one, other) = tokio::join!(world.place.serve(), beside.serve());
        wait::until("a backup that is complete", async || {
            noted(&world.place).await == 1 && files_in(&folder).len() == 1
        })
        .await;
        for server in [one, other] {
            Api::new(&server).get("/readyz").await.expect(200);
            assert!(server.stop().await.success());
        }
        assert_eq!(files_in(&folder).len(), 1, "{:?}", files_in(&folder));
    }
    let list = world
        .place
        .run(&["--json", "backup", "list"])
        .await
        .succeeded();
    assert_eq!(list.matches(".backup.age").count(), 1, "{list}");
}

/// How many scheduled backups the installation knows to be complete.
async fn noted(place: &Place) -> usize {
    let note =
        "SELECT convert_from(value, 'UTF8') FROM gatelodge.installation WHERE name = 'backup'";
    let note = place.postgres().unwrap().sql(note).await;
    let note: Value = serde_json::from_str(&note).unwrap_or_default();
    if note["last_success"].is_null() {
        return 0;
    }
    note["files"].as_array().map_or(0, Vec::len)
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}
