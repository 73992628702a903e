//! `[outbound]`: which networks may be asked.

use super::Folder;

#[test]
fn networks_are_read_and_shown() {
    let text = "[outbound]\nallowed_networks = [\"10.1.0.0/16\", \"fd00::/8\"]\n";
    let loaded = Folder::with_config(text).load().unwrap();
    let networks = &loaded.config.outbound.allowed_networks;
    assert_eq!(networks.len(), 2);
    assert!(loaded.warnings().is_empty(), "{:?}", loaded.warnings());
    assert!(loaded.show().contains("\"10.1.0.0/16\", \"fd00::/8\""));
}

#[test]
fn no_network_is_allowed_without_a_word() {
    let loaded = Folder::with_config("").load().unwrap();
    assert!(loaded.config.outbound.allowed_networks.is_empty());
}

#[test]
fn what_is_no_network_is_told_in_words() {
    for (value, expected) in [
        (
            "[\"somewhere\"]",
            "`outbound.allowed_networks.0` must be written like `10.1.0.0/16`",
        ),
        (
            "[\"10.1.0.7\"]",
            "`outbound.allowed_networks.0` must be written like `10.1.0.0/16`",
        ),
        (
            "\"10.1.0.0/16\"",
            "`outbound.allowed_networks` must be a list such as `[\"10.1.0.0/16\",\"fd00::/8\"]`, but is text",
        ),
    ] {
        let refusal = Folder::with_config(&format!("[outbound]\nallowed_networks = {value}\n"));
        assert_eq!(
            refusal.refusal(),
            format!("file gatelodge.toml, line 2: {expected}"),
            "{value}"
        );
    }
}

#[test]
fn s46_networks_that_are_never_asked_cannot_be_allowed() {
    for network in [
        "0.0.0.0/0",
        "::/0",
        "169.254.0.0/16",
        "169.0.0.0/8",
        "fe80::/10",
    ] {
        let text = format!("[outbound]\nallowed_networks = [\"10.1.0.0/16\", \"{network}\"]\n");
        let refusal = Folder::with_config(&text).refusal();
        let expected = format!(
            "file gatelodge.toml, line 2: `outbound.allowed_networks` must not hold `{network}`: it includes addresses \
             that are never asked; clouds hand credentials out at link-local addresses; name the third party's own \
             network"
        );
        assert_eq!(refusal, expected);
    }
}
