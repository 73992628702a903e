//! Whole commands that need no database, in one process.

use serde_json::Value;

use super::{run, surroundings::fake::Fake};

fn arguments(line: &[&str]) -> Vec<std::ffi::OsString> {
    std::iter::once("gatelodge")
        .chain(line.iter().copied())
        .map(Into::into)
        .collect()
}

/// Exit code, standard output, standard error.
fn outcome(fake: &Fake, line: &[&str]) -> (u8, String, String) {
    let code = run(&arguments(line), &fake.surroundings());
    (code, fake.output.text(), fake.errors.text())
}

fn plainly(line: &[&str]) -> (u8, String, String) {
    outcome(&Fake::default(), line)
}

#[test]
fn a_good_configuration_is_called_good() {
    let (code, output, errors) = plainly(&["config", "check"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(
        output.starts_with("The configuration is good.\n"),
        "{output}"
    );
    let (_, output, _) = plainly(&["config", "check", "--json"]);
    let document: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(document["valid"], true);
    assert!(document["warnings"].is_array());
}

#[test]
fn a_bad_configuration_is_told_line_by_line() {
    let fake = Fake {
        environment: vec![
            ("GATELODGE_SESSION__IDLE_MINUTES".into(), "soon".into()),
            ("GATELODGE_SESION__X".into(), "1".into()),
        ],
        ..Fake::default()
    };
    let (code, output, errors) = outcome(&fake, &["config", "check"]);
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(errors.lines().count() >= 2, "{errors}");
    assert!(
        errors.lines().all(|line| line.starts_with("error: ")),
        "{errors}"
    );
    assert!(
        errors.contains("GATELODGE_SESSION__IDLE_MINUTES"),
        "{errors}"
    );
}

#[test]
fn a_bad_configuration_is_one_document_for_programs() {
    let fake = Fake {
        environment: vec![("GATELODGE_SESSION__IDLE_MINUTES".into(), "soon".into())],
        ..Fake::default()
    };
    let (code, output, errors) = outcome(&fake, &["--json", "tenant", "list"]);
    assert_eq!((code, output.as_str()), (1, ""));
    let problem: Value = serde_json::from_str(&errors).unwrap();
    assert_eq!(problem["code"], "invalid_configuration");
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .contains("idle_minutes")
    );
}

#[test]
fn an_unknown_provider_is_found_by_the_check() {
    let fake = Fake {
        environment: vec![("GATELODGE_PROVIDERS".into(), "[{kind=\"pasword\"}]".into())],
        ..Fake::default()
    };
    let (code, _, errors) = outcome(&fake, &["config", "check"]);
    assert_eq!(code, 1);
    assert!(errors.contains("`pasword`"), "{errors}");
}

fn with_password_table(keys: &str) -> Fake {
    let table = format!("[{{kind=\"password\",{keys}}}]");
    Fake {
        environment: vec![("GATELODGE_PROVIDERS".into(), table.into())],
        ..Fake::default()
    }
}

#[test]
fn the_check_says_which_requirements_the_rules_fall_short_of() {
    let keys = "profile=\"legacy\",acknowledge_nonconformance=true,maximum_age_days=90";
    let fake = with_password_table(keys);
    let (code, output, errors) = outcome(&fake, &["config", "check"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    for id in ["NIST SP 800-63B-4, 3.1.1.2", "OWASP ASVS 5.0.0, 6.2.10"] {
        let line = format!(
            "warning: environment variable GATELODGE_PROVIDERS: `providers.0.maximum_age_days` \
             falls short of {id}: "
        );
        assert!(output.contains(&line), "{output}");
    }
    let fake = with_password_table(keys);
    let (_, output, _) = outcome(&fake, &["config", "check", "--json"]);
    let document: Value = serde_json::from_str(&output).unwrap();
    let keys = document["warnings"].as_array().unwrap().iter();
    let ours = keys.filter(|warning| warning["key"] == "providers.0.maximum_age_days");
    assert_eq!(ours.count(), 2);
    let fake = with_password_table("minimum_length=20");
    let (_, output, _) = outcome(&fake, &["config", "check"]);
    assert!(
        output.contains("`providers.0` falls short of OWASP ASVS 5.0.0, 6.2.4: "),
        "{output}"
    );
}

#[test]
fn what_breaks_a_standard_unacknowledged_is_no_good_configuration() {
    for (keys, said) in [
        (
            "maximum_age_days=90",
            "cannot be set in the profile `nist`, only in `legacy`",
        ),
        (
            "profile=\"legacy\"",
            "must be `true` for the profile `legacy`",
        ),
    ] {
        let (code, _, errors) = outcome(&with_password_table(keys), &["config", "check"]);
        assert_eq!(code, 1);
        assert!(errors.contains(said), "{errors}");
        assert!(errors.contains("NIST SP 800-63B-4, 3.1.1.2"), "{errors}");
    }
}

#[test]
fn the_configuration_in_force_is_shown() {
    let line = ["config", "show", "--data-dir", "/elsewhere"];
    let (code, output, _) = plainly(&line);
    assert_eq!(code, 0);
    assert!(
        output.contains("data_dir = \"/elsewhere\"  # command line --data-dir\n"),
        "{output}"
    );
    let (_, output, _) = plainly(&["config", "show", "--json"]);
    let document: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(document["session"]["idle_minutes"]["value"], 30);
}

#[test]
fn the_schema_is_a_document() {
    let (code, output, _) = plainly(&["config", "schema"]);
    let document: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(code, 0);
    assert_eq!(document, crate::config::schema());
}

#[test]
fn the_interface_is_described() {
    let (code, output, _) = plainly(&["openapi"]);
    let document: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(code, 0);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let (code, output, errors) = plainly(&["tenant", "crate", "acme"]);
    assert_eq!((code, output.as_str()), (2, ""));
    assert!(errors.starts_with("error: "), "{errors}");
    let (code, _, errors) = plainly(&["tenant", "crate", "acme", "--json"]);
    let problem: Value = serde_json::from_str(&errors).unwrap();
    assert_eq!((code, problem["code"].as_str()), (2, Some("usage")));
    let (code, _, errors) = plainly(&["tenant", "--json"]);
    let problem: Value = serde_json::from_str(&errors).unwrap();
    assert_eq!(code, 2);
    assert_eq!(
        problem["message"],
        "a command is missing; `--help` shows those there are"
    );
}

/// S47: what somebody else chose as a name and a script passes on is shown, not obeyed.
#[test]
fn s47_a_refused_name_is_not_obeyed_by_the_terminal() {
    let (code, _, errors) = plainly(&["tenant", "create", "a\u{1b}[2Jb"]);
    assert_eq!(code, 2);
    assert!(!errors.contains('\u{1b}'), "{errors:?}");
    assert!(errors.contains("cannot contain control"), "{errors}");
}

#[test]
fn a_demo_does_not_take_a_folder() {
    let (code, _, errors) = plainly(&["serve", "--demo", "--data-dir", "/precious"]);
    assert_eq!(code, 2);
    assert!(errors.contains("throw-away folder of its own"), "{errors}");
}

#[test]
fn a_missing_database_is_told_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("none");
    let line = ["tenant", "list", "--data-dir", data.to_str().unwrap()];
    let (code, output, errors) = plainly(&line);
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(
        errors.starts_with("error: there is no database at "),
        "{errors}"
    );
    assert_eq!(errors.lines().count(), 1);
    assert!(!data.exists());
}
