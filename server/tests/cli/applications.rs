//! `gatelodge application …` and `gatelodge keys …`

use serde_json::json;

use crate::installation::Installation;

#[test]
fn an_application_is_registered_listed_shown_changed_and_deleted() {
    let installation = Installation::with_tenants(&["acme"]);
    let empty = installation.line("application list -t acme").done();
    assert_eq!(
        empty,
        "Tenant `acme` has no applications yet; `gatelodge application create` registers one.\n"
    );
    let made = installation.json(
        "application create -t acme Shop --audience https://api.shop.example \
         --origin https://shop.example --origin http://localhost:5173 --return-to https://shop.example/back",
    );
    assert_eq!(made["name"], "Shop");
    assert_eq!(
        made["origins"],
        json!(["https://shop.example", "http://localhost:5173"])
    );
    let id = made["id"].as_str().unwrap();
    for named in [id, "Shop", "SHOP"] {
        let shown = installation.json(&format!("application show -t acme {named}"));
        assert_eq!(shown, made);
    }
    let text = installation.line("application show -t acme shop").done();
    assert!(
        text.contains("returns to  https://shop.example/back\n"),
        "{text}"
    );
    let listed = installation.json("application list -t acme");
    assert_eq!(listed["items"], json!([made]));
    let table = installation.line("application list -t acme").done();
    assert!(table.starts_with("NAME "), "{table}");

    let text = installation
        .line("application update -t acme shop --name Store --no-origins")
        .done();
    assert_eq!(text, "Changed application `Store`.\n");
    let changed = installation.json("application show -t acme store");
    assert_eq!(
        (&changed["origins"], &changed["version"]),
        (&json!([]), &json!(2))
    );
    assert_eq!(changed["return_to"], made["return_to"]);
    let text = installation
        .line("application update -t acme store --no-origins")
        .done();
    assert_eq!(text, "Application `Store` is like that already.\n");

    let message = installation
        .line("application delete -t acme store")
        .refused(2);
    assert!(
        message.contains("add `--yes` if that is meant"),
        "{message}"
    );
    let deleted = installation.json("application delete -t acme store --yes");
    assert_eq!(deleted["deleted"]["name"], "Store");
    let message = installation
        .line("application show -t acme store")
        .refused(1);
    assert!(
        message.contains("`gatelodge application list --tenant"),
        "{message}"
    );
}

#[test]
fn what_cannot_be_an_application_is_refused() {
    let installation = Installation::with_tenants(&["acme", "globex"]);
    installation.json("application create -t acme shop --audience shop");
    for line in [
        "application create -t globex other --audience shop",
        "application create -t acme SHOP --audience other",
    ] {
        let problem = installation.line(&format!("{line} --json")).problem(1);
        assert_eq!(problem["code"], "already_exists", "{line}");
    }
    for line in [
        "application create -t acme other",
        "application create -t acme other --audience a,b",
        "application create -t acme other --audience other --origin https://other.example/",
        "application create -t acme other --audience other --return-to /path",
        "application update -t acme shop",
        "application update -t acme shop --no-origins --origin https://shop.example",
    ] {
        installation.line(line).misused();
    }
}

#[test]
fn keys_are_listed_rotated_and_withdrawn() {
    let installation = Installation::with_tenants(&["acme"]);
    let empty = installation.line("keys list").done();
    assert_eq!(
        empty,
        "There are no keys yet; the server makes them when it starts.\n"
    );
    // The first key need not wait.
    let first = installation.json("keys rotate");
    assert_eq!(
        (&first["state"], &first["algorithm"]),
        (&json!("signing"), &json!("EdDSA"))
    );
    let next = installation.json("keys rotate");
    assert_eq!(next["state"], "waiting");
    let text = installation.line("keys rotate").done();
    assert!(text.contains("waits already"), "{text}");
    let listed = installation.json("keys list");
    assert_eq!(listed["items"], json!([first, next]));
    let text = installation.line("keys list").done();
    assert_eq!(text.lines().count(), 2, "{text}");

    let message = installation.line("keys rotate --at-once").refused(2);
    assert!(message.contains("all keys of access tokens"), "{message}");
    let last = installation.json("keys rotate --at-once --yes");
    assert_eq!(last["state"], "signing");
    let listed = installation.json("keys list");
    assert_eq!(listed["items"], json!([last]));
    installation.line("keys rotate --yes").misused();
    installation.line("keys rotate --kind device").misused();
}
