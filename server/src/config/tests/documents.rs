//! What lies under `docs/configuration/` says what the code does.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{Folder, load_environment};
use crate::config::{SECTIONS, schema, schema::keys};

fn document(name: &str) -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/configuration"
    ))
    .join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(document(name)).unwrap()
}

/// `GATELODGE_UPDATE_DOCUMENTS=1 cargo test -p gatelodge-server schema` writes it anew.
#[test]
fn the_checked_in_schema_is_the_one_the_code_has() {
    let current = schema();
    if std::env::var_os("GATELODGE_UPDATE_DOCUMENTS").is_some() {
        let text = serde_json::to_string_pretty(&current).unwrap() + "\n";
        fs::write(document("gatelodge.schema.json"), text).unwrap();
    }
    let checked_in: Value = serde_json::from_str(&read("gatelodge.schema.json")).unwrap();
    assert!(
        checked_in == current,
        "docs/configuration/gatelodge.schema.json is stale; see this test on how to renew it"
    );
}

#[test]
fn the_schema_refuses_unknown_keys_in_every_section_that_is_all_ours() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    for section in SECTIONS.iter().filter(|section| **section != "storage") {
        assert_eq!(
            schema["properties"][section]["additionalProperties"], false,
            "{section}"
        );
    }
    assert_eq!(
        schema["properties"].as_object().unwrap().len(),
        SECTIONS.len() + 1
    );
    assert!(!schema.to_string().contains("null"), "TOML has no null");
}

#[test]
fn the_schema_states_the_defaults_that_hold() {
    let (schema, json) = (schema(), load_environment(&[]).unwrap().show_json());
    for key in keys().iter().filter(|key| key.contains('.')) {
        let path = key.replace('.', "/");
        let stated = schema.pointer(&format!(
            "/properties/{}/default",
            path.replace('/', "/properties/")
        ));
        if let Some(stated) = stated {
            assert_eq!(
                json.pointer(&format!("/{path}/value")),
                Some(stated),
                "{key}"
            );
        }
    }
}

#[test]
fn the_example_is_accepted_and_changes_nothing() {
    let folder = Folder::with_config(&read("gatelodge.example.toml"));
    let example = folder.load().unwrap();
    let values = |shown: String| {
        let shown = shown.replace(&format!("{}/", folder.0.path().display()), "");
        shown
            .lines()
            .filter_map(|line| line.split("  # ").next().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        values(example.show()),
        values(load_environment(&[]).unwrap().show())
    );
}

#[test]
fn the_example_is_still_accepted_with_every_comment_opened() {
    let opened: String = read("gatelodge.example.toml")
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("#= ").unwrap_or(line)))
        .collect();
    let folder = Folder::with_config(&opened);
    for file in [
        "url.secret",
        "texts.toml",
        "google.secret",
        "github.secret",
        "mail.secret",
        "sms.secret",
        "ca.pem",
    ] {
        folder.write(file, "postgres://example");
    }
    fs::create_dir(folder.path("templates")).unwrap();
    let loaded = folder.load().unwrap_or_else(|error| panic!("{error}"));
    for key in keys() {
        // Secrets exclude their files, which the example prefers.
        let written = opened
            .lines()
            .any(|line| line.starts_with(&format!("{} = ", key.rsplit('.').next().unwrap())));
        assert!(
            written
                || [
                    "storage.url",
                    "keys.master_key",
                    "mail.password",
                    "sms.secret",
                    "providers"
                ]
                .contains(&key.as_str()),
            "{key} is missing"
        );
    }
    assert!(loaded.config.providers.len() > 1);
}

#[test]
fn the_guide_names_every_key_and_its_default() {
    let guide = read("configuration.md");
    let shown = load_environment(&[]).unwrap().show_json();
    for key in keys().iter().filter(|key| key.contains('.')) {
        let (section, name) = key.split_once('.').unwrap();
        let after = guide
            .split(&format!("\n### `[{section}]`"))
            .nth(1)
            .unwrap_or_else(|| panic!("no section {section}"));
        let row = after
            .split("\n### ")
            .next()
            .unwrap()
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{key} is missing"));
        match &shown[section][name]["value"] {
            Value::Null => assert!(row.contains("| not set |"), "{row}"),
            _ if ["url", "master_key_file"].contains(&name) => {}
            default => assert!(
                row.contains(&format!("| `{}` |", default.to_string().replace('\\', ""))),
                "{row} should say {default}"
            ),
        }
    }
}
