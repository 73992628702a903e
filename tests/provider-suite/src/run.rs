use std::time::Duration;

use gatelodge_core::provider::{ProviderTable, Registry};

use crate::{Fixture, fixture::Make, silent::Desk, stage::Stage};

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

type RunSilent = fn(Desk) -> std::pin::Pin<Box<dyn Future<Output = ()>>>;

macro_rules! silent_list {
    ([] $($case:ident),+ $(,)?) => {
        const SILENT_CASES: &[(&str, RunSilent)] = &[$(
            (stringify!($case), |desk| Box::pin(crate::cases::silent::$case(desk))),
        )+];
    };
}

crate::__each_silent_case!(silent_list []);

/// The names of the cases of providers that keep people signed in, in order.
pub fn silent_cases() -> impl Iterator<Item = &'static str> {
    SILENT_CASES.iter().map(|(name, _)| *name)
}

/// Runs one of those cases, with the provider's table in the configuration.
///
/// # Panics
/// When the provider does not behave, or there is no such case.
pub fn run_silent(case: &str, register: fn(&mut Registry), table: ProviderTable) {
    let Some((_, run)) = SILENT_CASES.iter().find(|(name, _)| *name == case) else {
        panic!("there is no case `{case}`");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime starts");
    let ended = runtime
        .block_on(async { tokio::time::timeout(LONGEST, run(Desk::new(register, table))).await });
    assert!(ended.is_ok(), "the provider did not answer in {LONGEST:?}");
}
