//! A session check from memory, and one step of a sign-in, on a storage in memory and with the scripted providers of the
//! tests: what the engine itself costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unused_imports,
    reason = "a bench may panic, and takes from the tests what it needs"
)]

#[path = "../tests/providers/mod.rs"]
mod providers;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};

use support::{Browser, World};

const WORD: &str = "ada's word";

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// A browser that is about to say the word.
async fn at_the_door() -> (World, Browser) {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", WORD).await;
    let browser = Browser::at_tenant(&world, &acme).await;
    (world, browser)
}

fn session_check(criterion: &mut Criterion) {
    let runtime = runtime();
    let (world, mut browser) = runtime.block_on(at_the_door());
    let token = runtime.block_on(async {
        browser.word(&world, "ada", WORD).await.unwrap();
        let followed = world.platform.clone();
        tokio::spawn(async move { followed.follow_changes().await });
        // Until the feed has confirmed for the first time. The platform's own clock stands still, so that holds.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let token = browser.token().unwrap().clone();
        assert!(world.check(&token).await.is_some());
        token
    });
    criterion.bench_function("session check from memory", |bencher| {
        let sessions = world.platform.sessions();
        bencher.iter(|| {
            let checked = sessions.check(black_box(&token)).now_or_never();
            checked.expect("memory answers at once").unwrap().unwrap()
        });
    });
}

fn flow_step(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("flow");
    group.sample_size(50);
    group.bench_function("the step that signs in", |bencher| {
        bencher.iter_batched(
            || runtime.block_on(at_the_door()),
            |(world, mut browser)| {
                runtime.block_on(browser.word(&world, "ada", WORD)).unwrap();
                (world, browser)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, session_check, flow_step);
criterion_main!(benches);
