use gatelodge_architecture::{Allowance, Rule, Violation, settle};

const REASON: &str = "the generated table reads best in one piece";

fn long_file() -> Violation {
    Violation::new(Rule::FileLength, "core/src/a.rs", "700 lines", "split it")
}

fn allowance(rule: Rule, place: &'static str, reason: &'static str) -> Allowance {
    Allowance {
        rule,
        place,
        reason,
    }
}

#[test]
fn an_allowed_violation_is_taken_out() {
    let allowances = [allowance(Rule::FileLength, "core/src/a.rs", REASON)];
    assert_eq!(settle(vec![long_file()], &allowances), []);
}

#[test]
fn an_allowance_covers_only_its_own_rule_and_place() {
    let allowances = [
        allowance(Rule::FileLength, "core/src/b.rs", REASON),
        allowance(Rule::FunctionLength, "core/src/a.rs", REASON),
    ];
    let left = settle(vec![long_file()], &allowances);
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(left[0], long_file());
}

#[test]
fn a_stale_allowance_fails() {
    let allowances = [allowance(Rule::FileLength, "core/src/a.rs", REASON)];
    let left = settle(Vec::new(), &allowances);
    assert_eq!(left[0].rule, Rule::StaleAllowance);
    assert!(left[0].remedy.contains("remove the allowance"));
}

#[test]
fn an_allowance_without_a_reason_fails() {
    let allowances = [allowance(Rule::FileLength, "core/src/a.rs", "todo")];
    let left = settle(vec![long_file()], &allowances);
    assert_eq!(left[0].rule, Rule::StaleAllowance);
}

#[test]
fn a_violation_says_where_what_and_what_to_do() {
    let text = long_file().to_string();
    for part in [
        "FileLength",
        "core/src/a.rs",
        "700 lines",
        "to do: split it",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
