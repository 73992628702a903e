//! Ways out and back, service by service.

use std::collections::BTreeMap;

use gatelodge_core::{
    ErrorKind,
    provider::{Answer, Intent, Provider, Step, Verified, Who},
};
use gatelodge_provider_oidc::{Liar, Lie};
use serde_json::{Value, json};
use url::Url;

use super::world::{World, generic, preset, with};

fn query(step: &Step) -> (Url, BTreeMap<String, String>) {
    let Step::Redirect { url } = step else {
        panic!("where to?");
    };
    (url.clone(), url.query_pairs().into_owned().collect())
}

/// The parameters of a way out.
async fn sent(keys: Value, intent: Intent) -> BTreeMap<String, String> {
    let mut world = World::new(keys);
    world.facts.intent = intent;
    query(&world.begin().await.unwrap().step).1
}

/// v5.0.0-10.1.2, v5.0.0-10.2.1
#[tokio::test]
async fn the_way_out_is_bound_by_state_nonce_and_pkce() {
    let world = World::new(generic());
    let turn = world.begin().await.unwrap();
    let (url, query) = query(&turn.step);
    assert_eq!(url.host_str(), Some("issuer.example"));
    assert_eq!(url.path(), "/realm/authorize");
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], "client-4711");
    assert_eq!(
        query["redirect_uri"],
        "https://gatelodge.example/callback/party-1"
    );
    assert_eq!(query["state"], world.facts.oauth_state.clone().unwrap());
    assert_eq!(query["scope"], "openid profile email");
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(
        (query["code_challenge"].len(), query["nonce"].len()),
        (43, 43)
    );
    let other = World::new(generic());
    let _ = other.begin().await.unwrap();
    let again = other.begin().await.unwrap();
    let (_, again) = self::query(&again.step);
    assert!(again["nonce"] != query["nonce"] && again["code_challenge"] != query["code_challenge"]);
    // The verifier and the client's secret stay here.
    let shown = format!("{turn:?} {url}");
    let verifier: Value = serde_json::from_slice(&turn.state.0).unwrap();
    assert!(!shown.contains(verifier["verifier"].as_str().unwrap()) && !shown.contains("4711 "));
}

#[tokio::test]
async fn somebody_comes_back_with_what_is_said_of_them() {
    let world = World::new(generic());
    let identity = world.identity().await;
    assert_eq!(identity.connection.as_str(), "party-1");
    assert_eq!(identity.issuer, "https://issuer.example/realm");
    assert_eq!(identity.subject, "alice");
    let names: Vec<_> = identity.claims.keys().map(String::as_str).collect();
    assert_eq!(names, ["email", "email_verified", "name"]);
    assert_eq!(identity.claims["email"].value, "alice@people.example");
    assert_eq!(identity.claims["email"].verified, Verified::Provider);
    assert_eq!(identity.claims["name"].verified, Verified::Claimed);
}

#[tokio::test]
async fn every_kind_of_key_verifies() {
    let all = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ];
    for algorithm in all {
        let world = World::new(with(generic(), json!({"algorithms": [algorithm]})));
        assert_eq!(world.identity().await.subject, "alice", "{algorithm}");
    }
}

#[tokio::test]
async fn the_client_shows_who_it_is_as_configured() {
    for (more, is_in_head, is_in_body) in [
        (json!({"client_auth": "basic"}), true, false),
        (json!({"client_auth": "post"}), false, true),
    ] {
        let world = World::new(with(generic(), more));
        world.proof().await;
        let requests = world.requests.lock().unwrap();
        let exchange = requests
            .iter()
            .find(|request| request.method == "POST")
            .unwrap();
        let body = String::from_utf8(exchange.body.0.clone()).unwrap();
        assert_eq!(exchange.headers.contains_key("authorization"), is_in_head);
        assert_eq!(body.contains("client_secret="), is_in_body);
        assert!(body.contains("code_verifier=") && body.contains("redirect_uri="));
    }
    let public = json!({
        "issuer": "https://issuer.example", "client_id": "client-4711", "client_auth": "none",
        "algorithms": ["ES256"],
    });
    World::new(public).proof().await;
}

