//! What cannot start says why, in words, and leaves everything as it was.

use std::{fs, net::TcpListener};

use gatelodge_e2e::place::{Finished, Place, Start};

/// Checks that the server does not start, says all of this, and changed nothing.
pub(crate) async fn refused(place: &Place, start: Start, said: &[&str]) -> Finished {
    let before = place.files();
    let finished = place.refused(start).await;
    assert_in_words(&finished, said);
    let after = place.files();
    let new: Vec<_> = after
        .iter()
        .filter(|entry| before.get(entry.0) != Some(entry.1))
        .map(|(path, _)| path)
        .collect();
    assert!(
        new.is_empty(),
        "left behind or changed: {new:?} by {finished:?}"
    );
    assert_eq!(after.len(), before.len(), "something was removed");
    finished
}

pub(crate) fn assert_in_words(finished: &Finished, said: &[&str]) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_eq!(finished.stdout, "", "{finished:?}");
    for part in said {
        assert!(
            finished.stderr.contains(part),
            "`{part}` is not said: {finished:?}"
        );
    }
    let last = finished.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: "), "{finished:?}");
    for unworded in ["panicked", "Error {", "Err(", "src/", "None"] {
        assert!(!finished.stderr.contains(unworded), "{finished:?}");
    }
}

async fn refused_configuration(text: &str, said: &[&str]) -> Finished {
    let place = Place::with_config(text);
    refused(&place, Start::default(), said).await
}

/// S40: a broken configuration is no start.
#[tokio::test]
async fn s40_an_unknown_key_is_named_with_file_and_line() {
    let said = ["gatelodge.toml", "line 3", "`lisen`", "`listen`"];
    refused_configuration("[server]\n\nlisen = \"127.0.0.1:1\"\n", &said).await;
    refused_configuration("[sever]\n", &["gatelodge.toml", "`sever`"]).await;
    refused_configuration("[storage]\nmax_reader = 3\n", &["max_reader"]).await;
}

#[tokio::test]
async fn s40_a_wrong_type_is_named_with_what_was_expected() {
    let text = "[session]\nidle_minutes = \"hunter2\"\n[metrics]\nenabled = 1\n";
    let finished = refused_configuration(
        text,
        &[
            "gatelodge.toml",
            "line 2",
            "`session.idle_minutes`",
            "whole number",
            "`metrics.enabled`",
        ],
    )
    .await;
    assert!(
        !finished.stderr.contains("hunter2"),
        "a value is repeated: {finished:?}"
    );
    refused_configuration("[server\n", &["gatelodge.toml", "line 1"]).await;
}

#[tokio::test]
async fn s40_plain_http_for_others_needs_a_trusted_proxy() {
    let said = ["server.listen", "server.origin", "0.0.0.0"];
    refused(
        &Place::new(),
        Start::with(&["--listen", "0.0.0.0:0"]),
        &said,
    )
    .await;
    let text = "[server]\norigin = \"http://id.example.org\"\n";
    refused_configuration(
        text,
        &[
            "gatelodge.toml",
            "server.origin",
            "plain http",
            "trusted_proxies",
        ],
    )
    .await;
    let text = "[server]\norigin = \"http://localhost:8080\"\n";
    let place = Place::with_config(text);
    refused(
        &place,
        Start::with(&["--listen", "0.0.0.0:0"]),
        &["server.listen", "trusted_proxies"],
    )
    .await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = [address.as_str(), "server.listen", "in use"];
    refused(&Place::new(), Start::with(&["--listen", &address]), &said).await;

    let text = format!("[metrics]\nenabled = true\nlisten = \"{address}\"\n");
    refused_configuration(&text, &[&address, "metrics.listen", "in use"]).await;
}

#[tokio::test]
async fn a_template_or_text_that_cannot_be_used_is_named() {
    let place = Place::with_config("[pages]\ntexts_file = \"texts.toml\"\n");
    fs::write(
        place.root().join("texts.toml"),
        "\"flow.nothing\" = \"x\"\n",
    )
    .unwrap();
    refused(&place, Start::default(), &["flow.nothing"]).await;

    let place = Place::with_config("[pages]\ntemplate_dir = \"templates\"\n");
    let folder = place.root().join("templates");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("flow.html"), "{% if %}\n").unwrap();
    refused(&place, Start::default(), &["flow.html", "line 1"]).await;
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_answered_with_exit_code_2() {
    let place = Place::new();
    let before = place.files();
    for arguments in [&["--lisen", "x"][..], &["--demo"]] {
        // `--demo` has a folder of its own and takes none.
        let finished = place.refused(Start::with(arguments)).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stderr.contains(arguments[0]), "{finished:?}");
    }
    let wrong = place.refused(Start::with(&["--listen", "nonsense"])).await;
    assert!(matches!(wrong.code, Some(1 | 2)), "{wrong:?}");
    assert!(wrong.stderr.contains("listen"), "{wrong:?}");
    assert_eq!(place.files(), before);
}

/// `config check` says the same without starting anything.
#[tokio::test]
async fn what_keeps_the_server_from_starting_is_also_what_config_check_says() {
    let place = Place::with_config("[server]\nlisen = 1\n");
    let finished = place.run(&["config", "check"]).await;
    assert_in_words(&finished, &["gatelodge.toml", "`lisen`"]);
    place.configure("[session]\nidle_minutes = 5\n");
    place.run(&["config", "check"]).await.succeeded();
    assert!(!place.data().exists());
}
