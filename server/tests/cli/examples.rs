//! The examples of the repository are good configurations, and every key that their texts
//! name is one.

use std::path::PathBuf;

use crate::installation::{Answer, Installation};

const SERVICES: [&str; 3] = ["google", "microsoft", "github"];

fn folder(service: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("../examples/{service}-sign-in"))
}

fn read(service: &str, file: &str) -> String {
    std::fs::read_to_string(folder(service).join(file)).unwrap()
}

/// What the program says of a configuration, with the secret beside it.
fn check(service: &str, config: &str) -> (Installation, Answer) {
    let installation = Installation::empty();
    std::fs::write(installation.path("gatelodge.toml"), config).unwrap();
    let secret = installation.path(&format!("{service}.secret"));
    std::fs::write(secret, "no-secret-of-anybodys-4711").unwrap();
    let answer = installation.line("config check --config gatelodge.toml");
    (installation, answer)
}

#[test]
fn the_examples_are_good_configurations() {
    for service in SERVICES {
        let (installation, answer) = check(service, &read(service, "gatelodge.toml"));
        let words = answer.done();
        assert!(
            words.starts_with("The configuration is good.\n"),
            "{service}: {words}"
        );
        drop(installation.server());
        let listed = installation
            .line("provider list --config gatelodge.toml")
            .done();
        let callback = format!("comes back to http://localhost:8080/callback/{service}");
        assert!(listed.contains(&callback), "{service}: {listed}");
        let text = read(service, "README.md");
        let address = format!("http://localhost:8080/callback/{service}");
        assert!(
            text.contains(&address),
            "{service}: the address that is to be registered"
        );
    }
}

#[test]
fn without_its_secret_an_example_says_which_file_is_missing() {
    for service in SERVICES {
        let installation = Installation::empty();
        let config = read(service, "gatelodge.toml");
        std::fs::write(installation.path("gatelodge.toml"), config).unwrap();
        let answer = installation.line("config check --config gatelodge.toml");
        assert_eq!(answer.code, 1, "{service}: {answer:?}");
        let file = format!("{service}.secret");
        assert!(answer.errors.contains(&file), "{service}: {answer:?}");
    }
}

/// Pairs of key and value, as they stand in code of a text or behind a comment.
fn pairs(text: &str) -> Vec<String> {
    let code = text.split('`').skip(1).step_by(2).map(str::trim);
    let comments = text.lines().filter_map(|line| line.strip_prefix("# "));
    let is_pair = |piece: &&str| {
        let key = piece.split_once(" = ").map(|(key, _)| key);
        key.is_some_and(|key| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
    };
    let mut pairs: Vec<_> = code
        .chain(comments)
        .filter(is_pair)
        .map(str::to_owned)
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

#[test]
fn every_key_in_the_examples_texts_exists() {
    for service in SERVICES {
        let config = read(service, "gatelodge.toml");
        let mut told = pairs(&read(service, "README.md"));
        told.extend(pairs(&config));
        assert!(!told.is_empty(), "{service}");
        for pair in told {
            let (key, _) = pair.split_once(" = ").unwrap();
            // In place of the one that is there, if there is one.
            let lines = config
                .lines()
                .filter(|line| !line.starts_with(&format!("{key} = ")));
            let lines: Vec<_> = lines.collect();
            let (_, answer) = check(service, &format!("{}\n{pair}\n", lines.join("\n")));
            if answer.code != 0 {
                // A place to be filled in is no value, but its key is known.
                assert!(pair.contains('<'), "{service}, {pair}: {answer:?}");
                assert!(
                    !answer.errors.contains("is not a key"),
                    "{service}, {pair}: {answer:?}"
                );
            }
        }
    }
}
