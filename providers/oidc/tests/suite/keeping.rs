//! What is kept: metadata and keys in memory, refresh tokens with the link.

use gatelodge_core::{
    ErrorKind,
    provider::{Rechecked, State, ThirdParty},
};
use gatelodge_provider_oidc::Lie;
use serde_json::json;
use url::Url;

use super::world::{World, generic, preset, with};

/// Requests for metadata and keys together.
const BOTH: usize = 2;
/// Requests that a sign-in makes besides.
const SIGN_IN: usize = 2;

#[tokio::test]
async fn nothing_is_fetched_to_describe_and_everything_once_an_hour() {
    use gatelodge_core::provider::Provider;
    let mut world = World::new(generic());
    assert!(world.provider.describe().third_party);
    assert_eq!(world.asked(), 0);
    world.proof().await;
    assert_eq!(world.asked(), BOTH + SIGN_IN);
    world.pass(3_599);
    world.proof().await;
    assert_eq!(world.asked(), SIGN_IN);
    world.pass(1);
    world.proof().await;
    assert_eq!(world.asked(), BOTH + SIGN_IN);
}

#[tokio::test]
async fn what_the_answer_allows_is_kept_within_bounds() {
    for (directives, kept) in [
        ("max-age=1200", 1_200),
        ("max-age=86400", 3_600),
        ("no-store", 300),
        ("max-age=1", 300),
        ("public", 300),
    ] {
        let mut world = World::new(generic());
        world.liar = world.liar.clone().with_header("cache-control", directives);
        world.begin().await.unwrap();
        world.pass(kept - 1);
        world.asked();
        world.begin().await.unwrap();
        assert_eq!(world.asked(), 0, "{directives}");
        world.pass(1);
        world.begin().await.unwrap();
        assert_eq!(world.asked(), BOTH, "{directives}");
    }
}

#[tokio::test]
async fn half_way_it_is_fetched_behind_the_scenes() {
    let mut world = World::new(generic());
    world.provider.refresh(&world.context()).await.unwrap();
    assert_eq!(world.asked(), BOTH);
    for (passes, expected) in [(1_799, 0), (1, BOTH), (1_799, 0), (1, BOTH)] {
        world.pass(passes);
        world.provider.refresh(&world.context()).await.unwrap();
        assert_eq!(world.asked(), expected);
    }
}

#[tokio::test]
async fn what_was_kept_counts_for_a_day_when_nobody_answers() {
    let mut world = World::new(generic());
    world.begin().await.unwrap();
    world.is_down = true;
    world.pass(86_399);
    assert!(world.provider.refresh(&world.context()).await.is_err());
    world.begin().await.unwrap();
    world.pass(60);
    let error = world.begin().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // Right after a failure nobody waits for another one.
    world.asked();
    world.begin().await.unwrap_err();
    assert_eq!(world.asked(), 0);
    world.is_down = false;
    world.pass(10);
    world.proof().await;
}

