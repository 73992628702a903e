//! `gatelodge user …`

use serde_json::json;

use crate::installation::Installation;

#[test]
fn a_user_is_made_with_a_password_that_is_printed_once() {
    let installation = Installation::with_tenants(&["acme"]);
    let text = installation
        .line("user create -t acme --user-name ada --display-name Ada --email ada@example.com")
        .done();
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].starts_with("Made user `ada` of tenant `acme` with the id "),
        "{text}"
    );
    let password = lines[1].strip_prefix("Password: ").unwrap();
    assert_eq!(password.len(), 26);
    assert_eq!(
        lines[2],
        "This password is shown only now. It must be changed at the first sign-in."
    );
    let shown = installation.line("user show -t acme ada").done();
    assert!(!shown.contains(password));
    assert!(
        shown.contains("must change   the password, at the next sign-in (administrator)\n"),
        "{shown}"
    );

    let made = installation.json("user create -t acme --user-name grace");
    let acme = installation.json("tenant show acme");
    assert_eq!(made["tenant"], acme["id"]);
    assert_eq!(made["must_change"], "administrator");
    assert_eq!(made["initial_password"].as_str().unwrap().len(), 26);
    let shown = installation.json("user show -t acme grace");
    assert!(shown.get("initial_password").is_none());
    assert_eq!(shown["id"], made["id"]);
}

#[test]
fn a_given_password_comes_from_standard_input_only() {
    let installation = Installation::with_tenants(&["acme"]);
    let create = "user create -t acme --password-stdin --user-name";
    let text = installation
        .with_input(&format!("{create} ada"), "correct horse battery staple\n")
        .done();
    assert!(
        text.ends_with("\nThe password must be changed at the first sign-in.\n"),
        "{text}"
    );
    let made = installation
        .with_input(
            &format!("{create} grace --permanent --json"),
            "correct horse battery staple\n",
        )
        .done();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["must_change"], json!(null));
    assert!(made.get("initial_password").is_none());

    let message = installation
        .with_input(&format!("{create} bob"), "short\n")
        .refused(1);
    assert!(!message.contains("short\n"), "{message}");
    let message = installation
        .with_input(&format!("{create} bob"), "")
        .refused(1);
    assert!(
        message.starts_with("standard input holds no password"),
        "{message}"
    );
    installation.line("user show -t acme bob").refused(1);
}

#[test]
fn a_user_is_found_by_id_and_by_name_and_only_in_its_tenant() {
    let installation = Installation::with_tenants(&["acme", "globex"]);
    let made = installation.json("user create -t acme --user-name ada --no-password");
    let id = made["id"].as_str().unwrap();
    for named in [id, "ada", "ADA"] {
        let shown = installation.json(&format!("user show --tenant acme {named}"));
        assert_eq!(shown, made);
        let message = installation
            .line(&format!("user show --tenant globex {named}"))
            .refused(1);
        assert!(
            message.starts_with(&format!("there is no user `{named}` in tenant `globex`")),
            "{message}"
        );
    }
    let text = installation.line("user list -t globex").done();
    assert_eq!(text, "Tenant `globex` has no users yet.\n");
    let text = installation.line("user list -t acme --search x").done();
    assert_eq!(
        text,
        "No user of tenant `acme` has `x` in a name or address.\n"
    );
    let listed = installation.json("user list -t acme --search AD");
    assert_eq!(listed["items"][0]["id"], id);
}

#[test]
fn a_taken_user_name_is_refused_in_its_tenant_only() {
    let installation = Installation::with_ada();
    installation.line("tenant create globex").done();
    let create = |tenant: &str| format!("user create -t {tenant} --user-name Ada --no-password");
    let message = installation.line(&create("acme")).refused(1);
    assert_eq!(
        message,
        "the user name `Ada` is already taken in this tenant; choose another"
    );
    installation.line(&create("globex")).done();
    let problem = installation
        .line(&format!("{} --json", create("acme")))
        .problem(1);
    assert_eq!(problem["code"], "already_exists");
}

#[test]
fn a_user_is_changed() {
    let installation = Installation::with_ada();
    let text = installation
        .line("user update -t acme ada --user-name lovelace --email ada@example.com")
        .done();
    assert_eq!(text, "Changed user `lovelace` of tenant `acme`.\n");
    let shown = installation.json("user show -t acme lovelace");
    assert_eq!(shown["email"], "ada@example.com");
    assert_eq!(shown["email_verified"], false);
    let changed = installation.json("user update -t acme lovelace --no-email");
    assert_eq!(changed["email"], json!(null));
    let text = installation
        .line("user update -t acme lovelace --no-email")
        .done();
    assert_eq!(
        text,
        "The user `lovelace` of tenant `acme` is like that already.\n"
    );
}

