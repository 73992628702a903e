//! R11, the everyday size: what the fuzz targets began with and what they found goes through every door again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeSet, fs, path::PathBuf};

use gatelodge_attacks::{
    coverage::root,
    doors::{DOORS, Door},
};

fn corpus() -> PathBuf {
    root().join("fuzz/corpus")
}

fn names_in(folder: PathBuf) -> BTreeSet<String> {
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// Sends each file of a corpus through its door, and a few shapes that no corpus needs to hold.
fn replay(name: &str, door: Door) {
    let folder = corpus().join(name);
    let files = names_in(folder.clone());
    assert!(!files.is_empty(), "the corpus of `{name}` is empty");
    for file in files {
        let bytes = fs::read(folder.join(&file)).unwrap();
        let passed = std::panic::catch_unwind(|| door(&bytes));
        assert!(passed.is_ok(), "fuzz/corpus/{name}/{file}");
    }
    for bytes in [&b""[..], b"\0", b"\xff", b"\n\n\n", &[b'a'; 5_000]] {
        door(bytes);
    }
}

macro_rules! replays {
    ($($test:ident: $name:literal),+ $(,)?) => {
        const REPLAYED: &[&str] = &[$($name),+];
        $(
            #[test]
            fn $test() {
                let (_, door) = DOORS.iter().find(|(name, _)| *name == $name).unwrap();
                replay($name, *door);
            }
        )+
    };
}

replays!(
    r11_access_tokens: "access_tokens",
    r11_addresses: "addresses",
    r11_applications: "applications",
    r11_backup_text: "backup_text",
    r11_bodies: "bodies",
    r11_configuration: "configuration",
    r11_cookies: "cookies",
    r11_cursors: "cursors",
    r11_names: "names",
    r11_one_time_codes: "one_time_codes",
    r11_openid_answers: "openid_answers",
    r11_password_hashes: "password_hashes",
    r11_recovery_codes: "recovery_codes",
    r11_requests: "requests",
    r11_return_to: "return_to",
    r11_sealed_values: "sealed_values",
    r11_services: "services",
    r11_tokens: "tokens",
);

#[test]
fn r11_every_door_has_a_target_and_a_corpus_and_is_replayed() {
    let doors: BTreeSet<_> = DOORS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in(corpus()), doors);
    assert_eq!(
        REPLAYED
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>(),
        doors
    );
    let targets = names_in(root().join("fuzz/fuzz_targets"));
    let expected = doors.iter().map(|name| format!("{name}.rs"));
    assert_eq!(targets, expected.collect());
}

#[test]
fn the_corpora_stay_small() {
    let files = DOORS.iter().flat_map(|(name, _)| {
        let folder = corpus().join(name);
        names_in(folder.clone())
            .into_iter()
            .map(move |file| folder.join(file))
    });
    let bytes: u64 = files.map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes < 200_000, "{bytes} bytes");
}
