//! Defaults, below the file, below the environment, below the command line.

use std::path::{Path, PathBuf};

use super::{Folder, load, load_environment};
use crate::config::{AtLimit, Overrides, RequiredAttribute};

#[test]
fn with_nothing_said_the_defaults_hold() {
    let config = load_environment(&[]).unwrap().config;
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.data_dir, Path::new("gatelodge-data"));
    assert_eq!(
        config.storage.url.unwrap().expose(),
        "sqlite:gatelodge-data/gatelodge.db"
    );
    assert_eq!(
        config.keys.master_key_file,
        Some(PathBuf::from("gatelodge-data/master.key"))
    );
    assert_eq!(
        (config.session.idle_minutes, config.session.absolute_hours),
        (30, 24)
    );
    assert!(!config.registration.enabled);
    assert_eq!(config.limits.disable_after, 100);
    let ids: Vec<_> = config.providers.iter().map(|p| p.id()).collect();
    let all = [
        "password",
        "one-time-token",
        "totp",
        "recovery-code",
        "remember-device",
    ];
    assert_eq!(ids, all);
    assert!(config.providers.iter().all(|provider| provider.enabled));
}

#[test]
fn the_file_stands_above_the_defaults_and_the_environment_above_the_file() {
    let folder = Folder::with_config("[session]\nidle_minutes = 10\nabsolute_hours = 10\n");
    let session = folder
        .load_with(&[("GATELODGE_SESSION__IDLE_MINUTES", "20")])
        .unwrap()
        .config
        .session;
    assert_eq!(session.idle_minutes, 20);
    assert_eq!(session.absolute_hours, 10);
    assert_eq!(session.per_user_limit, None);
}

#[test]
fn the_command_line_stands_above_all() {
    let folder =
        Folder::with_config("[server]\nlisten = \"127.0.0.1:1\"\ndata_dir = \"from-file\"\n");
    let own = [
        ("GATELODGE_SERVER__LISTEN", "127.0.0.1:2"),
        ("GATELODGE_SERVER__DATA_DIR", "from-variable"),
    ];
    let short = [
        ("GATELODGE_LISTEN", "127.0.0.1:3"),
        ("GATELODGE_DATA_DIR", "from-short-variable"),
    ];
    let listen = |overrides: &Overrides, environment: &[(&str, &str)]| {
        let server = load(overrides, environment.iter().copied())
            .unwrap()
            .config
            .server;
        (server.listen.port(), server.data_dir)
    };
    let mut overrides = folder.overrides();
    assert_eq!(listen(&overrides, &[]), (1, folder.path("from-file")));
    assert_eq!(
        listen(&overrides, &own),
        (2, PathBuf::from("from-variable"))
    );
    assert_eq!(
        listen(&overrides, &[own, short].concat()),
        (3, PathBuf::from("from-short-variable"))
    );
    overrides.listen = Some("127.0.0.1:4".to_owned());
    overrides.data_dir = Some(PathBuf::from("from-option"));
    assert_eq!(
        listen(&overrides, &[own, short].concat()),
        (4, PathBuf::from("from-option"))
    );
}

#[test]
fn the_database_and_the_master_key_follow_the_data_folder() {
    let overrides = Overrides {
        data_dir: Some(PathBuf::from("/elsewhere")),
        ..Overrides::default()
    };
    let config = load(&overrides, [("", ""); 0]).unwrap().config;
    assert_eq!(
        config.storage.url.unwrap().expose(),
        "sqlite:/elsewhere/gatelodge.db"
    );
    assert_eq!(
        config.keys.master_key_file,
        Some(PathBuf::from("/elsewhere/master.key"))
    );
}

#[test]
fn the_file_may_be_named_in_the_environment() {
    let folder = Folder::with_config("[session]\nidle_minutes = 7\n");
    let path = folder.path("gatelodge.toml");
    let loaded = load_environment(&[("GATELODGE_CONFIG", path.to_str().unwrap())]).unwrap();
    assert_eq!(loaded.config.session.idle_minutes, 7);
}

