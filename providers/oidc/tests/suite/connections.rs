//! The configuration: what can be said, and what is said when it is wrong.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatelodge_core::{
    ErrorKind,
    model::{FactorClass, ProviderId},
    provider::{ProviderTable, Registry},
};
use gatelodge_provider_oidc::{Config, register};
use serde_json::{Value, json};

use super::world::{World, generic, preset, table, with};

/// A key as Apple gives it, made anew.
fn key() -> String {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let body = STANDARD.encode(key.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

fn apple() -> Value {
    json!({
        "preset": "apple", "client_id": "com.example.web", "team_id": "TEAM123456",
        "key_id": "KEY1234567", "private_key": key(), "algorithms": ["ES256"],
    })
}

/// What is said of a table.
fn problem(keys: Value) -> (String, Option<&'static str>) {
    let keys = table(keys)
        .into_iter()
        .filter(|(_, value)| *value != json!("(none)"));
    let error = Config::from_table(keys.collect()).unwrap_err();
    let error = gatelodge_core::Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    (error.to_string(), error.field())
}

#[test]
fn five_lines_are_enough_for_every_service() {
    for (keys, label, issuer) in [
        (preset("google"), "Google", "https://accounts.google.com"),
        (
            preset("microsoft"),
            "Microsoft",
            "https://login.microsoftonline.com/common/v2.0",
        ),
        (apple(), "Apple", "https://appleid.apple.com"),
        (
            preset("linkedin"),
            "LinkedIn",
            "https://www.linkedin.com/oauth",
        ),
        (preset("gitlab"), "GitLab", "https://gitlab.com"),
        (generic(), "issuer.example", "https://issuer.example/realm"),
    ] {
        let config = Config::from_table(table(keys)).unwrap();
        assert_eq!((config.label.as_str(), config.issuer()), (label, issuer));
    }
}

#[test]
fn every_key_can_be_set() {
    let keys = json!({
        "preset": "gitlab", "issuer": "https://gitlab.acme.example", "client_id": "client-4711",
        "client_secret": "the client's secret 4711", "scopes": ["profile", "read_user"],
        "label": "Acme", "organisations": ["staff"], "organisation_claim": "groups_direct",
        "algorithms": ["PS256", "ES384"], "audiences": ["other"], "client_auth": "basic",
        "response_mode": "form_post", "userinfo": false, "recheck": true, "loopback": false,
        "sign_out": true, "prompt": "consent", "max_age": false,
    });
    let config = Config::from_table(table(keys)).unwrap();
    assert_eq!(config.label, "Acme");
    assert_eq!(config.organisations, ["staff"]);
    assert!(config.recheck && config.sign_out && !config.userinfo && !config.loopback);
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("staff"),
        "{shown}"
    );
}

#[test]
fn it_says_of_itself_what_it_is() {
    let mut registry = Registry::new();
    register(&mut registry);
    let id = ProviderId::new("google").unwrap();
    let mut keys = table(preset("google"));
    keys.extend(table(
        json!({"new_accounts": "ask", "claims": {"user_name": "email"}}),
    ));
    registry.configure(id.clone(), "oidc", keys).unwrap();
    let configured = registry.provider(&id).unwrap();
    let description = &configured.description;
    assert_eq!(
        (description.kind.as_str(), description.label.as_str()),
        ("oidc", "Google")
    );
    assert_eq!(
        (description.class, description.amr.as_str()),
        (FactorClass::Federated, "fed")
    );
    assert!(description.first_step && description.finds_tenant && description.third_party);
    assert!(!description.second_factor && !description.enrolment && !description.inline);
    assert_eq!(*description, configured.provider.describe());
}

/// Checks what is said of a generic table with these keys.
fn assert_problems<const N: usize>(cases: [(Value, &'static str, &str); N]) {
    for (more, key, text) in cases {
        let expected = (format!("`{key}` {text}"), Some(key));
        assert_eq!(problem(with(generic(), more)), expected);
    }
}

#[test]
fn a_wrong_service_or_issuer_is_named_with_what_was_expected() {
    let presets = "must be one of `apple`, `gitlab`, `google`, `linkedin`, `microsoft`, not";
    let address = "must be an `https` address, not";
    let missing = "must be set where no `preset` is: the address of the provider";
    let clear = "http://127.0.0.1:9000";
    let microsoft = "https://login.microsoftonline.com/common/v2.0";
    assert_problems([
        (
            json!({"preset": "facebook"}),
            "preset",
            &format!("{presets} `facebook`"),
        ),
        (
            json!({"preset": "generic"}),
            "preset",
            &format!("{presets} `generic`"),
        ),
        (
            json!({"preset": 7}),
            "preset",
            "must be the name of a service, not `7`",
        ),
        (json!({"issuer": "(none)"}), "issuer", missing),
        (
            json!({"issuer": "a.example"}),
            "issuer",
            &format!("{address} `a.example`"),
        ),
        (
            json!({"issuer": "https://a.example?b=c"}),
            "issuer",
            &format!("{address} `https://a.example?b=c`"),
        ),
        (
            json!({"issuer": clear}),
            "issuer",
            &format!("{address} `{clear}`; for one on this machine, `loopback = true`"),
        ),
        (
            json!({"issuer": "http://a.example", "loopback": true}),
            "loopback",
            "is for issuers on this machine, not `http://a.example`",
        ),
        (
            json!({"issuer": microsoft}),
            "preset",
            "must be `microsoft` for this issuer",
        ),
    ]);
}

#[test]
fn a_wrong_client_is_named_with_what_was_expected() {
    let auth = "must be `basic`, `post`, `none` or `apple`, not `\"jwt\"`";
    let file = "must be set, in a file: `client_secret_file`";
    let unused = "is not used with this `client_auth`";
    assert_problems([
        (json!({"client_id": ""}), "client_id", "must be set"),
        (json!({"client_id": "(none)"}), "client_id", "must be set"),
        (json!({"client_secret": "(none)"}), "client_secret", file),
        (
            json!({"client_secret": 4711}),
            "client_secret",
            "must be a text",
        ),
        (json!({"client_auth": "none"}), "client_secret", unused),
        (json!({"client_auth": "jwt"}), "client_auth", auth),
        (
            json!({"team_id": "x"}),
            "team_id",
            "is for `client_auth = \"apple\"` only",
        ),
    ]);
}

#[test]
fn a_wrong_value_is_named_with_what_was_expected() {
    let label = "must have 1 to 40 characters";
    let claim = "must be set where `organisations` is";
    let algorithms = "must be some of `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, \
                      `ES384`, `EdDSA`, not";
    let prompt = "must be `login`, `consent` or `select_account`, not `none`";
    let mode = "must be `query` or `form_post`, not `\"fragment\"`";
    let texts = "must be texts that are not empty";
    assert_problems([
        (
            json!({"scopes": "profile"}),
            "scopes",
            "must be a list of texts, not `\"profile\"`",
        ),
        (
            json!({"scopes": ["profile email"]}),
            "scopes",
            "must be words without blanks",
        ),
        (json!({"label": ""}), "label", label),
        (json!({"label": "x".repeat(41)}), "label", label),
        (
            json!({"organisations": ["acme"]}),
            "organisation_claim",
            claim,
        ),
        (
            json!({"organisation_claim": "org"}),
            "organisations",
            "must be set where `organisation_claim` is",
        ),
        (
            json!({"organisations": [""], "organisation_claim": "org"}),
            "organisations",
            texts,
        ),
        (
            json!({"algorithms": []}),
            "algorithms",
            "must name one at least",
        ),
        (
            json!({"algorithms": ["HS256"]}),
            "algorithms",
            &format!("{algorithms} `HS256`"),
        ),
        (
            json!({"algorithms": ["none"]}),
            "algorithms",
            &format!("{algorithms} `none`"),
        ),
        (json!({"audiences": [""]}), "audiences", texts),
        (json!({"response_mode": "fragment"}), "response_mode", mode),
        (
            json!({"userinfo": "yes"}),
            "userinfo",
            "must be true or false, not `\"yes\"`",
        ),
        (json!({"prompt": "none"}), "prompt", prompt),
    ]);
}

#[test]
fn what_a_service_cannot_do_is_said() {
    for (keys, text) in [
        (
            with(preset("google"), json!({"issuer": "https://evil.example"})),
            "`issuer` must be left out, or be `https://accounts.google.com`, with this preset",
        ),
        (
            with(
                preset("google"),
                json!({"organisation_claim": "org", "organisations": ["a"]}),
            ),
            "`organisation_claim` is `hd` with this preset",
        ),
        (
            with(preset("linkedin"), json!({"recheck": true})),
            "`recheck` cannot be: LinkedIn gives no refresh tokens",
        ),
        (
            with(preset("microsoft"), json!({"scopes": ["email"]})),
            "`scopes` must have `profile`, without which Microsoft does not say who somebody is",
        ),
        (
            with(
                preset("microsoft"),
                json!({"organisations": ["acme.example"]}),
            ),
            "`organisations` must be tenant ids, in lower case, not `acme.example`",
        ),
        (
            with(
                preset("microsoft"),
                json!({"issuer": "https://login.microsoftonline.com/acme.example/v2.0"}),
            ),
            "`issuer` must be `https://login.microsoftonline.com/<tenant's id>/v2.0`, with `common`, \
          `organizations` or `consumers` in place of the id for those, not \
          `https://login.microsoftonline.com/acme.example/v2.0`",
        ),
        (
            with(apple(), json!({"team_id": "(none)"})),
            "`team_id` must be set",
        ),
        (
            with(apple(), json!({"private_key": "no key 4711"})),
            "`private_key` must be the key from the developer account: `private_key_file`",
        ),
        (
            with(apple(), json!({"client_secret": "x"})),
            "`client_secret` is not used with this `client_auth`",
        ),
    ] {
        assert_eq!(problem(keys).0, text);
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_known_ones() {
    let (text, _) = problem(with(generic(), json!({"colour": "red"})));
    assert!(
        text.starts_with("`colour` is not a key of the oidc provider, only `preset`, "),
        "{text}"
    );
    let (text, field) = problem(with(generic(), json!({"client_secret": ["hidden 4711"]})));
    assert_eq!(
        (text.as_str(), field),
        ("`client_secret` must be a text", Some("client_secret"))
    );
    let keys: ProviderTable = table(with(generic(), json!({"tenants": ["acme"]})));
    assert!(
        Config::from_table(keys).is_err(),
        "core takes what is its own"
    );
}

#[tokio::test]
async fn apples_secret_is_a_token_that_ends_in_five_minutes() {
    let world = World::new(apple());
    world.proof().await;
    let requests = world.requests.lock().unwrap();
    let exchange = requests
        .iter()
        .find(|request| request.method == "POST")
        .unwrap();
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&exchange.body.0)
        .into_owned()
        .collect();
    let (_, secret) = form
        .iter()
        .find(|(name, _)| name == "client_secret")
        .unwrap();
    let part = |at: usize| -> Value {
        let part = secret.split('.').nth(at).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let now = world.facts.now.as_second();
    assert_eq!(part(0), json!({"alg": "ES256", "kid": "KEY1234567"}));
    let expected = json!({
        "iss": "TEAM123456", "sub": "com.example.web", "aud": "https://appleid.apple.com",
        "iat": now, "exp": now + 300,
    });
    assert_eq!(part(1), expected);
}