#[tokio::test]
async fn an_address_is_worth_what_the_service_says() {
    use Verified::{Claimed, DomainOwner, Provider};
    for (keys, said, expected) in [
        (generic(), json!({"email_verified": true}), Provider),
        (generic(), json!({"email_verified": false}), Claimed),
        (generic(), json!({"email_verified": null}), Claimed),
        (generic(), json!({"email_verified": "true"}), Claimed),
        (generic(), json!({"email_verified": 1}), Claimed),
        (preset("gitlab"), json!({"email_verified": true}), Provider),
        (
            preset("linkedin"),
            json!({"email_verified": "true"}),
            Claimed,
        ),
        (apple(), json!({"email_verified": "true"}), Provider),
        (apple(), json!({"email_verified": "false"}), Claimed),
        (preset("google"), json!({}), Provider),
        (
            preset("google"),
            json!({"hd": "people.example"}),
            DomainOwner,
        ),
        (preset("google"), json!({"hd": ""}), Provider),
        (
            preset("google"),
            json!({"hd": "people.example", "email_verified": "true"}),
            Claimed,
        ),
        (
            preset("google"),
            json!({"email": "Alice@GMAIL.com"}),
            DomainOwner,
        ),
        (
            preset("google"),
            json!({"email": "alice@gmail.com.evil.example"}),
            Provider,
        ),
        (
            preset("google"),
            json!({"email": "alice@gmail.com", "email_verified": null}),
            Claimed,
        ),
        (preset("microsoft"), json!({}), Claimed),
        (preset("microsoft"), json!({"xms_edov": true}), DomainOwner),
        (preset("microsoft"), json!({"xms_edov": 1}), DomainOwner),
        (preset("microsoft"), json!({"xms_edov": "1"}), DomainOwner),
        (
            preset("microsoft"),
            json!({"xms_edov": "true"}),
            DomainOwner,
        ),
        (preset("microsoft"), json!({"xms_edov": false}), Claimed),
        (preset("microsoft"), json!({"xms_edov": "0"}), Claimed),
        (preset("microsoft"), json!({"xms_edov": 2}), Claimed),
        (preset("microsoft"), json!({"xms_edov": [true]}), Claimed),
    ] {
        let mut world = World::new(keys.clone());
        for (claim, value) in said.as_object().unwrap() {
            world.liar = world.liar.clone().saying(claim, value.clone());
        }
        let email = world.claim("email").await.unwrap();
        assert_eq!(email.verified, expected, "{said} {keys}");
    }
}

/// Somebody's account at Apple, by a key that is no secret.
fn apple() -> Value {
    with(preset("apple"), json!({"client_auth": "post"}))
}

/// v5.0.0-10.5.2
#[tokio::test]
async fn googles_two_issuers_are_one() {
    let mut world = World::new(preset("google"));
    let one = world.identity().await;
    world.liar = world
        .liar
        .clone()
        .saying("iss", json!("accounts.google.com"));
    let other = world.identity().await;
    assert_eq!(one.issuer, "https://accounts.google.com");
    assert_eq!((one.issuer, one.subject), (other.issuer, other.subject));
    for iss in [
        "http://accounts.google.com",
        "google.com",
        "https://accounts.google.com/",
    ] {
        world.liar = world.liar.clone().saying("iss", json!(iss));
        assert_eq!(world.reason().await, "wrong_issuer");
    }
}

#[tokio::test]
async fn at_microsoft_tenant_and_object_say_who_it_is() {
    let world = World::new(preset("microsoft"));
    let identity = world.identity().await;
    let (tid, oid) = identity.subject.split_once('/').unwrap();
    assert_eq!(
        identity.issuer,
        format!("https://login.microsoftonline.com/{tid}/v2.0")
    );
    assert_eq!((tid.len(), oid.len()), (36, 36));
    let personal = "9188040d-6c67-4c5b-b112-36a304b66dad";
    for (path, reason) in [("consumers", ""), ("organizations", "wrong_issuer")] {
        let issuer = format!("https://login.microsoftonline.com/{path}/v2.0");
        let mut world = World::new(with(preset("microsoft"), json!({"issuer": issuer})));
        if !reason.is_empty() {
            let iss = format!("https://login.microsoftonline.com/{personal}/v2.0");
            world.liar = world
                .liar
                .clone()
                .saying("iss", json!(iss))
                .saying("tid", json!(personal));
            assert_eq!(world.reason().await, reason);
            continue;
        }
        assert!(world.identity().await.subject.starts_with(personal));
    }
}

#[tokio::test]
async fn only_people_of_the_named_organisations_come_in() {
    let mut google = World::new(with(
        preset("google"),
        json!({"organisations": ["acme.example"]}),
    ));
    assert_eq!(google.claim("hd").await.unwrap().value, "acme.example");
    let (_, sent) = query(&google.begin().await.unwrap().step);
    assert_eq!(sent["hd"], "acme.example");
    google.liar = google.liar.clone().telling(Lie::ForeignOrganisation);
    let Step::Barred { identity, reason } = google.sign_in().await.unwrap().step else {
        panic!("not barred");
    };
    assert_eq!(
        (identity.subject.as_str(), reason.as_str()),
        ("alice", "wrong_organisation")
    );

    let groups = json!({"organisations": ["staff"], "organisation_claim": "groups"});
    let mut world = World::new(with(generic(), groups));
    for (said, expected) in [
        (json!(["guests", "staff"]), true),
        (json!("staff"), true),
        (json!(["guests"]), false),
        (json!(["STAFF"]), false),
        (json!({"staff": true}), false),
    ] {
        world.liar = world.liar.clone().saying("groups", said.clone());
        let is_in = matches!(world.sign_in().await.unwrap().step, Step::Proven { .. });
        assert_eq!(is_in, expected, "{said}");
    }
}

