//! When keys are fetched, and what happens when they cannot be.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gatelodge_verifier::{BoxError, FetchKeys, Refusal, Verifier};
use serde_json::json;

use crate::forge::{AUDIENCE, Forge, ISSUER, KID, NOW, header, payload};

thread_local! {
    /// Each test has a thread, and a clock, of its own.
    static CLOCK: AtomicU64 = const { AtomicU64::new(NOW) };
}

fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(CLOCK.with(|clock| clock.load(Ordering::SeqCst)))
}

fn pass(seconds: u64) {
    CLOCK.with(|clock| clock.fetch_add(seconds, Ordering::SeqCst));
}

fn now() -> u64 {
    CLOCK.with(|clock| clock.load(Ordering::SeqCst))
}

/// A server that publishes keys, counts who asks, and can be gone.
#[derive(Clone)]
struct Server {
    published: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn new(published: String) -> Self {
        Self {
            published: Arc::new(Mutex::new(Some(published))),
            asked: Arc::default(),
        }
    }

    fn publishes(&self, keys: Option<String>) {
        *self.published.lock().unwrap() = keys;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn verifier(&self) -> Verifier<impl FetchKeys + use<>> {
        let server = self.clone();
        let fetch = move || {
            let server = server.clone();
            async move {
                server.asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                let published = server.published.lock().unwrap().clone();
                let body = published.ok_or_else(|| BoxError::from("nobody there"))?;
                Ok(body.into_bytes())
            }
        };
        Verifier::new(ISSUER, AUDIENCE, fetch).with_clock(clock)
    }
}

/// A token of now, by a key of this name.
fn token(forge: &Forge, kid: &str) -> String {
    let mut header = header();
    header["kid"] = json!(kid);
    let mut claims = payload();
    claims["iat"] = json!(now());
    claims["exp"] = json!(now() + 300);
    forge.signed(&header.to_string(), &claims.to_string())
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept_for_five_minutes() {
    let forge = Forge::new();
    let server = Server::new(forge.published());
    let verifier = server.verifier();
    assert_eq!(server.asked(), 0);
    for _ in 0..3 {
        verifier.verify(&token(&forge, KID)).await.unwrap();
    }
    assert_eq!(server.asked(), 1);
    pass(299);
    verifier.verify(&token(&forge, KID)).await.unwrap();
    assert_eq!(server.asked(), 1);
    pass(1);
    verifier.verify(&token(&forge, KID)).await.unwrap();
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn many_that_come_first_wait_for_one_fetch() {
    let forge = Forge::new();
    let server = Server::new(forge.published());
    let verifier = server.verifier();
    let (a, b) = (token(&forge, KID), token(&forge, KID));
    let all = tokio::join!(
        verifier.verify(&a),
        verifier.verify(&b),
        verifier.verify(&a),
        verifier.verify(&b)
    );
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok() && all.3.is_ok());
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_a_minute_at_most() {
    let (forge, next) = (Forge::new(), Forge::of(8));
    let server = Server::new(forge.published());
    let verifier = server.verifier();
    verifier.verify(&token(&forge, KID)).await.unwrap();
    pass(60);
    for _ in 0..20 {
        let refused = verifier.verify(&token(&next, "next")).await.unwrap_err();
        assert!(matches!(refused, Refusal::UnknownKey) && !refused.is_ours());
    }
    assert_eq!(server.asked(), 2);
    // Both keys are published: tokens of both count, and nobody waits.
    let both = json!({"keys": [forge.ed_jwk(KID), next.ed_jwk("next")]});
    server.publishes(Some(both.to_string()));
    pass(59);
    verifier.verify(&token(&next, "next")).await.unwrap_err();
    pass(1);
    verifier.verify(&token(&next, "next")).await.unwrap();
    verifier.verify(&token(&forge, KID)).await.unwrap();
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn a_withdrawn_key_stops_counting_within_five_minutes() {
    let (forge, next) = (Forge::new(), Forge::of(8));
    let server = Server::new(forge.published());
    let verifier = server.verifier();
    verifier.verify(&token(&forge, KID)).await.unwrap();
    server.publishes(Some(json!({"keys": [next.ed_jwk("next")]}).to_string()));
    pass(300);
    let refused = verifier.verify(&token(&forge, KID)).await.unwrap_err();
    assert!(matches!(refused, Refusal::UnknownKey));
    verifier.verify(&token(&next, "next")).await.unwrap();
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_again_count_for_another_hour() {
    let forge = Forge::new();
    let server = Server::new(forge.published());
    let verifier = server.verifier();
    verifier.verify(&token(&forge, KID)).await.unwrap();
    for gone in [None, Some("<html>502</html>".to_owned())] {
        server.publishes(gone);
        pass(1_000);
        verifier.verify(&token(&forge, KID)).await.unwrap();
    }
    pass(1_600);
    let refused = verifier.verify(&token(&forge, KID)).await.unwrap_err();
    assert!(refused.is_ours(), "{refused}");
    server.publishes(Some(forge.published()));
    pass(60);
    verifier.verify(&token(&forge, KID)).await.unwrap();
}

#[tokio::test]
async fn without_any_keys_it_is_not_the_senders_fault() {
    let forge = Forge::new();
    let server = Server::new(forge.published());
    server.publishes(None);
    let verifier = server.verifier();
    for _ in 0..5 {
        let refused = verifier.verify(&token(&forge, KID)).await.unwrap_err();
        assert!(refused.is_ours(), "{refused}");
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nothing_for_longer() {
    let forge = Forge::new();
    let server = Server::new(forge.published());
    let verifier = server.verifier();
    verifier.verify(&token(&forge, KID)).await.unwrap();
    CLOCK.with(|clock| clock.fetch_sub(10_000, Ordering::SeqCst));
    verifier.verify(&token(&forge, KID)).await.unwrap();
    assert_eq!(server.asked(), 2);
}
