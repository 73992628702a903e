//! `gatelodge tenant …`

use serde_json::json;

use crate::installation::Installation;

#[test]
fn a_tenant_is_made_listed_shown_and_renamed() {
    let installation = Installation::new();
    let empty = installation.line("tenant list").done();
    assert_eq!(
        empty,
        "There are no tenants yet; `gatelodge tenant create` makes one.\n"
    );
    assert_eq!(installation.json("tenant list"), json!({ "items": [] }));

    let made = installation.json("tenant create acme --display-name Acme");
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["name"], "acme");
    assert_eq!(made["display_name"], "Acme");
    assert_eq!(made["lock"], json!(null));
    let text = installation.line("tenant create globex").done();
    assert!(
        text.starts_with("Made tenant `globex` with the id "),
        "{text}"
    );

    let listed = installation.json("tenant list");
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed["items"][0], made);
    let found = installation.json("tenant list --search ACM");
    assert_eq!(found["items"], json!([made]));
    let table = installation.line("tenant list").done();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.starts_with("NAME "), "{table}");

    // By id, by name, by the name in other letters.
    for named in [id, "acme", "ACME"] {
        assert_eq!(installation.json(&format!("tenant show {named}")), made);
    }
    let text = installation.line("tenant rename acme umbrella").done();
    assert_eq!(
        text,
        "Renamed tenant `acme` to `umbrella`, shown as `Acme`.\n"
    );
    let renamed = installation.json("tenant show umbrella");
    assert_eq!(renamed["id"], made["id"]);
    installation.line("tenant show acme").refused(1);
    let text = installation
        .line("tenant rename umbrella --display-name Umbrella")
        .done();
    assert_eq!(
        text,
        "Renamed tenant `umbrella` to `umbrella`, shown as `Umbrella`.\n"
    );
}

#[test]
fn a_taken_tenant_name_is_refused_whatever_its_case() {
    let installation = Installation::with_tenants(&["acme", "globex"]);
    for line in ["tenant create ACME", "tenant rename globex Acme"] {
        let message = installation.line(line).refused(1);
        assert!(
            message.ends_with("is already taken; choose another"),
            "{message}"
        );
        let problem = installation.line(&format!("{line} --json")).problem(1);
        assert_eq!(problem["code"], "already_exists");
        assert!(problem["message"].is_string());
    }
}

#[test]
fn a_tenant_is_locked_for_a_while_or_until_unlocked() {
    let installation = Installation::with_tenants(&["acme"]);
    let locked = installation.json("tenant lock acme --for 2h --reason unpaid");
    assert_eq!(locked["lock"]["reason"], "unpaid");
    assert!(locked["lock"]["until"].as_str().unwrap().ends_with('Z'));
    let shown = installation.line("tenant show acme").done();
    assert!(shown.contains("reason        unpaid\n"), "{shown}");

    let text = installation
        .line("tenant lock acme --until 2999-01-01T00:00:00+01:00")
        .done();
    assert_eq!(
        text,
        "Locked tenant `acme` until 2998-12-31T23:00:00Z. Open sessions have ended.\n"
    );
    let text = installation.line("tenant lock acme --keep-sessions").done();
    assert_eq!(
        text,
        "Locked tenant `acme` until unlocked. Open sessions go on.\n"
    );
    let text = installation.line("tenant unlock acme").done();
    assert_eq!(text, "Unlocked tenant `acme`.\n");
    let text = installation.line("tenant unlock acme").done();
    assert_eq!(text, "Tenant `acme` is not locked.\n");
    assert_eq!(installation.json("tenant show acme")["lock"], json!(null));
}

#[test]
fn a_tenant_has_settings_of_its_own_or_inherits_them() {
    let installation = Installation::with_tenants(&["acme"]);
    let before = installation.json("tenant settings acme");
    assert_eq!(before["own"]["session"]["idle_minutes"], json!(null));
    assert_eq!(before["effective"]["session"]["idle_minutes"], 30);
    let set = "tenant settings acme --set session.idle_minutes=5 --set registration.enabled=true";
    let after = installation.json(set);
    assert_eq!(after["own"]["session"]["idle_minutes"], 5);
    assert_eq!(after["effective"]["registration"]["enabled"], true);
    let text = installation
        .line("tenant settings acme --unset session.idle_minutes")
        .done();
    assert!(
        text.starts_with("session.idle_minutes                30  (inherited)\n"),
        "{text}"
    );
    assert!(
        text.contains("registration.enabled                true  (the tenant's own)\n"),
        "{text}"
    );

    let set = "tenant settings acme --set second_factor.everyone=required \
               --set second_factor.required_from=2027-01-01T00:00:00Z";
    let after = installation.json(set);
    assert_eq!(after["effective"]["second_factor"]["everyone"], "required");
    let text = installation
        .line("tenant settings acme --unset second_factor.required_from")
        .done();
    for line in [
        "second_factor.everyone              required  (the tenant's own)\n",
        "second_factor.administrators        as everyone  (inherited)\n",
        "second_factor.required_from         at once  (inherited)\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let message = installation
        .line("tenant settings acme --set second_factor.everyone=must")
        .refused(2);
    assert_eq!(
        message,
        "`second_factor.everyone` must be `off`, `optional` or `required`, and `must` is not; \
         nothing was changed"
    );

    let set = "tenant settings acme --set sign_in.providers=password,totp";
    let after = installation.json(set);
    let ways = json!(["password", "totp"]);
    assert_eq!(after["own"]["sign_in"]["providers"], ways);
    assert_eq!(after["effective"]["sign_in"]["providers"], ways);
    let message = installation
        .line("tenant settings acme --set sign_in.providers=password,github")
        .refused(1);
    assert!(
        message.starts_with("there is no provider `github` here, only `password`"),
        "{message}"
    );
    let text = installation
        .line("tenant settings acme --unset sign_in.providers")
        .done();
    assert!(
        text.contains("sign_in.providers                   all that are configured  (inherited)\n"),
        "{text}"
    );

    let out_of_range = "tenant settings acme --set session.idle_minutes=0";
    let message = installation.line(out_of_range).refused(1);
    assert_eq!(message, "expected 1 to 43200 minutes, found 0");
    let message = installation
        .line("tenant settings acme --set session.limit=few")
        .refused(2);
    assert!(
        message.starts_with("`session.limit` must be a number"),
        "{message}"
    );
}

#[test]
fn a_tenant_is_deleted_only_when_that_is_meant() {
    let installation = Installation::with_ada();
    let message = installation.line("tenant delete acme").refused(2);
    assert_eq!(
        message,
        "nothing was deleted: this would delete tenant `acme` for good, with 1 user and 0 open sessions; audit \
         entries stay; add `--yes` if that is meant"
    );
    // Nobody is asked who does not sit at a terminal.
    let answer = installation.with_input("tenant delete acme", "acme\n");
    assert_eq!(answer.code, 2);
    installation.line("tenant show acme").done();

    let text = installation.line("tenant delete acme --yes").done();
    assert_eq!(
        text,
        "Deleted tenant `acme` with 1 user and 0 open sessions.\n"
    );
    let message = installation.line("tenant show acme").refused(1);
    assert_eq!(
        message,
        "there is no tenant `acme`; `gatelodge tenant list` shows those there are"
    );
    installation.line("tenant create acme").done();
    assert_eq!(
        installation.json("user list -t acme"),
        json!({ "items": [] })
    );
    let deleted = installation.json("tenant delete acme --yes");
    assert_eq!(deleted["deleted"]["name"], "acme");
    assert_eq!(deleted["users"], 0);
}