#[tokio::test]
async fn many_at_once_fetch_once() {
    let world = World::new(generic());
    let (a, b, c, d) = tokio::join!(world.begin(), world.begin(), world.begin(), world.begin());
    assert!([a, b, c, d].iter().all(Result::is_ok));
    assert_eq!(world.asked(), BOTH);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nothing_last_longer() {
    let mut world = World::new(generic());
    world.begin().await.unwrap();
    world.asked();
    world.facts.now = "2001-09-09T01:46:40Z".parse().unwrap();
    world.begin().await.unwrap();
    assert_eq!(world.asked(), BOTH);
}

#[tokio::test]
async fn a_new_key_is_fetched_at_once() {
    let mut world = World::new(generic());
    world.proof().await;
    world.liar = world.liar.clone().with_new_key();
    world.asked();
    world.proof().await;
    assert_eq!(world.asked(), SIGN_IN + 1);
    world.proof().await;
    assert_eq!(world.asked(), SIGN_IN);
}

#[tokio::test]
async fn a_key_that_is_missed_is_asked_for_once_a_minute() {
    let mut world = World::new(with(generic(), json!({"userinfo": false})));
    world.liar = world.liar.clone().telling(Lie::UnknownKey);
    for (passes, expected) in [(0, BOTH + 2), (0, 1), (59, 1), (1, 2), (0, 1)] {
        world.pass(passes);
        assert_eq!(world.reason().await, "unknown_key");
        assert_eq!(world.asked(), expected);
    }
}

/// What is kept of somebody who signed in.
async fn kept(world: &World) -> State {
    world.proof().await.keep
}

#[tokio::test]
async fn a_refresh_token_is_asked_for_and_kept_only_if_configured() {
    assert!(kept(&World::new(generic())).await.0.is_empty());
    let rechecked = json!({"recheck": true});
    let world = World::new(with(generic(), rechecked.clone()));
    let turn = world.begin().await.unwrap();
    let gatelodge_core::provider::Step::Redirect { url } = &turn.step else {
        panic!("where to?");
    };
    let text = url.to_string();
    assert!(
        text.contains("offline_access") && text.contains("prompt=consent"),
        "{text}"
    );
    let keep = kept(&world).await;
    assert!(!keep.0.is_empty() && keep.0.len() < 16 * 1024);
    let google = World::new(with(preset("google"), rechecked));
    let gatelodge_core::provider::Step::Redirect { url } = google.begin().await.unwrap().step
    else {
        panic!("where to?");
    };
    assert!(url.as_str().contains("access_type=offline"));
}

#[tokio::test]
async fn somebody_may_still_come_in_until_the_third_party_says_no() {
    let mut world = World::new(with(generic(), json!({"recheck": true})));
    let mut keep = kept(&world).await;
    for _ in 0..3 {
        world.pass(1_800);
        let Rechecked::Welcome { keep: next } = world
            .provider
            .recheck(&world.context(), &keep)
            .await
            .unwrap()
        else {
            panic!("not welcome");
        };
        assert_ne!(next, keep);
        keep = next;
    }
    let honest = world.liar.clone();
    world.liar = honest.clone().barring();
    let rechecked = world
        .provider
        .recheck(&world.context(), &keep)
        .await
        .unwrap();
    let reason = "invalid_grant".to_owned();
    assert_eq!(rechecked, Rechecked::Barred { reason });
    let unknown = world
        .provider
        .recheck(&world.context(), &State::default())
        .await
        .unwrap();
    assert_eq!(unknown, Rechecked::Unknown {});
    // Whoever does not answer has not said no.
    world.is_down = true;
    assert!(
        world
            .provider
            .recheck(&world.context(), &keep)
            .await
            .is_err()
    );
    world.is_down = false;
    for lie in [
        Lie::ForeignKey,
        Lie::EmptySubject,
        Lie::ForeignAudience,
        Lie::SlowTokens,
    ] {
        world.liar = honest.clone().telling(lie);
        assert!(
            world
                .provider
                .recheck(&world.context(), &keep)
                .await
                .is_err(),
            "{lie:?}"
        );
    }
}

#[tokio::test]
async fn who_left_the_organisation_is_barred_at_the_next_look() {
    let keys = json!({"recheck": true, "organisations": ["acme.example"]});
    let mut world = World::new(with(preset("google"), keys));
    let keep = kept(&world).await;
    world.liar = world.liar.clone().telling(Lie::ForeignOrganisation);
    let rechecked = world
        .provider
        .recheck(&world.context(), &keep)
        .await
        .unwrap();
    let reason = "wrong_organisation".to_owned();
    assert_eq!(rechecked, Rechecked::Barred { reason });
}

#[tokio::test]
async fn signing_out_there_as_well_is_for_who_configured_it() {
    let back: Url = "https://gatelodge.example/sign-in".parse().unwrap();
    let world = World::new(generic());
    assert!(
        world
            .provider
            .sign_out(&world.context(), &back)
            .await
            .is_none()
    );
    let mut world = World::new(with(generic(), json!({"sign_out": true})));
    let url = world
        .provider
        .sign_out(&world.context(), &back)
        .await
        .unwrap();
    let query: Vec<_> = url.query_pairs().into_owned().collect();
    assert_eq!(url.path(), "/realm/sign-out");
    assert!(query.contains(&("client_id".to_owned(), "client-4711".to_owned())));
    assert!(query.contains(&("post_logout_redirect_uri".to_owned(), back.to_string())));
    world.is_down = true;
    world.pass(90_000);
    assert!(
        world
            .provider
            .sign_out(&world.context(), &back)
            .await
            .is_none()
    );
}
