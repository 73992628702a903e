//! What an operator gets to read when something is not right.

use std::{fs, process::Stdio};

use crate::installation::Installation;

#[test]
fn a_command_line_that_is_not_understood_is_a_usage_error() {
    let installation = Installation::empty();
    for line in [
        "tenants",
        "tenant list --serch x",
        "user list",
        "user lock -t acme ada --for 2x",
        "user lock -t acme ada --for soon",
        "user lock -t acme ada --until tomorrow",
        "user grant -t acme ada king",
        "tenant create a/b",
        "serve --demo --data-dir elsewhere",
    ] {
        let answer = installation.line(line);
        assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{line}");
        assert!(
            answer.errors.starts_with("error: "),
            "{line}: {}",
            answer.errors
        );
        let problem = installation.line(&format!("{line} --json")).problem(2);
        assert_eq!(problem["code"], "usage", "{line}");
        assert!(!problem["message"].as_str().unwrap().is_empty(), "{line}");
    }
    assert!(
        fs::read_dir(installation.path(""))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn a_bad_span_is_answered_with_a_good_one() {
    let answer = Installation::empty().line("user lock -t acme ada --for 2x");
    assert!(answer.errors.contains("`1d12h`"), "{}", answer.errors);
}

#[test]
fn a_missing_database_is_told_and_not_made() {
    let installation = Installation::empty();
    for line in ["tenant list", "tenant create acme", "user list -t acme"] {
        let message = installation.line(line).refused(1);
        assert!(message.starts_with("there is no database at "), "{message}");
        assert!(message.contains("gatelodge serve"), "{message}");
    }
    assert!(!installation.path("gatelodge-data").exists());
}

#[test]
fn a_bad_configuration_names_file_line_and_key() {
    let installation = Installation::empty();
    fs::write(
        installation.path("bad.toml"),
        "[server]\nlisten = \"everywhere\"\n[session]\nidle_minutes = 0\nidel = 1\n",
    )
    .unwrap();
    for line in ["config check", "config show", "tenant list", "serve"] {
        let answer = installation.line(&format!("{line} --config bad.toml"));
        assert_eq!((answer.code, answer.output.as_str()), (1, ""), "{line}");
        assert!(
            answer.errors.starts_with("error: file bad.toml, line "),
            "{}",
            answer.errors
        );
    }
    let problem = installation
        .line("config check --config none.toml --json")
        .problem(1);
    assert_eq!(problem["code"], "invalid_configuration");
    assert!(problem["message"].as_str().unwrap().contains("none.toml"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let installation = Installation::empty();
    let mut child = installation
        .command(&["config", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Installation::empty()
        .command(&["config", "schema"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.starts_with("error: the output cannot be written: "),
        "{errors}"
    );
}

#[test]
fn help_and_version_are_answers() {
    let installation = Installation::empty();
    let help = installation.line("--help").done();
    for command in ["serve", "config", "tenant", "user", "openapi"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
    let version = installation.line("--version").done();
    assert_eq!(
        version,
        format!("gatelodge {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = installation.line("user create --help").done();
    assert!(help.contains("--password-stdin"), "{help}");
}

#[test]
fn the_configuration_and_the_interface_are_printed() {
    let installation = Installation::empty();
    let shown = installation
        .line("config show --data-dir /elsewhere")
        .done();
    assert!(
        shown.contains("data_dir = \"/elsewhere\"  # command line --data-dir\n"),
        "{shown}"
    );
    assert_eq!(installation.json("config check")["valid"], true);
    assert!(installation.json("config schema")["properties"].is_object());
    assert!(installation.json("openapi")["paths"].is_object());
}
