//! From an administrator's command to the link in a mailbox and back, with the mails that a server puts into its folder.

use gatelodge_e2e::{
    visitor::Visitor,
    wait::until,
    world::{HOME, World},
};

const PASSWORD: &str = "canary: silver garden window 12";
const NEW_PASSWORD: &str = "canary: copper meadow violin 77";

/// The newest of at least so many mails.
async fn mail(world: &World, number: usize) -> String {
    until("a mail comes", async || world.place.mails().len() >= number).await;
    let mails = world.place.mails();
    mails.last().unwrap().clone()
}

/// What the link in a mail opens: the path, after what it must begin with.
fn link<'a>(world: &World, mail: &'a str) -> &'a str {
    let line = mail.lines().find(|line| line.contains("/link/")).unwrap();
    let origin = world.server.origin();
    let path = line.strip_prefix(origin);
    let path = path.unwrap_or_else(|| panic!("`{line}` does not begin with `{origin}`"));
    let (_, token) = path.split_once("?token=").unwrap();
    world.place.secrets().keep(token);
    path
}

fn code(world: &World, mail: &str) -> String {
    let (_, rest) = mail
        .split_once("Or enter this code where you asked for it: ")
        .unwrap();
    let code = rest.lines().next().unwrap().to_owned();
    world.place.secrets().keep(&code);
    code
}

/// Opens a link, presses its button, chooses a password.
async fn choose(visitor: &Visitor, link: &str, password: &str) -> String {
    let page = visitor.open(link).await;
    let (path, _) = link.split_once('?').unwrap();
    let (_, end) = path.rsplit_once("/link/").unwrap();
    let form = page.form(&format!("/link/{end}"));
    let duty = visitor.submit(&form, &[]).await;
    let form = duty.form("/sign-in");
    let done = visitor.submit(&form, &[("new_password", password)]).await;
    done.path
}

#[tokio::test]
async fn who_is_invited_by_a_command_comes_in_and_a_forgotten_password_is_replaced() {
    let world = World::new().await;
    let arguments = [
        "user",
        "create",
        "--tenant",
        HOME,
        "--user-name",
        "ada",
        "--email",
        "ada@example.com",
        "--invite",
    ];
    let said = world.run(&arguments).await.succeeded();
    assert!(said.contains("An invitation is on its way"), "{said}");
    let invitation = mail(&world, 1).await;
    assert!(invitation.contains("To: ada@example.com"), "{invitation}");
    let phone = world.visitor();
    let here = format!("/t/{HOME}");
    let end = choose(&phone, link(&world, &invitation), PASSWORD).await;
    assert_eq!(end, format!("{here}/account"));

    // S07: whoever asks for it has no say in where the link leads.
    let asking = world.visitor();
    let path = format!("{here}/forgot-password");
    let page = asking.open(&path).await;
    let form = page.form("/forgot-password");
    let mut values: Vec<_> = form.hidden.clone();
    values.push(("user_name".to_owned(), "ada".to_owned()));
    let poisoned = reqwest::Client::new()
        .post(format!("{}{path}", world.server.origin()))
        .header("origin", world.server.origin())
        .header("cookie", asking.cookies())
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "host=evil.example;proto=https")
        .form(&values);
    assert!(poisoned.send().await.unwrap().status().is_success());
    // The first tells that a password was chosen.
    let reset = mail(&world, 3).await;
    assert!(!reset.contains("evil.example"), "{reset}");
    let laptop = world.visitor();
    assert!(phone.is_signed_in(&here).await);
    choose(&laptop, link(&world, &reset), NEW_PASSWORD).await;
    assert!(laptop.is_signed_in(&here).await);
    assert!(!phone.is_signed_in(&here).await, "sessions of before go on");
    code(&world, &reset);
    let told = mail(&world, 4).await;
    assert!(told.contains("was changed on"), "{told}");
}

#[tokio::test]
async fn a_link_made_by_a_command_is_printed_once_and_opens_once() {
    let world = World::new().await;
    world.user(HOME, "ada").await;
    let arguments = [
        "user",
        "link",
        "--tenant",
        HOME,
        "--purpose",
        "reset",
        "ada",
        "--json",
    ];
    let made = world.run(&arguments).await.json();
    // The command does not know at which port the server of a test listens.
    let address = made["link"].as_str().unwrap();
    let (_, path) = address.split_once("/t/").unwrap();
    let path = format!("/t/{path}");
    let visitor = world.visitor();
    choose(&visitor, &path, NEW_PASSWORD).await;
    assert!(visitor.is_signed_in(&format!("/t/{HOME}")).await);
    let again = world.visitor();
    let page = again.open(&path).await;
    let over = again.submit(&page.form("/link/reset"), &[]).await;
    assert_eq!(over.status, 404);
    let wrong = ["user", "link", "--tenant", HOME, "--purpose", "page", "ada"];
    world
        .run(&wrong)
        .await
        .refused(&["name the page to lead to"]);
    let nowhere = [
        "user",
        "link",
        "--tenant",
        HOME,
        "--purpose",
        "reset",
        "--mail",
        "ada",
    ];
    world.run(&nowhere).await.refused(&["no e-mail address"]);
}

#[tokio::test]
async fn the_pages_of_links_are_fit_to_be_seen() {
    let world = World::new().await;
    let arguments = [
        "user",
        "create",
        "--tenant",
        HOME,
        "--user-name",
        "ada",
        "--email",
        "ada@example.com",
        "--invite",
    ];
    world.run(&arguments).await.succeeded();
    let invitation = mail(&world, 1).await;
    let browser = world.browser().await;
    let here = format!("/t/{HOME}");
    browser.goto(link(&world, &invitation)).await;
    browser.inspect("link").await;
    browser.press("main form button").await;
    browser.element("[name=new_password]").await;
    browser.inspect("link-new-password").await;
    browser.fill("new_password", PASSWORD).await;
    browser.send_form_of("new_password").await;
    browser.arrives_at("/account").await;
    browser.inspect("account-after-invitation").await;
    browser.goto(&format!("{here}/link/invite")).await;
    browser.inspect("link-over").await;
    browser.close().await;

    let browser = world.browser().await;
    browser.goto(&format!("{here}/forgot-password")).await;
    browser.inspect("forgot-password").await;
    browser.fill("user_name", "ada").await;
    browser.send_form_of("user_name").await;
    browser.element("[name=code]").await;
    browser.inspect("forgot-password-asked").await;
    browser.fill("code", "0000 0000").await;
    browser.send_form_of("code").await;
    browser.element(".notice-error").await;
    browser.inspect("forgot-password-wrong-code").await;
    browser.close().await;
}
