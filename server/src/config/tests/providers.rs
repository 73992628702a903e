//! Tables of providers: what is ours in them, and what goes undecoded to their crates.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Folder, load_environment};
use crate::config::Secret;

const GOOGLE: &str = "[[providers]]\nkind = \"password\"\n\n[[providers]]\nid = \"google-work\"\nkind = \"oidc\"\nclient_id = \"abc\"\n";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Oidc {
    client_id: String,
    client_secret: Option<Secret>,
    #[serde(default)]
    timeout: u32,
    #[serde(default)]
    scopes: Vec<String>,
}

#[test]
fn the_settings_of_a_kind_reach_its_own_struct() {
    let folder = Folder::with_config(&format!("{GOOGLE}scopes = [\"a\", \"b\"]\ntimeout = 5\n"));
    let providers = folder.load().unwrap().config.providers;
    assert_eq!(providers[1].id(), "google-work");
    let settings: Oidc = providers[1].decode().unwrap();
    assert_eq!((settings.client_id.as_str(), settings.timeout), ("abc", 5));
    assert_eq!(settings.scopes, ["a", "b"]);
    assert!(settings.client_secret.is_none());
    assert_eq!(providers[1].table().unwrap()["timeout"], 5);
}

#[test]
fn an_error_in_a_kinds_own_keys_names_file_line_and_key() {
    let folder = Folder::with_config(&format!("{GOOGLE}timeot = 5\nscopes = 3\n"));
    let providers = folder.load().unwrap().config.providers;
    let error = providers[1].decode::<Oidc>().unwrap_err();
    assert_eq!(
        folder.without_folder(&error).lines().collect::<Vec<_>>(),
        [
            "file gatelodge.toml, line 9: `providers.1.scopes` must be a list, but is a whole number",
            "file gatelodge.toml, line 8: unknown key `timeot` in `providers.1`; did you mean `timeout`?",
        ]
    );
    let error = providers[1].error("client_id", "must be registered");
    assert_eq!(
        folder.without_folder(&error),
        "file gatelodge.toml, line 7: `providers.1.client_id` must be registered"
    );
    let error = providers[0].decode::<Oidc>().unwrap_err();
    assert_eq!(
        folder.without_folder(&error),
        "file gatelodge.toml, line 1: `providers.0` lacks the key `client_id`"
    );
}

#[test]
fn two_providers_cannot_have_the_same_id() {
    let folder = Folder::with_config(
        "[[providers]]\nkind = \"password\"\n[[providers]]\nkind = \"password\"\n",
    );
    assert_eq!(
        folder.refusal(),
        "file gatelodge.toml, line 3: `providers.1.id` is `password`, which another provider already has; give each its own `id`"
    );
    let folder = Folder::with_config(
        "[[providers]]\nkind = \"password\"\n[[providers]]\nkind = \"oidc\"\nid = \"password\"\n",
    );
    assert!(
        folder
            .refusal()
            .starts_with("file gatelodge.toml, line 5: `providers.1.id` is `password`")
    );
}

#[test]
fn kind_and_id_are_short_plain_names() {
    for bad in [
        "",
        "Google",
        "a_b",
        "a/b",
        "ü",
        "a2345678901234567890123456789012x",
    ] {
        let folder =
            Folder::with_config(&format!("[[providers]]\nkind = \"oidc\"\nid = \"{bad}\"\n"));
        let expected = "file gatelodge.toml, line 3: `providers.0.id` must be 1 to 32 of `a` to `z`, `0` to `9` and `-`";
        assert_eq!(folder.refusal(), expected, "{bad}");
    }
    let folder = Folder::with_config("[[providers]]\nkind = \"OIDC\"\n");
    assert!(
        folder
            .refusal()
            .contains("line 2: `providers.0.kind` must be 1 to 32")
    );
}

#[test]
fn a_provider_without_kind_or_with_a_wrong_type_is_refused() {
    let folder = Folder::with_config("[[providers]]\nid = \"x\"\n");
    assert_eq!(
        folder.refusal(),
        "file gatelodge.toml, line 1: `providers.0` lacks the key `kind`"
    );
    let folder = Folder::with_config("[[providers]]\nkind = \"password\"\nenabled = \"no\"\n");
    assert_eq!(
        folder.refusal(),
        "file gatelodge.toml, line 3: `providers.0.enabled` must be `true` or `false`, but is text"
    );
    let folder = Folder::with_config("[providers]\nkind = \"password\"\n");
    assert!(
        folder
            .refusal()
            .starts_with("file gatelodge.toml, line 1: `providers` must be a list"),
        "{}",
        folder.refusal()
    );
}

#[test]
fn without_an_enabled_provider_nothing_starts() {
    for text in [
        "providers = []\n",
        "[[providers]]\nkind = \"password\"\nenabled = false\n",
    ] {
        let refusal = Folder::with_config(text).refusal();
        assert!(
            refusal.ends_with("`providers` must hold one that is enabled: nobody could sign in"),
            "{refusal}"
        );
    }
}