#[test]
fn a_user_is_locked_unlocked_deactivated_and_activated() {
    let installation = Installation::with_ada();
    let locked = installation.json("user lock -t acme ada --for 1d12h --reason away");
    assert_eq!(locked["lock"]["reason"], "away");
    let listed = installation.line("user list -t acme").done();
    assert!(listed.contains("  locked until "), "{listed}");
    let text = installation.line("user unlock -t acme ada").done();
    assert_eq!(text, "Unlocked user `ada` of tenant `acme`.\n");
    let text = installation.line("user unlock -t acme ada").done();
    assert_eq!(text, "The user `ada` of tenant `acme` is not locked.\n");

    let text = installation.line("user deactivate -t acme ada").done();
    assert_eq!(
        text,
        "Deactivated user `ada` of tenant `acme`. Open sessions have ended.\n"
    );
    let text = installation.line("user deactivate -t acme ada").done();
    assert_eq!(
        text,
        "The user `ada` of tenant `acme` is deactivated already.\n"
    );
    let activated = installation.json("user activate -t acme ada");
    assert_eq!(activated["active"], true);

    let message = installation
        .line("user lock -t acme ada --until 2001-01-01T00:00:00Z")
        .refused(1);
    assert_eq!(message, "a lock must end in the future");
}

#[test]
fn a_new_password_is_asked_for_and_nobody_sees_it() {
    let installation = Installation::with_ada();
    let text = installation.line("user require-change -t acme ada").done();
    assert_eq!(
        text,
        "At the next sign-in a new password has to be chosen by user `ada` of tenant `acme`.\n"
    );
    let shown = installation.json("user show -t acme ada");
    assert_eq!(shown["must_change"], "administrator");
    let text = installation
        .line("user require-change -t acme ada --reason compromised")
        .done();
    assert!(text.ends_with(". Open sessions have ended.\n"), "{text}");
    let asked = installation.json("user require-change -t acme ada --reason compromised");
    assert_eq!(asked["must_change"], "compromised");
    let age = installation.line("user require-change -t acme ada --reason age");
    assert_eq!(age.code, 2, "how old it may be is a rule of its provider");
}

#[test]
fn a_user_is_made_an_administrator_and_the_last_one_stays() {
    let installation = Installation::with_ada();
    let granted = installation.json("user grant -t acme ada tenant_administrator");
    assert_eq!(granted["grants"], json!(["tenant_administrator"]));
    let text = installation
        .line("user grant -t acme ada tenant_administrator")
        .done();
    assert_eq!(
        text,
        "The user `ada` of tenant `acme` holds `tenant_administrator` already.\n"
    );
    let text = installation
        .line("user revoke -t acme ada tenant_administrator")
        .done();
    assert_eq!(
        text,
        "Took `tenant_administrator` from user `ada` of tenant `acme`.\n"
    );

    installation
        .line("user grant -t acme ada platform_administrator")
        .done();
    for line in [
        "user revoke -t acme ada platform_administrator",
        "user lock -t acme ada",
        "user deactivate -t acme ada",
        "user delete -t acme ada --yes",
        "tenant lock acme",
        "tenant delete acme --yes",
    ] {
        let problem = installation.line(&format!("{line} --json")).problem(1);
        assert_eq!(problem["code"], "refused", "{line}");
    }
}

#[test]
fn a_user_is_deleted_only_when_that_is_meant() {
    let installation = Installation::with_ada();
    let message = installation.line("user delete -t acme ada").refused(2);
    assert!(
        message.starts_with("nothing was deleted: this would delete user `ada` of tenant `acme` for good, with 0 open sessions"),
        "{message}"
    );
    let deleted = installation.json("user delete -t acme ada --yes");
    assert_eq!(deleted["deleted"]["user_name"], "ada");
    let message = installation
        .line("user delete -t acme ada --yes")
        .refused(1);
    assert!(
        message.starts_with("there is no user `ada` in tenant `acme`"),
        "{message}"
    );
}

#[test]
fn a_factor_that_a_user_does_not_have_is_not_removed() {
    let installation = Installation::with_tenants(&["acme"]);
    installation
        .line("user create -t acme --user-name ada")
        .done();
    let text = installation.line("user factors -t acme ada").done();
    assert_eq!(
        text,
        "The user `ada` of tenant `acme` has no second factors.\n"
    );
    let listed = installation.json("user factors -t acme ada");
    assert_eq!(listed, json!({ "factors": [] }));
}
