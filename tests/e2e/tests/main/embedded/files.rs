//! Where the files of the embedded database lie, and configurations that name them.

use std::{fs, os::unix::fs::PermissionsExt as _};

use gatelodge_e2e::{
    browser::Browser,
    place::{Finished, Place, Start},
};

use crate::refusals::{assert_in_words, refused};

async fn refused_configuration(text: &str, said: &[&str]) -> Finished {
    let place = Place::embedded().configured(text);
    refused(&place, Start::default(), said).await
}

#[tokio::test]
async fn without_any_configuration_data_lies_beside_the_caller_and_belongs_to_the_owner_alone() {
    let place = Place::embedded();
    let bare = Start {
        bare: true,
        ..Start::with(&["--listen", "127.0.0.1:0"])
    };
    let server = place.serve_with(bare).await;
    let folder = place.root().join("gatelodge-data");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["gatelodge.db", "master.key"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn the_demo_says_how_to_sign_in_and_leaves_nothing_behind() {
    let place = Place::embedded();
    let demo = Start {
        bare: true,
        ..Start::with(&["--demo", "--listen", "127.0.0.1:0"])
    };
    let mut server = place.serve_with(demo).await;
    let last_word = |line: String| line.split_whitespace().last().unwrap().to_owned();
    let address = last_word(server.line_with("address").await);
    let user = last_word(server.line_with("user").await);
    let password = last_word(server.line_with("password").await);
    let left = || std::fs::read_dir(place.temporary()).unwrap().count();
    assert_eq!(left(), 1, "the sample data is in one folder");

    let browser = Browser::open(&server).await;
    browser.goto_address(&address).await;
    browser.fill("user_name", &user).await;
    browser.fill("password", &password).await;
    browser.send_form_of("password").await;
    browser.arrives_at("/account").await;
    browser.press_named("Organisations").await;
    browser.reads("Harbour Works").await;
    browser.close().await;

    assert!(server.stop().await.success());
    assert_eq!(left(), 0, "the sample data is still there");
    let files: Vec<_> = place.files().into_keys().collect();
    assert_eq!(files, [place.temporary()]);
}

#[tokio::test]
async fn s40_an_unknown_kind_of_provider_or_backend_is_named() {
    refused_configuration("[[providers]]\nkind = \"pasword\"\n", &["pasword"]).await;
    refused_configuration("[storage]\nurl = \"mysql:x\"\n", &["mysql"]).await;
}

#[tokio::test]
async fn s40_a_secret_that_cannot_be_read_is_named_by_key_and_file() {
    let text = "[storage]\nurl_file = \"nowhere.url\"\n";
    refused_configuration(text, &["gatelodge.toml", "storage.url_file", "nowhere.url"]).await;
    let text = "[keys]\nmaster_key_file = \"tmp\"\n";
    refused_configuration(text, &["tmp"]).await;

    let place = Place::embedded().configured("[keys]\nmaster_key_file = \"open.key\"\n");
    let key = place.root().join("open.key");
    fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o666)).unwrap();
    refused(
        &place,
        Start::default(),
        &["keys.master_key_file", "open.key", "chmod 600"],
    )
    .await;

    let short = refused_configuration(
        "[keys]\nmaster_key = \"hunter2hunter2\"\n",
        &["keys.master_key"],
    )
    .await;
    assert!(
        !short.stderr.contains("hunter2"),
        "a secret is repeated: {short:?}"
    );
}

#[tokio::test]
async fn an_impossible_data_folder_is_named() {
    let place = Place::embedded();
    fs::write(place.data(), "a file").unwrap();
    refused(&place, Start::default(), &[place.data().to_str().unwrap()]).await;
    // Not even the superuser makes files here.
    let nowhere = Start {
        bare: true,
        ..Start::with(&["--listen", "127.0.0.1:0", "--data-dir", "/proc/gatelodge"])
    };
    let finished = Place::embedded().refused(nowhere).await;
    assert_in_words(&finished, &["/proc/gatelodge"]);
}
