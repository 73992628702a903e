//! A model of the sign-in beside the real one, and random interleavings of two
//! flows, two browsers and two people: the model says what each answer leads
//! to, and a session appears only when the model has seen every demanded proof.

mod acts;
mod expected;
mod run;

use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

/// S03, S12, S13: no order or subset of steps gives a session without every
/// demanded proof and duty, given in that flow, by that browser, for that user.
#[test]
fn s03_s12_s13_no_interleaving_of_steps_gives_a_session_too_early() {
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    // The same cases each time; `PROPTEST_CASES` asks for more of them.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let sessions = std::cell::Cell::new(0);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&vec(acts::act(), 1..40), |acts| {
        let made = runtime.block_on(run::run(&acts));
        sessions.set(sessions.get() + made.map_err(TestCaseError::fail)?);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        sessions.get() > 50,
        "the cases reach sessions: {sessions:?}"
    );
}
