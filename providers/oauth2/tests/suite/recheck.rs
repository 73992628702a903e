//! Whether somebody may still come in, long after they did.

use gatelodge_core::{
    ErrorKind,
    provider::{HttpRequest, HttpResponse, Rechecked, State, ThirdParty as _},
};
use gatelodge_provider_oauth2::OAuth2Provider;
use serde_json::{Value, json};

use super::world::{World, by_addresses, json_answer, met, open, proof, provider};

fn github() -> OAuth2Provider {
    provider(json!({"preset": "github", "organisations": ["acme"]}))
}

fn documents(with: Value) -> Value {
    let mut documents = json!({
        "token": {"access_token": "t", "token_type": "bearer", "refresh_token": "refresh-1"},
        "/user": {"id": 1, "login": "ada"},
        "/user/emails": [],
        "/user/orgs": [{"id": 2, "login": "acme"}],
    });
    let (Value::Object(whole), Value::Object(with)) = (&mut documents, with) else {
        panic!("tables");
    };
    whole.extend(with);
    documents
}

async fn kept() -> State {
    let (proof, _) = proof(met(&github(), documents(json!({}))).await);
    proof.keep
}

async fn recheck(documents: Value) -> gatelodge_core::Result<Rechecked> {
    recheck_by(move |request| open(request, &documents)).await
}

async fn recheck_by(
    answers: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static,
) -> gatelodge_core::Result<Rechecked> {
    let world = World::new(move |request| Ok(answers(request)));
    github().recheck(&world.context(), &kept().await).await
}

fn barred(rechecked: gatelodge_core::Result<Rechecked>) -> String {
    match rechecked.unwrap() {
        Rechecked::Barred { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_refresh_token_there_is_no_way_to_ask() {
    let world = World::alone();
    for kept in [
        State::default(),
        State(b"{}".to_vec()),
        State(b"?".to_vec()),
    ] {
        let rechecked = github().recheck(&world.context(), &kept).await.unwrap();
        assert_eq!(rechecked, Rechecked::Unknown {});
    }
}

#[tokio::test]
async fn who_is_still_a_member_is_welcome_and_the_newest_token_is_kept() {
    let rechecked = recheck(documents(json!({}))).await.unwrap();
    let same = Rechecked::Welcome { keep: kept().await };
    assert_eq!(rechecked, same);
    let token = json!({"access_token": "t", "token_type": "bearer", "refresh_token": "refresh-2"});
    let newer = recheck(documents(json!({ "token": token }))).await.unwrap();
    assert_ne!(newer, same);
    // A service that rotates no refresh token hands none out again.
    let token = json!({"access_token": "t", "token_type": "bearer"});
    assert_eq!(
        recheck(documents(json!({ "token": token }))).await.unwrap(),
        same
    );
}

#[tokio::test]
async fn who_left_or_took_the_grant_back_is_barred() {
    assert_eq!(
        barred(recheck(documents(json!({"/user/orgs": []}))).await),
        "not_a_member"
    );
    let somebody_else = documents(json!({"/user": {"id": 2, "login": "ada"}}));
    assert_eq!(barred(recheck(somebody_else).await), "other_subject");
    let ended = |_: &HttpRequest| json_answer(400, &json!({"error": "invalid_grant"}));
    assert_eq!(barred(recheck_by(ended).await), "grant_ended");
    // As GitHub says it.
    let ended = |_: &HttpRequest| json_answer(200, &json!({"error": "bad_refresh_token"}));
    assert_eq!(barred(recheck_by(ended).await), "grant_ended");
}

#[tokio::test]
async fn nobody_is_barred_for_an_answer_that_is_not_clear() {
    for (status, body) in [
        (500, json!({})),
        (429, json!({})),
        (400, json!({"error": "invalid_client"})),
        (200, json!({"error": "invalid_grant?"})),
        (302, json!({})),
    ] {
        let asked = body.clone();
        let error = recheck_by(move |_| json_answer(status, &asked))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status} {body}");
    }
    let error = recheck(documents(json!({"/user": {"id": "1"}})))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn there_is_nothing_to_refresh_and_no_way_to_sign_out() {
    let (world, provider) = (World::alone(), by_addresses(json!({})));
    provider.refresh(&world.context()).await.unwrap();
    let back = "https://id.example.org/".parse().unwrap();
    assert_eq!(provider.sign_out(&world.context(), &back).await, None);
    assert!(world.asked.lock().unwrap().is_empty());
}