#[test]
fn every_type_of_key_can_be_set_in_the_environment() {
    let config = load_environment(&[
        ("GATELODGE_SERVER__ORIGIN", "https://id.example.org"),
        (
            "GATELODGE_SERVER__TRUSTED_PROXIES",
            "10.0.0.0/8, 192.168.1.1/32",
        ),
        ("GATELODGE_SESSION__PER_USER_LIMIT", "3"),
        ("GATELODGE_SESSION__AT_LIMIT", "replace_oldest"),
        ("GATELODGE_REGISTRATION__ENABLED", "true"),
        (
            "GATELODGE_REGISTRATION__REQUIRED",
            "[\"email\", \"display_name\"]",
        ),
        ("GATELODGE_PAGES__BRAND_NAME", "2026"),
        ("GATELODGE_TENANCY__DEFAULT_TENANT", "true"),
        ("GATELODGE_KEYS__MASTER_KEY", "123456"),
    ])
    .unwrap()
    .config;
    assert_eq!(
        config.server.origin.unwrap().to_string(),
        "https://id.example.org"
    );
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.session.per_user_limit, Some(3));
    assert_eq!(config.session.at_limit, AtLimit::ReplaceOldest);
    assert!(config.registration.enabled);
    assert_eq!(
        config.registration.required,
        [RequiredAttribute::Email, RequiredAttribute::DisplayName]
    );
    assert_eq!(config.pages.brand_name, "2026");
    assert_eq!(config.tenancy.default_tenant.as_deref(), Some("true"));
    assert_eq!(config.keys.master_key.unwrap().expose(), "123456");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let loaded =
        load_environment(&[("GATELODGE_SERVER__ORIGIN", ""), ("GATELODGE_NONSENSE", "")]).unwrap();
    assert!(loaded.config.server.origin.is_none());
}

#[test]
fn what_kubernetes_puts_beside_a_service_of_our_name_is_left_alone() {
    load_environment(&[
        ("GATELODGE_PORT", "tcp://10.0.0.1:80"),
        ("GATELODGE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("GATELODGE_SERVICE_HOST", "10.0.0.1"),
        ("GATELODGE_SERVICE_PORT_HTTP", "80"),
        ("UNRELATED", "x"),
    ])
    .unwrap();
}

#[test]
fn paths_in_the_file_are_relative_to_the_file_and_others_to_where_the_program_runs() {
    let folder = Folder::with_config(
        "[server]\ndata_dir = \"data\"\n[pages]\ntexts_file = \"texts.toml\"\n[storage]\nurl = \"sqlite:db/a.db?mode=rwc\"\n",
    );
    folder.write("texts.toml", "");
    let config = folder.load().unwrap().config;
    assert_eq!(config.server.data_dir, folder.path("data"));
    assert_eq!(config.pages.texts_file, Some(folder.path("texts.toml")));
    assert_eq!(
        config.keys.master_key_file,
        Some(folder.path("data/master.key"))
    );
    let expected = format!("sqlite:{}?mode=rwc", folder.path("db/a.db").display());
    assert_eq!(config.storage.url.unwrap().expose(), expected);

    let config = folder
        .load_with(&[("GATELODGE_STORAGE__URL", "sqlite:db/a.db")])
        .unwrap()
        .config;
    assert_eq!(config.storage.url.unwrap().expose(), "sqlite:db/a.db");
}

#[test]
fn an_address_of_a_database_that_is_no_relative_file_stays_as_it_is() {
    for url in [
        "sqlite::memory:",
        "sqlite:/var/lib/a.db",
        "sqlite:///var/lib/a.db",
        "postgres://u@h/db",
    ] {
        let folder = Folder::with_config(&format!("[storage]\nurl = \"{url}\"\n"));
        assert_eq!(
            folder.load().unwrap().config.storage.url.unwrap().expose(),
            url
        );
    }
}

#[test]
fn a_demo_uses_only_its_own_folder() {
    let demo = Overrides {
        demo: true,
        data_dir: Some(PathBuf::from("/throw-away")),
        ..Overrides::default()
    };
    assert!(load(&demo, [("", ""); 0]).is_ok());
    let error = load(
        &demo,
        [
            ("GATELODGE_STORAGE__URL", "postgres://real"),
            ("GATELODGE_KEYS__MASTER_KEY", "real"),
        ],
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains(
            "GATELODGE_STORAGE__URL: `storage.url` is set, and a demo uses only its own folder"
        ),
        "{error}"
    );
    assert!(
        error.contains("GATELODGE_KEYS__MASTER_KEY: `keys.master_key` is set"),
        "{error}"
    );
    let without_folder = Overrides {
        data_dir: None,
        ..demo
    };
    assert!(load(&without_folder, [("GATELODGE_SERVER__DATA_DIR", "/real")]).is_err());
}
