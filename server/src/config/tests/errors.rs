//! What is wrong is said in words: where, which key, what was expected.

use super::{Folder, load, load_environment};
use crate::config::{Overrides, Place};

/// What is said of this file.
fn refusal(text: &str) -> String {
    Folder::with_config(text).refusal()
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_key_that_was_meant() {
    assert_eq!(
        refusal("[server]\n\nlisen = \"127.0.0.1:1\"\n"),
        "file gatelodge.toml, line 3: unknown key `lisen` in `server`; did you mean `listen`?"
    );
}

#[test]
fn an_unknown_section_is_refused() {
    assert_eq!(
        refusal("[sever]\n"),
        "file gatelodge.toml, line 1: unknown key `sever`; did you mean `server`?"
    );
}

#[test]
fn a_key_of_another_section_is_pointed_to() {
    assert_eq!(
        refusal("idle_minutes = 5\n"),
        "file gatelodge.toml, line 1: unknown key `idle_minutes`; did you mean `session.idle_minutes`?"
    );
}

#[test]
fn an_unknown_key_that_resembles_none_is_answered_with_the_known_ones() {
    assert_eq!(
        refusal("[keys]\nzebra = 1\n"),
        "file gatelodge.toml, line 2: unknown key `zebra` in `keys`; known are `master_key`, `master_key_file`"
    );
}

#[test]
fn a_wrong_type_is_refused_with_what_was_expected_and_not_with_the_value() {
    for (text, expected) in [
        (
            "[session]\nidle_minutes = \"hunter2\"",
            "`session.idle_minutes` must be a whole number from 1 to 43200, but is text",
        ),
        (
            "[session]\nidle_minutes = 1.5",
            "`session.idle_minutes` must be a whole number from 1 to 43200, but is a number with a fraction",
        ),
        (
            "[session]\nidle_minutes = -4",
            "`session.idle_minutes` must be a whole number from 1 to 43200",
        ),
        (
            "[server]\nlisten = 8080",
            "`server.listen` must be text such as `127.0.0.1:8080`, but is a whole number",
        ),
        (
            "[server]\nlisten = \"hunter2\"",
            "`server.listen` must be written like `127.0.0.1:8080`",
        ),
        (
            "[server]\ntrusted_proxies = \"10.0.0.1\"",
            "`server.trusted_proxies` must be a list such as `[\"127.0.0.1/32\",\"10.0.0.0/8\"]`, but is text",
        ),
        (
            "[metrics]\nenabled = \"yes\"",
            "`metrics.enabled` must be `true` or `false`, but is text",
        ),
        (
            "[storage]\nurl = true",
            "`storage.url` must be text such as `sqlite:gatelodge-data/gatelodge.db`, but is `true` or `false`",
        ),
        (
            "[storage]\nurl = \"hunter2\"",
            "`storage.url` must be an address such as `sqlite:gatelodge-data/gatelodge.db`",
        ),
        (
            "[keys]\nmaster_key = 12345",
            "`keys.master_key` must be text, but is a whole number",
        ),
    ] {
        assert_eq!(
            refusal(text),
            format!("file gatelodge.toml, line 2: {expected}"),
            "{text}"
        );
    }
    assert_eq!(
        refusal("server = 7"),
        "file gatelodge.toml, line 1: `server` must be a table of keys, but is a whole number"
    );
}

#[test]
fn a_bad_item_of_a_list_is_named_by_its_number() {
    assert_eq!(
        refusal("[server]\ntrusted_proxies = [\n  \"10.0.0.0/8\",\n  \"somewhere\",\n]\n"),
        "file gatelodge.toml, line 4: `server.trusted_proxies.1` must be written like `127.0.0.1/32`"
    );
}

#[test]
fn a_value_outside_a_closed_list_is_refused_with_the_list() {
    assert_eq!(
        refusal("[log]\nformat = \"jsn\""),
        "file gatelodge.toml, line 2: `log.format` must be one of `text`, `json`; did you mean `json`?"
    );
    assert_eq!(
        refusal("[session]\nat_limit = 3"),
        "file gatelodge.toml, line 2: `session.at_limit` must be one of `refuse`, `replace_oldest`, but is a whole number"
    );
}

#[test]
fn every_problem_is_told_and_not_only_the_first() {
    let folder = Folder::with_config(
        "[server]\nlisen = \"x\"\nlisten = 1\n[session]\nidle_minutes = \"x\"\nabsolute_hours = \"x\"\n[log]\nformat = \"x\"\n",
    );
    let error = folder
        .load_with(&[
            ("GATELODGE_PAGES__BRAND", "x"),
            ("GATELODGE_METRICS__ENABLED", "perhaps"),
        ])
        .unwrap_err();
    let mut keys: Vec<&str> = error
        .problems()
        .iter()
        .filter_map(|problem| problem.key.as_deref())
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "log.format",
            "metrics.enabled",
            "pages.brand",
            "server.lisen",
            "server.listen",
            "session.absolute_hours",
            "session.idle_minutes"
        ]
    );
    assert_eq!(error.to_string().lines().count(), 7);
}