#[tokio::test]
async fn who_proves_anew_is_asked_again_where_the_service_can() {
    for intent in [Intent::Reprove, Intent::Link] {
        let asked = sent(generic(), intent).await;
        assert_eq!(
            (asked["prompt"].as_str(), asked["max_age"].as_str()),
            ("login", "0")
        );
        let google = sent(preset("google"), intent).await;
        assert_eq!(google["prompt"], "select_account");
        assert!(!google.contains_key("max_age"));
        let microsoft = sent(preset("microsoft"), intent).await;
        assert_eq!(microsoft["prompt"], "login");
        assert!(
            !sent(preset("linkedin"), intent)
                .await
                .contains_key("prompt")
        );
        let mut world = World::new(generic());
        world.facts.intent = intent;
        world.proof().await;
    }
    let plain = sent(generic(), Intent::SignIn).await;
    assert!(!plain.contains_key("prompt") && !plain.contains_key("max_age"));
    let chosen = with(generic(), json!({"prompt": "select_account"}));
    assert_eq!(
        sent(chosen, Intent::SignIn).await["prompt"],
        "select_account"
    );
}

#[tokio::test]
async fn linkedin_is_asked_without_pkce_and_a_nonce_is_not_expected() {
    let world = World::new(preset("linkedin"));
    assert!(
        !query(&world.begin().await.unwrap().step)
            .1
            .contains_key("code_challenge")
    );
    world.proof().await;
    let requests = world.requests.lock().unwrap();
    let exchange = requests
        .iter()
        .find(|request| request.method == "POST")
        .unwrap();
    assert!(!String::from_utf8_lossy(&exchange.body.0).contains("code_verifier"));
    let rules = world.provider.rules();
    assert!(
        rules
            .iter()
            .any(|rule| rule.breaks.iter().any(|one| one.id.ends_with("10.5.1")))
    );
}

#[tokio::test]
async fn a_form_post_is_asked_for_where_it_is_configured() {
    let posted = with(generic(), json!({"response_mode": "form_post"}));
    assert_eq!(
        sent(posted, Intent::SignIn).await["response_mode"],
        "form_post"
    );
    assert_eq!(
        sent(apple(), Intent::SignIn).await["response_mode"],
        "form_post"
    );
    assert!(
        !sent(generic(), Intent::SignIn)
            .await
            .contains_key("response_mode")
    );
    World::new(apple()).proof().await;
}

#[tokio::test]
async fn an_error_of_the_third_party_is_a_refusal_with_its_word() {
    let world = World::new(generic());
    let turn = world.begin().await.unwrap();
    for (error, reason) in [
        ("access_denied", "access_denied"),
        ("login_required", "login_required"),
        ("user_cancelled_login", "user_cancelled_login"),
        ("<script>", "third_party_error"),
        ("", "third_party_error"),
    ] {
        let Answer::Callback { mut parameters } = world.callback(&turn) else {
            panic!("no callback");
        };
        parameters.remove("code");
        parameters.insert("error".to_owned(), error.into());
        let answer = Answer::Callback { parameters };
        let resumed = world.resume(&turn, answer);
        let Step::Refused { reason: found } = resumed.await.unwrap().step else {
            panic!("not refused");
        };
        assert_eq!(found, reason);
    }
}

/// S26, v5.0.0-10.1.2
#[tokio::test]
async fn s26_a_transaction_of_another_connection_tenant_or_time_is_refused() {
    let mut world = World::new(generic());
    let turn = world.begin().await.unwrap();
    let answer = world.callback(&turn);
    let facts = world.facts.clone();
    let mut others = vec![facts.clone(); 5];
    others[0].provider = gatelodge_core::model::ProviderId::new("party-2").unwrap();
    others[1].tenant = None;
    others[2].intent = Intent::Link;
    others[3].callback = "https://evil.example/callback".parse().ok();
    others[4].now =
        gatelodge_core::environment::later(facts.now, std::time::Duration::from_secs(601));
    for other in others {
        world.facts = other;
        let resumed = world.resume(&turn, answer.clone());
        let Step::Refused { reason } = resumed.await.unwrap().step else {
            panic!("not refused");
        };
        assert_eq!(reason, "wrong_transaction");
    }
    world.facts = facts;
    let resumed = world.resume(&turn, answer).await.unwrap();
    assert!(matches!(resumed.step, Step::Proven { .. }));
}