#[test]
fn the_environment_sets_keys_of_a_provider_by_its_id() {
    let folder = Folder::with_config(GOOGLE);
    let environment = [
        ("GATELODGE_PROVIDERS__GOOGLE_WORK__CLIENT_SECRET", "12345"),
        ("GATELODGE_PROVIDERS__GOOGLE_WORK__TIMEOUT", "9"),
        ("GATELODGE_PROVIDERS__PASSWORD__ENABLED", "false"),
    ];
    let providers = folder.load_with(&environment).unwrap().config.providers;
    assert!(!providers[0].enabled);
    let settings: Oidc = providers[1].decode().unwrap();
    assert_eq!(settings.timeout, 9);
    assert_eq!(settings.client_secret.unwrap().expose(), "12345");

    let error = folder
        .load_with(&[("GATELODGE_PROVIDERS__PASSWORD__ENABLED", "nope")])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable GATELODGE_PROVIDERS__PASSWORD__ENABLED: `providers.0.enabled` must be `true` or `false`, but is text"
    );
    let error = load_environment(&[("GATELODGE_PROVIDERS__GOOGLE__CLIENT_ID", "x")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable GATELODGE_PROVIDERS__GOOGLE__CLIENT_ID: no provider has the id `google`"
    );
}

#[test]
fn the_environment_can_hold_the_whole_list() {
    let loaded =
        load_environment(&[("GATELODGE_PROVIDERS", "[{kind=\"password\",id=\"main\"}]")]).unwrap();
    assert_eq!(loaded.config.providers[0].id(), "main");
}

#[test]
fn a_path_in_a_table_is_relative_to_the_file() {
    let folder =
        Folder::with_config("[[providers]]\nkind = \"plugin\"\nlibrary = \"plugins/a.so\"\n");
    let providers = folder.load().unwrap().config.providers;
    assert_eq!(
        providers[0].settings.path("library"),
        Some(folder.path("plugins/a.so"))
    );
    let providers = load_environment(&[("GATELODGE_PROVIDERS__PASSWORD__LIST", "words.txt")])
        .unwrap()
        .config
        .providers;
    assert_eq!(
        providers[0].settings.path("list"),
        Some(PathBuf::from("words.txt"))
    );
}

#[test]
fn a_secret_of_a_provider_may_come_from_a_file() {
    let folder = Folder::with_config(&format!("{GOOGLE}client_secret_file = \"google.secret\"\n"));
    folder.write("google.secret", "hunter2\n");
    let providers = folder.load().unwrap().config.providers;
    let settings: Oidc = providers[1].decode().unwrap();
    assert_eq!(settings.client_secret.unwrap().expose(), "hunter2");
    assert_eq!(providers[1].table().unwrap()["client_secret"], "hunter2");

    std::fs::remove_file(folder.path("google.secret")).unwrap();
    let error = folder.without_folder(&providers[1].decode::<Oidc>().unwrap_err());
    let expected = "file gatelodge.toml, line 8: `providers.1.client_secret_file` names a file that cannot be read, `google.secret`: ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_secret_of_a_provider_given_twice_is_refused() {
    let folder = Folder::with_config(&format!(
        "{GOOGLE}client_secret_file = \"google.secret\"\nclient_secret = \"hunter2\"\n"
    ));
    let providers = folder.load().unwrap().config.providers;
    let error = folder.without_folder(&providers[1].decode::<Oidc>().unwrap_err());
    assert_eq!(
        error,
        "file gatelodge.toml, line 9: `providers.1.client_secret` and `client_secret_file` are both set; keep one of them"
    );
}

#[test]
fn a_file_that_is_no_secrets_is_left_to_the_provider() {
    let folder = Folder::with_config(&format!("{GOOGLE}password_list_file = \"words.txt\"\n"));
    let providers = folder.load().unwrap().config.providers;
    assert_eq!(
        providers[1].table().unwrap()["password_list_file"],
        "words.txt"
    );
}

#[test]
fn what_is_there_by_itself_stays_beside_a_third_party() {
    let kinds = |text: &str| {
        let config = Folder::with_config(text).load().unwrap().config;
        let enabled = config.providers.iter().filter(|one| one.enabled);
        enabled.map(|one| one.kind.clone()).collect::<Vec<_>>()
    };
    let third_party = "[[providers]]\nkind = \"oidc\"\nissuer = \"https://id.example.org\"\n";
    let beside = kinds(third_party);
    assert_eq!(beside[0], "oidc");
    assert_eq!(beside[1..], *crate::plugins::DEFAULT_KINDS);
    let off = format!("{third_party}[[providers]]\nkind = \"password\"\nenabled = false\n");
    assert_eq!(kinds(&off), ["oidc"]);
    let with_password = format!("{third_party}[[providers]]\nkind = \"password\"\n");
    assert_eq!(kinds(&with_password), ["oidc", "password"]);
}
