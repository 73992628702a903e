//! What the tests say they prove, held against the lists; and that this would be noticed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use gatelodge_attacks::coverage::{Coverage, attacks, root, tests_in};

#[test]
fn every_attack_that_applies_is_tried_and_no_label_stands_for_nothing() {
    let coverage = Coverage::of(&root()).unwrap();
    let problems = coverage.problems();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(!coverage.to_string().contains("NOT TRIED YET"));
}

fn problems(text: &str) -> Vec<String> {
    Coverage::from_tests(tests_in("core/tests/x.rs", text)).problems()
}

#[test]
fn an_attack_without_a_test_is_a_problem() {
    let applying = attacks()
        .into_iter()
        .filter(|attack| attack.later.is_none());
    let tests: String = applying
        .map(|attack| format!("#[test]\nfn s{:02}_x() {{}}\n", attack.number))
        .collect();
    assert_eq!(problems(&tests), [] as [String; 0]);
    let without = tests.replace("s44_", "no_");
    assert_eq!(problems(&without), ["S44 applies and no test tries it"]);
}

#[test]
fn a_label_that_stands_for_nothing_is_a_problem() {
    for (test, label) in [
        ("#[test]\nfn s49_x() {}", "S49"),
        ("#[test]\nfn s00_x() {}", "S00"),
        ("#[test]\nfn r21_x() {}", "r21"),
        ("#[test]\nfn t16_x() {}", "T16"),
        ("/// v5.0.0-6.2.13\n#[test]\nfn x() {}", "v5.0.0-6.2.13"),
        ("/// S77: x\n#[test]\nfn x() {}", "S77"),
    ] {
        let found = problems(test).pop().unwrap();
        assert!(found.contains(&format!("names {label},")), "{found}");
    }
}

#[test]
fn a_test_of_what_applies_later_is_a_problem() {
    let found = problems("#[test]\nfn s33_x() {}");
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("S33 has a test")),
        "{found:?}"
    );
}
