//! Going there, coming back, and what is made of what a service says.

use std::collections::BTreeMap;

use gatelodge_core::{
    ErrorKind,
    model::{FactorClass, ProviderId},
    provider::{Answer, Entry, Provider as _, Step, Verified},
};
use serde_json::{Value, json};

use super::world::{SECRET, World, by_addresses, json_answer, met, open, proof, provider, refusal};

const STATE: &str = "sssssssssssssssssssssssssssssssssssssssssss";

fn github() -> gatelodge_provider_oauth2::OAuth2Provider {
    provider(json!({"preset": "github"}))
}

/// What GitHub says of somebody, in part.
fn octocat() -> Value {
    json!({
        "/user": {
            "id": 583_231, "login": "octocat", "name": "The Octocat", "email": "shown@example.org",
            "company": "@github", "site_admin": false, "followers": 20, "plan": {"name": "pro"},
            "blog": "", "bio": null, "email_verified": true,
        },
        "/user/emails": [
            {"email": "old@example.org", "primary": false, "verified": true, "visibility": null},
            {"email": "cat@example.org", "primary": true, "verified": true, "visibility": "private"},
        ],
    })
}

#[test]
fn it_is_a_third_party_that_starts_sign_ins() {
    let description = github().describe();
    assert_eq!(description.kind, "oauth2");
    assert_eq!(description.label, "GitHub");
    assert_eq!(
        (description.class, description.amr.as_str()),
        (FactorClass::Federated, "fed")
    );
    assert!(description.first_step && description.finds_tenant && description.third_party);
    assert!(!description.inline && !description.second_factor && !description.enrolment);
}

#[tokio::test]
async fn the_browser_takes_along_what_it_must_and_no_secret() {
    let world = World::alone();
    let (url, state) = world.away(&github()).await;
    let said: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let said: Vec<_> = said
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let [challenge, expected @ ..] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!((challenge.0, challenge.1.len()), ("client_id", 9));
    assert_eq!(expected[0].0, "code_challenge");
    assert_eq!(expected[0].1.len(), 43);
    assert_eq!(
        expected[1..],
        [
            ("code_challenge_method", "S256"),
            ("redirect_uri", "https://id.example.org/callback/code"),
            ("response_type", "code"),
            ("scope", "read:user user:email"),
            ("state", STATE),
        ]
    );
    assert!(
        url.as_str()
            .starts_with("https://github.com/login/oauth/authorize?")
    );
    assert!(!url.as_str().contains(SECRET));
    let kept: Value = serde_json::from_slice(&state.0).unwrap();
    let verifier = kept["verifier"].as_str().unwrap();
    assert_eq!(verifier.len(), 43);
    assert!(!url.as_str().contains(verifier));
    let (_, again) = world.away(&github()).await;
    assert_ne!(state, again, "each sign-in has a verifier of its own");
}

