//! Who has to have a second factor.

use super::Folder;
use crate::{
    config::{SecondFactorRule, shortfalls},
    plugins,
};

fn refusal(text: &str) -> String {
    Folder::with_config(text).refusal()
}

#[test]
fn a_moment_is_text_or_as_toml_writes_one() {
    for written in ["\"2027-01-01T01:00:00+01:00\"", "2027-01-01T00:00:00Z"] {
        let text = format!("[second_factor]\neveryone = \"required\"\nrequired_from = {written}\n");
        let config = Folder::with_config(&text).load().unwrap().config;
        let from = config.second_factor.required_from.unwrap();
        assert_eq!(from.to_string(), "2027-01-01T00:00:00Z", "{written}");
    }
    let variable = (
        "GATELODGE_SECOND_FACTOR__REQUIRED_FROM",
        "2027-01-01T00:00:00Z",
    );
    let loaded = super::load_environment(&[variable]).unwrap();
    assert!(loaded.config.second_factor.required_from.is_some());
}

#[test]
fn what_is_no_moment_or_no_rule_is_refused_in_words() {
    for wrong in ["\"soon\"", "\"2027-01-01\"", "2027-01-01", "5", "true"] {
        let text = format!("[second_factor]\nrequired_from = {wrong}\n");
        assert_eq!(
            refusal(&text),
            "file gatelodge.toml, line 2: `second_factor.required_from` must be a moment written like `2027-01-01T00:00:00Z`",
            "{wrong}"
        );
    }
    assert_eq!(
        refusal("[second_factor]\nadministrators = \"always\"\n"),
        "file gatelodge.toml, line 2: `second_factor.administrators` must be one of `off`, `optional`, `required`"
    );
}

#[test]
fn requiring_what_nobody_can_set_up_is_warned_of() {
    let only_passwords = "[[providers]]\nkind = \"password\"\n";
    for (rules, key) in [
        ("everyone = \"required\"", Some("everyone")),
        ("administrators = \"required\"", Some("administrators")),
        ("everyone = \"optional\"", None),
    ] {
        let with = |providers: &str| {
            let text = format!("[second_factor]\n{rules}\n\n{providers}");
            let folder = Folder::with_config(&text);
            let loaded = folder.load().unwrap();
            let registry = plugins::providers(&loaded.config).unwrap();
            let told = shortfalls(&loaded, &registry);
            told.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let told = with(only_passwords);
        assert_eq!(told.len(), usize::from(key.is_some()), "{told:?}");
        if let Some(key) = key {
            let said = format!("line 2: `second_factor.{key}` is `required`");
            assert!(told[0].contains(&said), "{told:?}");
        }
        let both = format!("{only_passwords}\n[[providers]]\nkind = \"totp\"\n");
        assert!(with(&both).is_empty());
        let spare = format!("{only_passwords}\n[[providers]]\nkind = \"recovery-code\"\n");
        assert_eq!(with(&spare).len(), usize::from(key.is_some()));
    }
    assert_eq!(SecondFactorRule::default(), SecondFactorRule::Optional);
}