#[test]
fn all_findings_across_keys_are_told_at_once() {
    let text = "[server]\nbody_limit_bytes = 1\n[session]\nidle_minutes = 120\nabsolute_hours = 1\n[limits]\nfree_tries = 50\n\
                disable_after = 40\nfirst_delay_seconds = 60\nmax_delay_seconds = 30\n[log]\nfilter = \"a=b=c\"\n";
    assert_eq!(
        refusal(text).lines().collect::<Vec<_>>(),
        [
            "file gatelodge.toml, line 2: `server.body_limit_bytes` must be a whole number from 16384 to 67108864, but is 1",
            "file gatelodge.toml, line 4: `session.idle_minutes` must not be longer than `session.absolute_hours`",
            "file gatelodge.toml, line 9: `limits.first_delay_seconds` must not be longer than `limits.max_delay_seconds`",
            "file gatelodge.toml, line 7: `limits.free_tries` must be less than `limits.disable_after`",
            "file gatelodge.toml, line 12: `log.filter` must be a level or `target=level`, joined by commas, such as \
             `info,gatelodge_core=debug`",
        ]
    );
}

#[test]
fn more_than_a_hundred_wrong_answers_in_a_row_cannot_be_allowed() {
    assert_eq!(
        refusal("[limits]\ndisable_after = 101"),
        "file gatelodge.toml, line 2: `limits.disable_after` must be a whole number from 2 to 100, but is 101"
    );
}

#[test]
fn a_syntax_error_is_told_with_its_line_and_without_the_text_around_it() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n[keys]\nmaster_key = \"hunter2\n";
    let refusal = refusal(text);
    assert!(
        refusal.starts_with("file gatelodge.toml, line 4: not valid TOML: "),
        "{refusal}"
    );
    assert!(!refusal.contains("hunter2"), "{refusal}");
}

#[test]
fn a_key_written_twice_is_refused() {
    let refusal = refusal("[server]\nshutdown_seconds = 1\nshutdown_seconds = 2\n");
    assert!(
        refusal.starts_with("file gatelodge.toml, line 3: not valid TOML: "),
        "{refusal}"
    );
    assert!(refusal.contains("shutdown_seconds"), "{refusal}");
}

#[test]
fn a_missing_file_is_refused_with_who_named_it_and_why_it_cannot_be_read() {
    let nowhere = Folder::new();
    let refusal = nowhere.refusal();
    assert!(
        refusal.starts_with(
            "command line --config: the configuration file `gatelodge.toml` cannot be read: "
        ),
        "{refusal}"
    );

    let named = load_environment(&[("GATELODGE_CONFIG", "/nowhere/at/all.toml")]).unwrap_err();
    assert_eq!(
        named.problems()[0].place,
        Place::Environment("GATELODGE_CONFIG".to_owned())
    );
    assert!(
        named.to_string().contains("`/nowhere/at/all.toml`"),
        "{named}"
    );
}

