//! Each scenario a few times: whether it still works, and whether something obvious broke. The numbers that are published
//! come from `cargo run -p gatelodge-faults -- --full`.
#![allow(
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may panic, and say what they measured"
)]

use gatelodge_faults::{
    backups, clock,
    codes::{self, Factor},
    crash, devices, flows, links, mails, outages, power, races,
    random::Random,
    report::Outcome,
    scarce,
    site::Kind,
};

fn well(outcome: &Outcome) {
    println!("{}", outcome.row());
    assert!(outcome.violations.is_empty(), "{outcome:#?}");
    assert!(
        outcome.left_out.is_some() || outcome.faults > 0,
        "{outcome:#?}"
    );
}

fn chance() -> Random {
    Random::new(20)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_it_acknowledged_on_sqlite() {
    well(&crash::run(Kind::Sqlite, 3, 60, &mut chance()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_it_acknowledged_on_postgres() {
    well(&crash::run(Kind::Postgres, 2, 40, &mut chance()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_postgres_is_killed_or_stopped() {
    well(&outages::postgres_ends(3, 20, &mut chance()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_network_to_postgres_fails() {
    well(&outages::network_fails(3, 20, &mut chance()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_with_what_was_not_synced_when_the_power_goes() {
    well(&power::run(3, 60, &mut chance()).await);
}

/// Without this the one before could be green for not looking.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_its_syncs_is_noticed() {
    let noticed = power::on_a_lying_disk(60, &mut chance()).await;
    assert!(!noticed.is_empty(), "what was lost was not noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_changes_are_refused_and_with_room_everything_works() {
    well(&scarce::file_size(1, &mut chance()).await);
    well(&scarce::small_disk(2, &mut chance()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_can_only_be_read_is_refused_in_words() {
    well(&scarce::read_only(2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_file_descriptors_it_waits_and_then_goes_on() {
    well(&scarce::descriptors(1, &mut chance()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_64_has_the_set_up_link() {
    well(&races::set_up_token(1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_once_are_no_more_than_the_limit() {
    well(&races::lock_out(Kind::Sqlite, 1, 30).await);
    well(&races::lock_out(Kind::Postgres, 1, 30).await);
}

/// v5.0.0-6.5.1.
#[tokio::test(flavor = "multi_thread")]
async fn s15_one_of_64_answers_with_one_code_of_an_app_at_two_servers_succeeds() {
    well(&codes::redemption(Kind::Sqlite, Factor::App, 1).await);
    well(&codes::redemption(Kind::Postgres, Factor::App, 1).await);
}

/// v5.0.0-6.5.1.
#[tokio::test(flavor = "multi_thread")]
async fn s16_one_of_64_answers_with_one_recovery_code_at_two_servers_succeeds() {
    well(&codes::redemption(Kind::Sqlite, Factor::Recovery, 1).await);
    well(&codes::redemption(Kind::Postgres, Factor::Recovery, 1).await);
}

/// v5.0.0-6.5.1.
#[tokio::test(flavor = "multi_thread")]
async fn s18_one_of_64_answers_with_one_mailed_code_at_two_servers_succeeds() {
    well(&codes::redemption(Kind::Sqlite, Factor::Mailed, 1).await);
    well(&codes::redemption(Kind::Postgres, Factor::Mailed, 1).await);
}

/// S04. One of 64, or the code of its mail, for each purpose of a link.
#[tokio::test(flavor = "multi_thread")]
async fn s18_one_of_64_has_a_link_of_each_purpose_at_two_servers_on_sqlite() {
    well(&links::redemption(Kind::Sqlite, 1).await);
}

/// S04.
#[tokio::test(flavor = "multi_thread")]
async fn s18_one_of_64_has_a_link_of_each_purpose_at_two_servers_on_postgres() {
    well(&links::redemption(Kind::Postgres, 1).await);
}

/// S14.
#[tokio::test(flavor = "multi_thread")]
async fn s18_64_who_come_with_one_token_of_a_device_have_one_successor_and_a_thief_ends_it_once() {
    well(&devices::redemption(Kind::Sqlite, 1).await);
    well(&devices::redemption(Kind::Postgres, 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_one_of_64_finishes_a_sign_in_chooses_a_password_and_ends_a_session_at_two_servers() {
    well(&flows::completion(Kind::Sqlite, 1).await);
    well(&flows::completion(Kind::Postgres, 1).await);
}

/// Without this the ones before could be green for not counting.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_had_more_than_once_is_noticed() {
    let noticed = flows::control(Kind::Sqlite).await.violations;
    assert_eq!(noticed.len(), 1, "{noticed:?}");
    assert!(noticed[0].starts_with("64 had"), "{noticed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_ended_the_other_refuses_while_both_are_busy() {
    well(&races::revocation(4).await);
}

/// v5.0.0-16.5.2.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_answered_while_the_mail_server_fails_and_gets_one_mail_later() {
    well(&mails::server_fails(Kind::Sqlite, 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ends_what_it_must_and_nothing_else() {
    well(&clock::run(4).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_what_was_acknowledged_before_it() {
    well(&backups::run(Kind::Sqlite, 1).await);
}
