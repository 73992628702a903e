//! `ETag` and `If-Match` (RFC 9110 section 13.1.1): a stale change changes nothing.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    matrix::everything_in,
    support::{Call, World, on_each_storage, town},
};

on_each_storage!(
    a_stale_version_is_refused_and_changes_nothing,
    an_if_match_that_is_no_etag_is_refused,
    of_racing_changes_of_one_version_one_wins,
);

/// Everything that takes `If-Match`, with where its version is read.
fn versioned<'w>(world: &'w World, user: &str) -> Vec<(Call<'w>, String)> {
    let home = "/api/v1/tenants/home";
    let rename = json!({"display_name": "Renamed"});
    vec![
        (world.patch(user).json(&rename), user.to_owned()),
        (
            world
                .put(format!("{home}/settings"))
                .json(&json!({"session": {"limit": 3}})),
            format!("{home}/settings"),
        ),
        (world.delete(user), user.to_owned()),
        (world.patch(home).json(&rename), home.to_owned()),
        (world.delete(format!("{home}?force=true")), home.to_owned()),
    ]
}

async fn a_stale_version_is_refused_and_changes_nothing(world: &World) {
    let town = town(world).await;
    for (call, read) in versioned(world, &town.citizen.path()) {
        let call = call.bearer(&town.root_token);
        let read = || world.get(&read).bearer(&town.root_token).send();
        let etag = read().await.expect(200).etag();
        let version: i64 = etag.trim_matches('"').parse().unwrap();
        let before = everything_in(world, &[town.citizen.tenant]).await;
        for stale in [version - 1, version + 1, i64::MAX, i64::MIN] {
            let stale = call.clone().header("if-match", format!("\"{stale}\""));
            stale.send().await.expect_problem(412, "version_mismatch");
        }
        assert_eq!(before, everything_in(world, &[town.citizen.tenant]).await);
        let fresh = call.header("if-match", &etag).send().await;
        assert!(fresh.status.is_success(), "{fresh}");
    }
}

async fn an_if_match_that_is_no_etag_is_refused(world: &World) {
    let town = town(world).await;
    let path = town.citizen.path();
    let etag = world
        .get(&path)
        .bearer(&town.root_token)
        .send()
        .await
        .etag();
    let call = || {
        let call = world.call(Method::PATCH, &path).bearer(&town.root_token);
        call.json(&json!({"display_name": "Renamed"}))
    };
    let before = everything_in(world, &[town.citizen.tenant]).await;
    let bare = etag.trim_matches('"');
    for wrong in [
        bare.to_owned(),
        format!("W/{etag}"),
        format!("{etag}, \"2\""),
        format!("\"+{bare}\""),
        format!("\"0{bare}\""),
        format!("\" {bare}\""),
        "\"\"".to_owned(),
        "\"one\"".to_owned(),
        "\"99999999999999999999\"".to_owned(),
        "\u{e4}".to_owned(),
        String::new(),
    ] {
        let answer = call().header("if-match", &wrong).send().await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 412),
            "{wrong}: {answer}"
        );
    }
    let twice = call().header("if-match", "\"9\"").header("if-match", &etag);
    twice.send().await.expect_problem(400, "invalid_request");
    let twice = call().header("if-match", &etag).header("if-match", "\"9\"");
    twice.send().await.expect_problem(400, "invalid_request");
    assert_eq!(before, everything_in(world, &[town.citizen.tenant]).await);
    call().header("if-match", "*").send().await.expect(200);
}

async fn of_racing_changes_of_one_version_one_wins(world: &World) {
    let town = town(world).await;
    let path = town.citizen.path();
    let read = || world.get(&path).bearer(&town.root_token).send();
    let etag = read().await.etag();
    let rename = |name: &str| {
        let call = world.patch(&path).bearer(&town.root_token);
        let call = call.header("if-match", &etag);
        call.json(&json!({"display_name": name})).send()
    };
    let answers = tokio::join!(rename("a"), rename("b"), rename("c"), rename("d"));
    let answers = [answers.0, answers.1, answers.2, answers.3];
    let won: Vec<Value> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.json()["display_name"].clone())
        .collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.clone().expect_problem(412, "version_mismatch");
    }
    assert_eq!(read().await.json()["display_name"], won[0]);
}
