use std::{cell::OnceCell, fs, num::NonZeroUsize, sync::Arc};

use gatelodge_core::{
    Environment,
    archive::{Parser, parse_backup},
    environment::{ManualClock, SeededRandom},
    seal::{KeyRing, MasterKey, SealContext},
};
use gatelodge_provider_password::{HashParams, Hasher, Password, WorkerSettings};
use gatelodge_server::config::{Overrides, Problem, load};
use gatelodge_storage_suite::memory::MemoryStorage;
use jiff::Timestamp;
use tempfile::NamedTempFile;
use tokio::runtime::Runtime;

use super::house::runtime;

/// The text of a backup.
pub fn backup_text(bytes: &[u8]) {
    let whole = parse_backup(bytes);
    if whole.is_ok() {
        let mut parser = Parser::new();
        let lines = bytes.split(|byte| *byte == b'\n');
        let read = lines
            .filter(|line| !line.is_empty())
            .all(|line| parser.line(line).is_ok());
        assert!(
            read && parser.contents().is_ok(),
            "read as a whole and not by line"
        );
    }
}

/// A configuration file.
pub fn configuration(bytes: &[u8]) {
    thread_local! {
        static FILE: OnceCell<NamedTempFile> = const { OnceCell::new() };
    }
    // Reading a secret from a file that never ends is a matter of its own.
    if bytes.windows(5).any(|part| part == b"_file") {
        return;
    }
    FILE.with(|file| {
        let file = file.get_or_init(|| NamedTempFile::new().expect("a temporary file"));
        fs::write(file.path(), bytes).expect("a file to write");
        let overrides = Overrides {
            config: Some(file.path().to_owned()),
            ..Overrides::default()
        };
        match load(&overrides, [] as [(&str, &str); 0]) {
            Ok(loaded) => assert!(!format!("{:?}", loaded.config).is_empty()),
            Err(error) => {
                let is_said = |problem: &Problem| !problem.text.is_empty();
                assert!(!error.problems().is_empty() && error.problems().iter().all(is_said));
            }
        }
    });
}

/// A stored password hash. Whatever it is, comparing costs no more than the limits allow, and matches nothing.
pub fn password_hashes(bytes: &[u8]) {
    thread_local! {
        static HASHER: OnceCell<(Runtime, Hasher)> = const { OnceCell::new() };
    }
    let Ok(stored) = str::from_utf8(bytes) else {
        return;
    };
    HASHER.with(|kept| {
        let (runtime, hasher) = kept.get_or_init(|| (runtime(), hasher()));
        let password = Password::new("quiet harbour lantern 41").expect("a password");
        let compared = runtime.block_on(hasher.verify(password, stored));
        assert!(!compared.expect("an answer").matches, "{stored:?}");
    });
}

fn hasher() -> Hasher {
    let settings = WorkerSettings {
        threads: NonZeroUsize::MIN,
        ..WorkerSettings::default()
    };
    Hasher::start(HashParams::OWASP, settings).expect("a thread")
}

/// Sealed values: the bytes as they are, and as changes (place, mask) of a sealed one. Neither opens.
pub fn sealed_values(bytes: &[u8]) {
    thread_local! {
        static KEYS: OnceCell<KeyRing> = const { OnceCell::new() };
    }
    KEYS.with(|kept| {
        let keys = kept.get_or_init(key_ring);
        let place: [&[u8]; 2] = [b"tenant", b"user"];
        let context = SealContext {
            purpose: "fuzz",
            place: &place,
        };
        assert!(keys.open_sealed(&context, bytes).is_err());
        let _ = KeyRing::check("data_keys", bytes, &MasterKey::new([7; 32]));

        let sealed = keys
            .seal(&context, b"a secret of somebody")
            .expect("sealed");
        assert!(keys.open_sealed(&context, &sealed).is_ok());
        let elsewhere: [&[u8]; 2] = [b"tenantu", b"ser"];
        let elsewhere = SealContext {
            purpose: "fuzz",
            place: &elsewhere,
        };
        assert!(keys.open_sealed(&elsewhere, &sealed).is_err());
        let mut changed = sealed.clone();
        for change in bytes.chunks_exact(2) {
            let place = usize::from(change.first().copied().unwrap_or_default());
            let mask = change.last().copied().unwrap_or_default();
            if let Some(byte) = changed.get_mut(place) {
                *byte ^= mask;
            }
        }
        if bytes.len() % 2 == 1 {
            changed.pop();
        }
        assert_eq!(
            keys.open_sealed(&context, &changed).is_ok(),
            changed == sealed
        );
    });
}

fn key_ring() -> KeyRing {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let environment = Environment::new(clock, SeededRandom::new(1));
    let storage = Arc::new(MemoryStorage::new());
    let opened = KeyRing::open(storage.as_ref(), environment, MasterKey::new([7; 32]));
    runtime().block_on(opened).expect("a key ring")
}