#[test]
fn a_wrong_value_in_the_environment_is_told_with_its_variable() {
    for (variable, value, expected) in [
        (
            "GATELODGE_SESSION__IDLE_MINUTES",
            "soon",
            "`session.idle_minutes` must be a whole number from 1 to 43200, but is text",
        ),
        (
            "GATELODGE_SESSION__IDLE_MINUTES",
            "0",
            "`session.idle_minutes` must be a whole number from 1 to 43200, but is 0",
        ),
        (
            "GATELODGE_METRICS__ENABLED",
            "yes",
            "`metrics.enabled` must be `true` or `false`, but is text",
        ),
        (
            "GATELODGE_SERVER__LISTEN",
            "8080",
            "`server.listen` must be written like `127.0.0.1:8080`",
        ),
        (
            "GATELODGE_LISTEN",
            "8080",
            "`server.listen` must be written like `127.0.0.1:8080`",
        ),
    ] {
        let error = load_environment(&[(variable, value)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("environment variable {variable}: {expected}")
        );
    }
}

#[test]
fn an_unknown_variable_is_refused_with_the_one_that_was_meant() {
    for variable in ["GATELODGE_SERVER__LISEN", "GATELODGE_SERVER_LISTEN"] {
        let error = load_environment(&[(variable, "127.0.0.1:1")])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("environment variable {variable}: unknown key `")),
            "{error}"
        );
        assert!(
            error.ends_with("; did you mean `GATELODGE_SERVER__LISTEN`?"),
            "{error}"
        );
    }
}

#[test]
fn a_wrong_option_is_told_as_such() {
    let overrides = Overrides {
        listen: Some("everywhere".to_owned()),
        ..Overrides::default()
    };
    let error = load(&overrides, [("GATELODGE_LISTEN", "127.0.0.1:1")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "command line --listen: `server.listen` must be written like `127.0.0.1:8080`"
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let value = OsString::from_vec(vec![0xff]);
    let error = load(
        &Overrides::default(),
        [("GATELODGE_PAGES__BRAND_NAME", value)],
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable GATELODGE_PAGES__BRAND_NAME: must be UTF-8"
    );
}

#[test]
fn a_tenant_that_the_form_takes_must_be_named() {
    assert_eq!(
        refusal("[tenancy]\nsign_in_form = \"default\""),
        "file gatelodge.toml, line 2: `tenancy.sign_in_form` is `default`, and `tenancy.default_tenant` is not set; \
         name the tenant, or set `choose`"
    );
}

#[test]
fn templates_and_texts_that_are_not_there_are_refused() {
    let refusal =
        refusal("[pages]\nbrand_name = \" \"\ntemplate_dir = \"none\"\ntexts_file = \"none.toml\"");
    let lines: Vec<&str> = refusal.lines().collect();
    assert_eq!(
        lines[0],
        "file gatelodge.toml, line 2: `pages.brand_name` must have 1 to 100 characters"
    );
    assert!(lines[1].starts_with("file gatelodge.toml, line 3: `pages.template_dir` names a folder that cannot be read, `none`: "));
    assert!(lines[2].starts_with("file gatelodge.toml, line 4: `pages.texts_file` names a file that cannot be read, `none.toml`: "));
}

#[test]
fn an_attribute_cannot_be_required_twice_and_must_be_known() {
    assert!(
        refusal("[registration]\nrequired = [\"email\", \"email\"]")
            .contains("must not name an attribute twice")
    );
    assert_eq!(
        refusal("[registration]\nrequired = [\"email\", \"shoe_size\"]"),
        "file gatelodge.toml, line 2: `registration.required.1` must be one of `email`, `display_name`"
    );
}

#[test]
fn two_listeners_cannot_share_an_address() {
    assert_eq!(
        refusal("[metrics]\nenabled = true\nlisten = \"127.0.0.1:8080\""),
        "file gatelodge.toml, line 3: `metrics.listen` must not be the same as `server.listen`"
    );
}
