use std::time::Duration;

use crate::{Fixture, fixture::Make, stage::Stage};

/// Far more than any case takes; a provider that hangs fails instead of
/// stopping the whole run.
const LONGEST: Duration = Duration::from_secs(120);

type Run = fn(Stage) -> std::pin::Pin<Box<dyn Future<Output = ()>>>;

macro_rules! list {
    ([] $($module:ident :: $case:ident),+ $(,)?) => {
        const CASES: &[(&str, Run)] = &[$(
            (stringify!($case), |stage| Box::pin(async move { crate::cases::$module::$case(&stage).await })),
        )+];
    };
}

crate::__each_case!(list []);

/// The names of all cases, in order.
pub fn cases() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(name, _)| *name)
}

/// Runs one case; `make` gives a new fixture each time it is asked.
///
/// # Panics
/// When the provider does not behave, or there is no such case.
pub fn run(case: &str, make: impl Fn() -> Box<dyn Fixture> + 'static) {
    let Some((_, run)) = CASES.iter().find(|(name, _)| *name == case) else {
        panic!("there is no case `{case}`");
    };
    let make: Make = Box::new(make);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime starts");
    let ended =
        runtime.block_on(async { tokio::time::timeout(LONGEST, run(Stage::new(make))).await });
    assert!(ended.is_ok(), "the provider did not answer in {LONGEST:?}");
}