/// S25: what began at one connection does not end at another.
#[tokio::test]
async fn s25_the_callback_of_one_connection_is_no_use_at_another() {
    let one = World::new(generic());
    let other = World::new(with(generic(), json!({"issuer": "https://other.example"})));
    let turn = one.begin().await.unwrap();
    let answer = one.callback(&turn);
    let resumed = other.resume(&turn, answer).await.unwrap();
    assert!(matches!(resumed.step, Step::Refused { .. }));
}

#[tokio::test]
async fn what_userinfo_says_of_an_address_stays_with_that_address() {
    let mut world = World::new(generic());
    // The token names an address and does not vouch for it; userinfo vouches for another.
    let door = Liar::clone(&world.liar);
    world.liar = door.saying("email_verified", json!(null));
    assert_eq!(
        world.claim("email").await.unwrap().verified,
        Verified::Claimed
    );
}

#[tokio::test]
async fn at_most_64_claims_are_handed_on_and_none_that_is_long() {
    let mut world = World::new(generic());
    for number in 0..100 {
        world.liar = world
            .liar
            .clone()
            .saying(&format!("a{number:03}"), json!(number));
    }
    world.liar = world.liar.clone().saying("a000", json!("x".repeat(1_025)));
    world.liar = world.liar.clone().saying("a001", json!({"deep": true}));
    let claims = world.identity().await.claims;
    assert_eq!(claims.len(), 64);
    assert!(claims.contains_key("email") && claims.contains_key("name"));
    assert!(!claims.contains_key("a000") && !claims.contains_key("a001"));
    assert_eq!(claims["a002"].value, "2");
    assert!(!claims.contains_key("nonce") && !claims.contains_key("sub"));
}

#[tokio::test]
async fn a_client_that_is_refused_is_a_fault_of_the_connection() {
    let mut world = World::new(generic());
    let other = World::new(with(
        generic(),
        json!({"client_secret": "another secret 0815"}),
    ));
    world.liar = other.liar.clone();
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("`invalid_client`") && !text.contains("4711"),
        "{text}"
    );
}

#[tokio::test]
async fn plain_http_is_for_this_machine_only() {
    let keys = json!({"issuer": "http://127.0.0.1:9000", "loopback": true});
    let world = World::new(with(generic(), keys));
    world.proof().await;
    let requests = world.requests.lock().unwrap();
    assert!(
        requests
            .iter()
            .all(|request| request.url.host_str() == Some("127.0.0.1"))
    );
}

#[tokio::test]
async fn apple_says_the_name_beside_the_token_the_first_time() {
    for (keys, expected) in [(apple(), "Ada Lovelace"), (generic(), "")] {
        let mut world = World::new(keys);
        world.liar = world.liar.clone().saying("name", json!(null));
        let turn = world.begin().await.unwrap();
        let Answer::Callback { mut parameters } = world.callback(&turn) else {
            panic!("no callback");
        };
        let user = r#"{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"x@evil.example"}"#;
        parameters.insert("user".to_owned(), user.into());
        let turn = world
            .resume(&turn, Answer::Callback { parameters })
            .await
            .unwrap();
        let Step::Proven { proof } = turn.step else {
            panic!("not proven");
        };
        let Who::External { identity } = proof.who else {
            panic!("not external");
        };
        let name = identity
            .claims
            .get("name")
            .map(|claim| claim.value.as_str());
        assert_eq!(name.unwrap_or_default(), expected);
        assert_eq!(identity.claims["email"].value, "alice@people.example");
    }
}

/// S25: where people of every tenant come, the callback names the tenant of the token.
#[tokio::test]
async fn s25_the_callback_of_another_tenant_is_refused() {
    let world = World::new(preset("microsoft"));
    let tid = world.claim("tid").await.unwrap().value;
    for (iss, reason) in [
        (format!("https://login.microsoftonline.com/{tid}/v2.0"), ""),
        (
            "https://login.microsoftonline.com/a1b2c3d4-0000-4000-8000-00000000cafe/v2.0"
                .to_owned(),
            "wrong_issuer",
        ),
        (
            "https://login.microsoftonline.com/common/v2.0".to_owned(),
            "wrong_issuer",
        ),
        (
            "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(),
            "wrong_issuer",
        ),
        (String::new(), "wrong_issuer"),
    ] {
        let turn = world.begin().await.unwrap();
        let Answer::Callback { mut parameters } = world.callback(&turn) else {
            panic!("no callback");
        };
        parameters.insert("iss".to_owned(), iss.as_str().into());
        let answer = Answer::Callback { parameters };
        match world.resume(&turn, answer).await.unwrap().step {
            Step::Proven { .. } => assert_eq!(reason, "", "{iss}"),
            Step::Refused { reason: found } => assert_eq!(found, reason, "{iss}"),
            other => panic!("{iss}: {other:?}"),
        }
    }
}
