//! The storage's table: its address is ours, the rest its backend's.

use serde::Deserialize;

use super::{Folder, load_environment};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backend {
    url: String,
    #[serde(default)]
    max_readers: u32,
}

#[test]
fn the_backend_gets_its_address_and_its_own_keys() {
    let folder = Folder::with_config("[storage]\nurl = \"sqlite:a.db\"\nmax_readers = 3\n");
    let storage = folder.load().unwrap().config.storage;
    let url = format!("sqlite:{}", folder.path("a.db").display());
    assert_eq!(
        storage.decode::<Backend>().unwrap(),
        Backend {
            url: url.clone(),
            max_readers: 3
        }
    );
    let table = storage.table().unwrap();
    assert_eq!(
        (table["url"].as_str(), table["max_readers"].as_u64()),
        (Some(url.as_str()), Some(3))
    );
    assert!(!table.contains_key("url_file"));
}

#[test]
fn the_address_is_there_even_when_nothing_is_set_and_when_it_comes_from_a_file() {
    let backend: Backend = load_environment(&[])
        .unwrap()
        .config
        .storage
        .decode()
        .unwrap();
    assert_eq!(backend.url, "sqlite:gatelodge-data/gatelodge.db");
    let folder = Folder::with_config("[storage]\nurl_file = \"url.secret\"\n");
    folder.write("url.secret", "postgres://u:p@h/db\n");
    let backend: Backend = folder.load().unwrap().config.storage.decode().unwrap();
    assert_eq!(backend.url, "postgres://u:p@h/db");
}

#[test]
fn the_backends_keys_can_be_set_in_the_environment() {
    let loaded = load_environment(&[("GATELODGE_STORAGE__MAX_READERS", "5")]).unwrap();
    assert_eq!(
        loaded
            .config
            .storage
            .decode::<Backend>()
            .unwrap()
            .max_readers,
        5
    );
    assert!(
        loaded
            .show()
            .contains("max_readers = 5  # environment variable GATELODGE_STORAGE__MAX_READERS\n")
    );
}

#[test]
fn what_the_backend_refuses_is_told_with_file_line_and_key() {
    let folder = Folder::with_config("[storage]\nulr = \"sqlite:a.db\"\nmax_readers = \"many\"\n");
    let storage = folder.load().unwrap().config.storage;
    let error = folder.without_folder(&storage.decode::<Backend>().unwrap_err());
    assert_eq!(
        error.lines().collect::<Vec<_>>(),
        [
            "file gatelodge.toml, line 3: `storage.max_readers` must be a whole number, not negative, but is text",
            "file gatelodge.toml, line 2: unknown key `ulr` in `storage`; did you mean `url`?",
        ]
    );
    let error = folder.without_folder(&storage.settings.error("max_readers", "must be 1 to 64"));
    assert_eq!(
        error,
        "file gatelodge.toml, line 3: `storage.max_readers` must be 1 to 64"
    );
}