#[tokio::test]
async fn a_flow_without_a_way_back_does_not_begin() {
    let mut world = World::alone();
    world.facts.oauth_state = None;
    let begun = github().begin(&world.context(), Entry::Chosen {}).await;
    assert_eq!(begun.unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn the_code_goes_to_the_token_endpoint_with_secret_and_verifier() {
    for (auth, in_body) in [("post", true), ("basic", false)] {
        let world = World::new(|request| Ok(open(request, &octocat())));
        let provider = provider(json!({"preset": "github", "client_auth": auth}));
        let (_, state) = world.away(&provider).await;
        let turn = world
            .back(&provider, &state, [("code", "c-1"), ("state", STATE)])
            .await;
        proof(turn);
        let asked = world.asked.lock().unwrap();
        let urls: Vec<_> = asked.iter().map(|request| request.url.as_str()).collect();
        assert_eq!(
            urls,
            [
                "https://github.com/login/oauth/access_token",
                "https://api.github.com/user",
                "https://api.github.com/user/emails",
            ]
        );
        let body = String::from_utf8_lossy(&asked[0].body.0).into_owned();
        for part in [
            "grant_type=authorization_code",
            "code=c-1",
            "code_verifier=",
            "redirect_uri=",
        ] {
            assert!(body.contains(part), "{body}");
        }
        assert_eq!(body.contains(SECRET), in_body, "{auth}");
        let basic = asked[0].headers.get("authorization");
        assert_eq!(
            basic.is_some_and(|basic| basic.starts_with("Basic ")),
            !in_body
        );
        assert_eq!(asked[0].headers["accept"], "application/json");
        assert_eq!(asked[1].headers["authorization"], "Bearer t");
        assert_eq!(asked[1].headers["accept"], "application/vnd.github+json");
        assert_eq!(asked[1].headers["x-github-api-version"], "2022-11-28");
    }
}

#[tokio::test]
async fn github_is_read_by_number_with_the_verified_primary_address() {
    let (proof, identity) = proof(met(&github(), octocat()).await);
    assert_eq!(identity.issuer, "https://github.com");
    assert_eq!(identity.subject, "583231");
    assert!(proof.keep.0.is_empty(), "nothing to keep");
    let said: Vec<_> = identity
        .claims
        .iter()
        .map(|(name, claim)| (name.as_str(), claim.value.as_str(), claim.verified))
        .collect();
    let claimed = Verified::Claimed;
    assert_eq!(
        said,
        [
            ("company", "@github", claimed),
            ("email", "cat@example.org", Verified::Provider),
            ("followers", "20", claimed),
            ("id", "583231", claimed),
            ("login", "octocat", claimed),
            ("name", "The Octocat", claimed),
            ("preferred_username", "octocat", claimed),
            ("site_admin", "false", claimed),
        ],
        "neither the address that is shown nor a word that it is verified"
    );
}

#[tokio::test]
async fn s22_an_address_is_worth_what_the_service_says_of_it() {
    let discord = provider(json!({"preset": "discord"}));
    let facebook = provider(json!({"preset": "facebook"}));
    let plain = by_addresses(json!({}));
    let named = by_addresses(json!({"email_field": "mail", "email_verified_field": "checked"}));
    let of = |path: &str, user: Value| json!({ path: user });
    for (provider, documents, expected) in [
        (
            &discord,
            of(
                "/api/v10/users/@me",
                json!({"id": "1", "email": "a@b.c", "verified": true}),
            ),
            Some(Verified::Provider),
        ),
        (
            &discord,
            of(
                "/api/v10/users/@me",
                json!({"id": "1", "email": "a@b.c", "verified": false}),
            ),
            Some(Verified::Claimed),
        ),
        (
            &discord,
            of("/api/v10/users/@me", json!({"id": "1", "email": "a@b.c"})),
            Some(Verified::Claimed),
        ),
        (
            &discord,
            of(
                "/api/v10/users/@me",
                json!({"id": "1", "email": null, "verified": true}),
            ),
            None,
        ),
        (
            &facebook,
            of(
                "/v23.0/me",
                json!({"id": "1", "email": "a@b.c", "verified": true, "email_verified": true}),
            ),
            Some(Verified::Claimed),
        ),
        (
            &facebook,
            of("/v23.0/me", json!({"id": "1", "name": "A"})),
            None,
        ),
        (
            &plain,
            of(
                "/user",
                json!({"id": "1", "email": "a@b.c", "email_verified": true}),
            ),
            Some(Verified::Claimed),
        ),
        (
            &named,
            of(
                "/user",
                json!({"id": "1", "mail": "a@b.c", "checked": true}),
            ),
            Some(Verified::Provider),
        ),
        (
            &named,
            of(
                "/user",
                json!({"id": "1", "email": "a@b.c", "checked": true}),
            ),
            None,
        ),
    ] {
        let (_, identity) = proof(met(provider, documents.clone()).await);
        let email = identity.claims.get("email");
        assert_eq!(email.map(|claim| claim.verified), expected, "{documents}");
    }
}

#[tokio::test]
async fn s22_of_two_primary_addresses_none_counts() {
    let mut documents = octocat();
    documents["/user/emails"][0]["primary"] = json!(true);
    assert_eq!(refusal(met(&github(), documents).await), "bad_user");
}

#[tokio::test]
async fn odd_values_are_left_out_and_a_crowd_is_cut() {
    let mut user = json!({"id": "1", "long": "x".repeat(2_000), "bell": "a\u{7}", "": "x"});
    for number in 0..100 {
        user[format!("field-{number:03}")] = json!(number);
    }
    let (_, identity) = proof(met(&by_addresses(json!({})), json!({"/user": user})).await);
    assert_eq!(identity.claims.len(), 60);
    for name in ["long", "bell", ""] {
        assert!(!identity.claims.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn only_members_of_an_allowed_organisation_come_in() {
    let github = provider(json!({"preset": "github", "organisations": ["Acme", "4711"]}));
    for (list, is_member) in [
        (
            json!([{"id": 1, "login": "other"}, {"id": 2, "login": "ACME"}]),
            true,
        ),
        (json!([{"id": 4_711, "login": "renamed"}]), true),
        (json!([]), false),
        (json!([{"id": 1, "login": "acme2"}]), false),
        (json!([{"id": 1, "login": "4711"}]), false),
        (json!([{"id": 47_110, "login": "other"}]), false),
    ] {
        let mut documents = octocat();
        documents["/user/orgs"] = list.clone();
        let step = met(&github, documents).await.unwrap().step;
        match step {
            Step::Proven { .. } => assert!(is_member, "{list}"),
            Step::Barred { identity, reason } => {
                assert!(!is_member, "{list}");
                assert_eq!(
                    (identity.subject.as_str(), reason.as_str()),
                    ("583231", "not_a_member")
                );
            }
            other => panic!("{other:?}"),
        }
    }
    let mut documents = octocat();
    documents["/user/orgs"] = json!([{"login": "acme"}]);
    assert_eq!(refusal(met(&github, documents).await), "bad_organisations");
}

#[tokio::test]
async fn s25_who_answered_is_compared_even_when_it_says_no() {
    let github = github();
    let demanding = by_addresses(json!({"issuer": "https://party.example/as"}));
    let plain = by_addresses(json!({}));
    let world = World::alone();
    for (provider, issuer, is_right) in [
        (&github, "https://github.com/login/oauth", true),
        (&github, "https://github.com", false),
        (&github, "https://github.com/login/oauth/", false),
        (&github, "", false),
        (&demanding, "https://party.example/as", true),
        (&demanding, "https://party.example", false),
        (&plain, "https://party.example", true),
        (&plain, "https://party.example/as", true),
        (&plain, "http://party.example", false),
        (&plain, "https://party.example.evil.example", false),
        (&plain, "party.example", false),
    ] {
        let (_, state) = world.away(provider).await;
        let parameters = [
            ("error", "access_denied"),
            ("iss", issuer),
            ("state", STATE),
        ];
        let reason = refusal(world.back(provider, &state, parameters).await);
        let expected = if is_right {
            "access_denied"
        } else {
            "wrong_issuer"
        };
        assert_eq!(reason, expected, "{issuer}");
    }
    for (provider, reason) in [(&github, "access_denied"), (&demanding, "wrong_issuer")] {
        let (_, state) = world.away(provider).await;
        let parameters = [("error", "access_denied"), ("state", STATE)];
        assert_eq!(
            refusal(world.back(provider, &state, parameters).await),
            reason
        );
    }
    assert!(world.asked.lock().unwrap().is_empty(), "nobody is asked");
}

#[tokio::test]
async fn an_error_is_told_by_a_word_of_ours() {
    let (world, github) = (World::alone(), github());
    for (error, reason) in [
        ("access_denied", "access_denied"),
        ("server_error", "third_party_failed"),
        ("temporarily_unavailable", "third_party_failed"),
        ("invalid_scope", "third_party_refused"),
        ("<script>", "third_party_refused"),
        ("", "third_party_refused"),
    ] {
        let (_, state) = world.away(&github).await;
        let parameters = [("error", error), ("state", STATE)];
        assert_eq!(
            refusal(world.back(&github, &state, parameters).await),
            reason
        );
    }
}

#[tokio::test]
async fn a_code_that_cannot_be_one_is_not_sent() {
    let (world, github) = (World::alone(), github());
    let long = "x".repeat(5_000);
    for code in ["", "a\nb", "é", long.as_str()] {
        let (_, state) = world.away(&github).await;
        let parameters = [("code", code), ("state", STATE)];
        assert_eq!(
            refusal(world.back(&github, &state, parameters).await),
            "no_code"
        );
    }
    assert!(world.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn s26_a_callback_counts_at_the_connection_it_began_at_as_it_was_then() {
    let github = github();
    let mut world = World::new(|request| Ok(open(request, &octocat())));
    let (_, state) = world.away(&github).await;
    for other in [
        provider(json!({"preset": "github", "token_url": "https://other.example/token"})),
        provider(json!({"preset": "github", "client_id": "other"})),
        provider(json!({"preset": "github", "authorization_url": "https://other.example/a"})),
    ] {
        let turn = world
            .back(&other, &state, [("code", "c"), ("state", STATE)])
            .await;
        assert_eq!(refusal(turn), "connection_changed");
    }
    world.facts.provider = ProviderId::new("other").unwrap();
    let turn = world
        .back(&github, &state, [("code", "c"), ("state", STATE)])
        .await;
    assert_eq!(refusal(turn), "other_connection");
    assert!(world.asked.lock().unwrap().is_empty(), "no code leaves");
}

#[tokio::test]
async fn a_fault_of_the_service_is_one_and_tells_nothing_secret() {
    let plain = by_addresses(json!({}));
    for path in ["/token", "/user"] {
        for status in [429, 500, 502, 503] {
            let world = World::new(move |request| {
                let mut answer = open(request, &json!({"/user": {"id": "1"}}));
                if request.url.path() == path {
                    answer.status = status;
                }
                Ok(answer)
            });
            let (_, state) = world.away(&plain).await;
            let turn = world
                .back(&plain, &state, [("code", "canary"), ("state", STATE)])
                .await;
            let error = turn.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("canary") && !shown.contains(SECRET),
                "{shown}"
            );
        }
    }
    let world = World::alone();
    let (_, state) = world.away(&plain).await;
    let turn = world
        .back(&plain, &state, [("code", "canary"), ("state", STATE)])
        .await;
    assert_eq!(
        turn.unwrap_err().to_string(),
        "the third party does not answer"
    );
}

#[tokio::test]
async fn nothing_but_a_callback_is_an_answer() {
    let (world, github) = (World::alone(), github());
    let (_, state) = world.away(&github).await;
    for answer in [
        Answer::Poll {},
        Answer::fields([("code", "c"), ("state", STATE)]),
    ] {
        let turn = github.resume(&world.context(), state.clone(), answer).await;
        assert_eq!(refusal(turn), "no_callback");
    }
}

#[tokio::test]
async fn a_token_response_beyond_its_limit_is_none() {
    let plain = by_addresses(json!({}));
    for size in [20_000, 70_000] {
        let token = json!({"access_token": "t".repeat(size), "token_type": "bearer"});
        let documents = json!({"token": token, "/user": {"id": "1"}});
        assert_eq!(refusal(met(&plain, documents).await), "bad_token_response");
    }
    let case = json!({"access_token": "t", "token_type": "BEARER", "scope": "a,b"});
    proof(met(&plain, json!({"token": case, "/user": {"id": "1"}})).await);
}

#[tokio::test]
async fn no_secret_is_shown() {
    let github = github();
    let world = World::new(|_| Ok(json_answer(400, &json!({"error": SECRET}))));
    let (_, state) = world.away(&github).await;
    let turn = world
        .back(&github, &state, [("code", "canary"), ("state", STATE)])
        .await;
    let shown = format!("{github:?} {state:?} {turn:?}");
    assert!(
        !shown.contains(SECRET) && !shown.contains("canary"),
        "{shown}"
    );
}
