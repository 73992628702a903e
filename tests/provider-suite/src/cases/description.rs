use gatelodge_core::{
    ErrorKind,
    model::FactorClass,
    provider::{Entry, Registry, Step},
};
use serde_json::json;

use crate::{
    bench::{configure, provider_id},
    carry::carry,
    stage::{Stage, no_fault},
};

/// A key that no provider knows.
const UNKNOWN_KEY: &str = "suite_unknown_key";

pub(crate) async fn it_describes_itself_the_same_each_time(stage: &Stage) {
    let (mut bench, mut ada) = stage.ready().await;
    let first = carry(&bench.description);
    let rules = carry(&bench.provider.rules());
    for how in stage.ways() {
        bench.go(&mut ada, how).await;
    }
    assert!(
        bench.provider.describe() == first,
        "it describes itself differently after it was used"
    );
    assert!(
        bench.provider.rules() == rules,
        "it tells other rules after it was used"
    );
    let again = configure(&*stage.fixture());
    assert!(
        again.description == first,
        "another instance describes itself differently"
    );
}

pub(crate) async fn the_description_is_consistent(stage: &Stage) {
    let mut registry = Registry::new();
    stage.fixture().register(&mut registry);
    let kinds: Vec<_> = registry.kinds().collect();
    let mut bench = stage.bench();
    let description = bench.description.clone();
    assert_eq!(
        kinds,
        [description.kind.as_str()],
        "the kind it is registered for and the one it describes are the same"
    );
    assert!(is_word(&description.kind, "-_"), "a kind is a short word");
    assert!(
        is_word(&description.amr, "-_."),
        "`amr` is a short word such as those of RFC 8176, not `{}`",
        description.amr
    );
    assert!(
        is_text(&description.label, 50),
        "a label has 1 to 50 characters"
    );
    assert!(
        description.refusal_floor_ms <= 10_000,
        "refusals are held back for at most 10,000 ms"
    );
    assert!(
        description.class != FactorClass::Remembered || !description.second_factor,
        "what only remembers is no second factor"
    );
    assert!(
        description.first_step || !description.finds_tenant,
        "only a first step finds the tenant"
    );
    assert!(
        !description.backup || (description.second_factor && !description.first_step),
        "only a second factor stands in for others, and nothing that starts a sign-in"
    );
    for rule in bench.provider.rules() {
        let texts = rule.breaks.iter().flat_map(|one| [&one.id, &one.text]);
        assert!(
            is_text(&rule.text, 500) && texts.into_iter().all(|text| is_text(text, 500)),
            "a rule and what it falls short of are said in words: {rule:?}"
        );
        assert!(
            rule.key.iter().all(|key| is_word(key, "_")),
            "a rule names the key that sets it: {rule:?}"
        );
    }
    let ways = stage.ways();
    for how in ways.into_iter().filter(|_| description.inline) {
        let ada = bench.ada();
        let flow = bench.flow(&ada, how);
        let turn = no_fault(bench.begin(&flow, Entry::Chosen {}).await, "beginning");
        assert!(
            matches!(turn.step, Step::Prompt { .. } | Step::Challenge { .. }),
            "what is shown inline begins with a form or a challenge, not {:?}",
            turn.step
        );
    }
}

pub(crate) async fn an_unknown_configuration_key_is_refused_by_name(stage: &Stage) {
    let fixture = stage.fixture();
    let mut registry = Registry::new();
    fixture.register(&mut registry);
    let kind = registry.kinds().next().expect("it registers a kind");
    let mut table = fixture.table();
    table.insert(UNKNOWN_KEY.to_owned(), json!(1));
    let Err(error) = registry.configure(provider_id(), kind, table) else {
        panic!("an unknown key in its table is accepted");
    };
    assert_eq!(error.kind(), ErrorKind::Invalid, "an unknown key: {error}");
    assert!(
        error.to_string().contains(UNKNOWN_KEY),
        "the error does not name the unknown key: {error}"
    );
}

/// Whether it has 1 to 64 lower-case letters, digits and `more` characters.
pub(crate) fn is_word(text: &str, more: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
}

/// Whether it has 1 to `most` characters and no control character.
pub(crate) fn is_text(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}
