//! Whose turn it is to make the next backup.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind, Platform,
    access::Caller,
    archive::{Contents, What, write_backup},
    model::Actor,
    service::MadeBackup,
    storage::{Mode, Row, RowKind, Scope},
};

use crate::support::World;

const DAY: Duration = Duration::from_secs(86_400);
const TURN: Duration = Duration::from_secs(600);

async fn contents(platform: &Platform) -> Contents {
    let mut text = Vec::new();
    let now = platform.now();
    let storage = platform.storage();
    write_backup(storage, What::Whole, now, &mut text, &mut |_| {})
        .await
        .unwrap()
}

fn made<'a>(file: &'a str, contents: &'a Contents) -> MadeBackup<'a> {
    MadeBackup {
        file,
        bytes: 7,
        contents,
    }
}

/// The actors of what the platform's log says of backups.
async fn recorded(world: &World) -> Vec<(Actor, Option<String>)> {
    let storage = world.platform.storage();
    let mut unit = storage.begin(Scope::Platform, Mode::Read).await.unwrap();
    let rows = unit.archive().rows(RowKind::Event, None, 100).await;
    unit.rollback().await.unwrap();
    let rows = rows.unwrap().into_iter();
    rows.filter_map(|row| match row {
        Row::Event(event) if event.action == "backup.create" => {
            let file = event.changes.iter().find(|change| change.field == "file");
            Some((event.actor, file.and_then(|file| file.new.clone())))
        }
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn one_server_has_the_turn_and_the_next_comes_when_it_is_due() {
    let world = World::new().await;
    let other = world.another_node().await;
    let backups = world.platform.backups();
    let turn = backups.take_turn(DAY, "a").await.unwrap().unwrap();
    assert_eq!(other.backups().take_turn(DAY, "b").await.unwrap(), None);
    let contents = contents(&world.platform).await;
    backups.end_turn(turn, made("a", &contents)).await.unwrap();
    assert_eq!(other.backups().take_turn(DAY, "b").await.unwrap(), None);
    let noted = other.backups().schedule().await.unwrap();
    assert_eq!(noted.last_success, Some(world.now()));
    assert_eq!(noted.files, ["a"]);
    world.pass(DAY);
    assert!(other.backups().take_turn(DAY, "b").await.unwrap().is_some());
}

#[tokio::test]
async fn the_turn_of_a_server_that_died_is_taken_over_and_its_own_counts_no_more() {
    let world = World::new().await;
    let other = world.another_node().await;
    let backups = world.platform.backups();
    let turn = backups.take_turn(DAY, "a").await.unwrap().unwrap();
    world.pass(TURN / 2);
    backups.extend_turn(turn).await.unwrap();
    world.pass(TURN - Duration::from_secs(1));
    assert_eq!(other.backups().take_turn(DAY, "b").await.unwrap(), None);
    world.pass(Duration::from_secs(1));
    let taken = other.backups().take_turn(DAY, "b").await.unwrap().unwrap();
    let contents = contents(&world.platform).await;
    let late = backups.end_turn(turn, made("a", &contents)).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Refused);
    assert!(backups.extend_turn(turn).await.is_err());
    assert_eq!(recorded(&world).await, []);
    let ended = other.backups().end_turn(taken, made("b", &contents)).await;
    ended.unwrap();
    // The file that was begun is remembered: it may have got its name.
    let noted = backups.schedule().await.unwrap();
    assert_eq!(noted.files, ["a", "b"]);
    assert_eq!(
        recorded(&world).await,
        [(Actor::System, Some("b".to_owned()))]
    );
}

#[tokio::test]
async fn a_backup_by_hand_is_recorded_and_changes_nothing_about_the_schedule() {
    let world = World::new().await;
    let contents = contents(&world.platform).await;
    let backups = world.platform.backups();
    let by_hand = made("hand", &contents);
    backups.record(&Caller::operator(), by_hand).await.unwrap();
    assert_eq!(
        recorded(&world).await,
        [(Actor::Operator, Some("hand".to_owned()))]
    );
    assert!(backups.take_turn(DAY, "a").await.unwrap().is_some());
    let nobody = Caller {
        principal: gatelodge_core::access::Principal::Anonymous,
        client: Default::default(),
    };
    assert!(backups.record(&nobody, by_hand).await.is_err());
    assert_eq!(recorded(&world).await.len(), 1);
}

#[tokio::test]
async fn a_backup_from_the_future_does_not_put_off_the_next() {
    let world = World::new().await;
    let backups = world.platform.backups();
    let turn = backups.take_turn(DAY, "a").await.unwrap().unwrap();
    let mut contents = contents(&world.platform).await;
    contents.header.made_at = world.now() + 365 * DAY;
    backups.end_turn(turn, made("a", &contents)).await.unwrap();
    assert!(backups.take_turn(DAY, "b").await.unwrap().is_some());
}
