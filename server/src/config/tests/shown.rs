//! What `config show` says.

use std::path::PathBuf;

use super::{Folder, load, load_environment};
use crate::config::Overrides;

#[test]
fn every_value_is_shown_with_where_it_came_from() {
    let folder = Folder::with_config("[session]\nidle_minutes = 10\n");
    let overrides = Overrides {
        data_dir: Some(PathBuf::from("/elsewhere")),
        ..folder.overrides()
    };
    let loaded = load(
        &overrides,
        [
            ("GATELODGE_LOG__FORMAT", "json"),
            ("GATELODGE_LISTEN", "127.0.0.1:9"),
        ],
    )
    .unwrap();
    let shown = loaded.show();
    for line in [
        &format!(
            "idle_minutes = 10  # file {}, line 2",
            folder.path("gatelodge.toml").display()
        ),
        "absolute_hours = 24  # default",
        "# per_user_limit is not set",
        "format = \"json\"  # environment variable GATELODGE_LOG__FORMAT",
        "listen = \"127.0.0.1:9\"  # environment variable GATELODGE_LISTEN",
        "data_dir = \"/elsewhere\"  # command line --data-dir",
        "url = \"sqlite:/elsewhere/gatelodge.db\"  # default",
        "kind = \"password\"  # default",
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "{line} is not in\n{shown}"
        );
    }
    let json = loaded.show_json();
    assert_eq!(json["log"]["format"]["value"], "json");
    assert_eq!(
        json["log"]["format"]["source"],
        "environment variable GATELODGE_LOG__FORMAT"
    );
    assert_eq!(json["providers"][0]["kind"]["value"], "password");
}

#[test]
fn what_is_shown_is_a_configuration_that_means_the_same() {
    let shown = load_environment(&[
        ("GATELODGE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8"),
        ("GATELODGE_PAGES__BRAND_NAME", "a \"b\" \\ c"),
    ])
    .unwrap()
    .show();
    let folder = Folder::with_config(&shown);
    let again = folder.load().unwrap();
    assert_eq!(again.config.pages.brand_name, "a \"b\" \\ c");
    assert_eq!(again.config.server.trusted_proxies.len(), 1);
    let values = |text: &str| {
        text.lines()
            .filter_map(|line| line.split("  # ").next().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let moved = again
        .show()
        .replace(&format!("{}/", folder.0.path().display()), "");
    assert_eq!(values(&moved), values(&shown));
}

#[test]
fn no_secret_is_shown() {
    let folder = Folder::with_config(
        "[storage]\nurl = \"postgres://u:hunter2@h/db?password=hunter2\"\n[keys]\nmaster_key = \"hunter2\"\n\
         [[providers]]\nkind = \"oidc\"\nclient_id = \"abc\"\nclient_secret = \"hunter2\"\napi_key = 7\nclient_secret_file = \"x\"\n\
         deep = { token = \"hunter2\", host = \"h\", list = [{ password = \"hunter2\" }] }\n",
    );
    let loaded = folder.load().unwrap();
    let shown = loaded.show();
    let json = loaded.show_json().to_string();
    assert!(
        !shown.contains("hunter2") && !json.contains("hunter2"),
        "{shown}{json}"
    );
    for part in [
        "url = \"postgres://[redacted]@h/db?[redacted]\"",
        "master_key = \"[redacted]\"",
        "client_id = \"abc\"",
        "client_secret = \"[redacted]\"",
        "client_secret_file = \"x\"",
        "api_key = \"[redacted]\"",
        "host = \"h\"",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}
