//! The pool of hashing threads beside the hash alone: what queue, threads and wiping cost. One thread, so that one is the
//! other and nothing more.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may panic")]

use std::num::NonZeroUsize;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use criterion::{Criterion, criterion_group, criterion_main};
use gatelodge_provider_password::{HashParams, Hasher, Password, WorkerSettings};
use tokio::runtime::Builder;

const SALT: [u8; 16] = *b"sixteen bytes!!!";
const WORDS: &str = "correct horse battery";

fn hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hash");
    group.sample_size(50);

    let params = Params::new(19_456, 2, 1, Some(32)).unwrap();
    let mut blocks = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = [0; 32];
    group.bench_function("argon2id alone", |bencher| {
        bencher.iter(|| {
            argon2
                .hash_password_into_with_memory(WORDS.as_bytes(), &SALT, &mut output, &mut blocks)
                .unwrap();
            output
        });
    });

    let settings = WorkerSettings {
        threads: NonZeroUsize::MIN,
        ..WorkerSettings::default()
    };
    let hasher = Hasher::start(HashParams::OWASP, settings).unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let stored = runtime
        .block_on(hasher.hash(Password::new(WORDS).unwrap(), SALT))
        .unwrap();
    group.bench_function("verify in the pool", |bencher| {
        bencher.iter(|| {
            let password = Password::new(WORDS).unwrap();
            runtime.block_on(hasher.verify(password, &stored)).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, hash);
criterion_main!(benches);
