//! The program itself, for a few seconds: that it measures everything, and that nothing goes wrong on the way. How fast it
//! was is of no interest here.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

#[test]
fn a_short_run_measures_everything_without_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let (json, svg) = (
        folder.path().join("run.json"),
        folder.path().join("run.svg"),
    );
    let run = Command::new(env!("CARGO_BIN_EXE_gatelodge-load"))
        .args(["--quick", "--storage", "sqlite", "--json"])
        .arg(&json)
        .arg("--svg")
        .arg(&svg)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{errors}");

    let run: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(run["faults"], serde_json::json!([]));
    let measured: BTreeSet<_> = run["series"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|series| {
            let values = series["values"].as_array().unwrap();
            let are_figures = values.iter().all(|value| value.as_f64().is_some());
            assert!(are_figures, "{series}");
        })
        .map(|series| series["measure"].as_str().unwrap())
        .collect();
    for measure in [
        "start",
        "rest",
        "bare",
        "check",
        "cold",
        "users-page",
        "tenants-page",
        "access-token",
        "forward-auth",
        "argon2id",
        "sign-in",
        "calm-check-p99",
        "flood-check-p99",
        "flood-refused",
        "flood-peak",
        "after",
        "area",
    ] {
        assert!(
            measured.contains(measure),
            "{measure} is not in {measured:?}"
        );
    }
    let picture = std::fs::read_to_string(svg).unwrap();
    assert!(picture.contains("prefers-color-scheme: dark") && picture.contains("<rect"));
}
