//! Secrets come from files, and go nowhere.

use super::{Folder, load_environment};

const URL_FILE: &str = "[storage]\nurl_file = \"url.secret\"\n";

#[test]
fn a_secret_is_read_from_the_file_beside_the_configuration() {
    let folder = Folder::with_config(URL_FILE);
    folder.write("url.secret", "postgres://u:hunter2@h/db\r\n");
    let loaded = folder.load().unwrap();
    assert_eq!(
        loaded.config.storage.url.as_ref().unwrap().expose(),
        "postgres://u:hunter2@h/db"
    );
    assert!(loaded.warnings().is_empty());
}

#[test]
fn a_secret_file_that_is_missing_is_refused_with_key_file_and_reason() {
    let refusal = Folder::with_config(URL_FILE).refusal();
    let expected = "file gatelodge.toml, line 2: `storage.url_file` names a file that cannot be read, `url.secret`: No such file";
    assert!(refusal.starts_with(expected), "{refusal}");
}

#[test]
fn a_folder_in_place_of_a_secret_file_is_refused() {
    let folder = Folder::with_config(URL_FILE);
    std::fs::create_dir(folder.path("url.secret")).unwrap();
    let refusal = folder.refusal();
    assert!(
        refusal.contains("`storage.url_file` names a file that cannot be read, `url.secret`: "),
        "{refusal}"
    );
}

#[test]
fn an_empty_an_oversized_and_a_meaningless_secret_file_are_refused() {
    let folder = Folder::with_config(URL_FILE);
    folder.write("url.secret", "\n");
    assert_eq!(
        folder.refusal(),
        "file gatelodge.toml, line 2: `storage.url_file` names an empty file, `url.secret`"
    );
    folder.write("url.secret", &"x".repeat(70_000));
    assert!(
        folder
            .refusal()
            .ends_with("`url.secret`: it is larger than 64 KiB"),
        "{}",
        folder.refusal()
    );
    folder.write("url.secret", "hunter2");
    let refusal = folder.refusal();
    assert!(
        refusal.ends_with("names a file that holds no address of a database, `url.secret`"),
        "{refusal}"
    );
}

#[cfg(unix)]
#[test]
fn a_secret_file_that_others_may_read_is_a_warning_in_words() {
    for mode in [0o640, 0o604, 0o444] {
        let folder = Folder::with_config(URL_FILE);
        folder.write("url.secret", "postgres://u:hunter2@h/db");
        folder.set_mode("url.secret", mode);
        let loaded = folder.load().unwrap();
        let warning = loaded.warnings()[0].to_string();
        assert!(
            warning
                .contains("`storage.url_file` names a file that others than its owner may read, `"),
            "{warning}"
        );
        assert!(warning.contains("chmod 600"), "{warning}");
        assert!(!warning.contains("hunter2"), "{warning}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_file_that_others_may_write_is_refused() {
    for mode in [0o620, 0o602] {
        let folder = Folder::with_config(URL_FILE);
        folder.write("url.secret", "postgres://u:hunter2@h/db");
        folder.set_mode("url.secret", mode);
        let refusal = folder.refusal();
        let expected = "file gatelodge.toml, line 2: `storage.url_file` names a file that others than its owner may write, `url.secret`; ";
        assert!(refusal.starts_with(expected), "{refusal}");
    }
}

#[cfg(unix)]
#[test]
fn a_master_key_that_others_may_write_is_refused_and_one_that_is_not_there_yet_is_not() {
    let folder = Folder::with_config("[keys]\nmaster_key_file = \"master.key\"\n");
    assert!(folder.load().is_ok());
    folder.write("master.key", "key");
    assert!(folder.load().unwrap().warnings().is_empty());
    folder.set_mode("master.key", 0o666);
    assert!(
        folder
            .refusal()
            .contains("`keys.master_key_file` names a file that others than its owner may write")
    );
}

#[test]
fn a_secret_and_its_file_cannot_both_be_set() {
    let folder = Folder::with_config(&format!(
        "{URL_FILE}url = \"postgres://u:hunter2@h/db\"\n[keys]\nmaster_key = \"hunter2\"\nmaster_key_file = \"k\"\n"
    ));
    assert_eq!(
        folder.refusal().lines().collect::<Vec<_>>(),
        [
            "file gatelodge.toml, line 3: `storage.url` and `url_file` are both set; keep one of them",
            "file gatelodge.toml, line 5: `keys.master_key` and `master_key_file` are both set; keep one of them",
        ]
    );
}

#[test]
fn debug_output_holds_no_secret() {
    let folder = Folder::with_config(
        "[storage]\nurl = \"postgres://u:hunter2@h/db?password=hunter2\"\n[keys]\nmaster_key = \"hunter2\"\n\
         [[providers]]\nkind = \"password\"\nwhatever = \"hunter2\"\nnested = { deep = \"hunter2\" }\n",
    );
    let loaded = folder.load().unwrap();
    let debug = format!(
        "{loaded:?} {:#?} {:?}",
        loaded.config, loaded.config.providers[0]
    );
    assert!(!debug.contains("hunter2"), "{debug}");
    assert!(
        debug.contains("h/db") && debug.contains("whatever"),
        "{debug}"
    );
    let json = serde_json::to_string(&loaded.config.storage).unwrap()
        + &serde_json::to_string(&loaded.config.keys).unwrap();
    assert!(!json.contains("hunter2"), "{json}");
}

#[test]
fn no_error_repeats_a_secret() {
    for (variable, value) in [
        ("GATELODGE_STORAGE__URL", "hunter2"),
        (
            "GATELODGE_SERVER__ORIGIN",
            "https://u:hunter2@id.example.org",
        ),
        (
            "GATELODGE_SERVER__ORIGIN",
            "https://id.example.org/?hunter2",
        ),
        ("GATELODGE_KEYS", "hunter2"),
        ("GATELODGE_SESSION__IDLE_MINUTES", "hunter2"),
        ("GATELODGE_REGISTRATION__REQUIRED", "hunter2"),
        ("GATELODGE_LOG__FORMAT", "hunter2"),
        ("GATELODGE_LOG__FILTER", "hunter2=hunter2=hunter2"),
    ] {
        let error = load_environment(&[(variable, value)]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
