//! A registered application beside the server: a page of its own at another port, and a browser that goes between.

use gatelodge_e2e::world::{HOME, World};
use gatelodge_verifier::{Claims, KeySet};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// The pages of an application: whatever is asked for, it is this one. Answers its port.
async fn application() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 8_192];
                let _read = stream.read(&mut request).await;
                let page = "<!doctype html><title>Shop</title><link rel=icon href=data:,><h1>The shop</h1>";
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                    page.len()
                );
                stream.write_all(answer.as_bytes()).await.ok();
            });
        }
    });
    port
}

/// Registers it as `shop`, under the names by which a browser reaches it.
async fn register(world: &World, port: u16) {
    let new = json!({
        "name": "Shop",
        "audience": "shop",
        "origins": [format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}")],
        "return_to": [format!("http://localhost:{port}/back"), "http://127.0.0.1/back"],
    });
    let path = format!("/api/v1/tenants/{HOME}/applications");
    world.administrator.post(&path, new).await.expect(201);
}

/// What the application finds in a token.
async fn verified(world: &World, token: &Value) -> Claims {
    let token = token.as_str().unwrap();
    world.place.secrets().keep(token);
    let keys = world
        .nobody()
        .get("/.well-known/jwks.json")
        .await
        .expect(200);
    let keys = KeySet::parse(keys.to_string().as_bytes()).unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    keys.verify(token, world.server.origin(), "shop", now)
        .unwrap()
}

/// A script that calls the server from the application's page, and answers status and body.
fn fetch(world: &World, method: &str, path: &str, more: &str, body: Option<&Value>) -> String {
    let body = body.map_or_else(String::new, |body| {
        format!("headers: {{'content-type': 'application/json'}}, body: JSON.stringify({body}),")
    });
    let address = world.server.at(path);
    format!(
        "const done = arguments[arguments.length - 1]; \
         fetch('{address}', {{method: '{method}', {body} {more}}}) \
         .then(async answer => done([answer.status, await answer.json()]), error => done(String(error)))"
    )
}

/// The session is the browser's: a page of the same site shares it, and gets tokens for its own application.
#[tokio::test]
async fn a_sign_in_for_an_application_ends_there_and_is_shared_with_its_site() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let port = application().await;
    register(&world, port).await;
    let origin = format!("http://localhost:{port}");
    let browser = world.browser().await.beside(&origin);
    let wished = format!("http%3A%2F%2Flocalhost%3A{port}%2Fback");
    browser
        .goto(&format!("/sign-in?application=shop&return_to={wished}"))
        .await;
    assert!(
        browser
            .path()
            .await
            .starts_with(&format!("/t/{HOME}/sign-in?"))
    );
    browser.fill("user_name", "ada").await;
    browser.fill("password", &password).await;
    browser.send_form_of("password").await;
    browser.arrives_at("/back").await;
    browser.reads("The shop").await;

    let ask = json!({"application": "shop"});
    let script = fetch(
        &world,
        "POST",
        "/api/v1/token",
        "credentials: 'include'",
        Some(&ask),
    );
    let answer = browser.execute_async(&script).await;
    assert_eq!(answer[0], 200, "{answer}");
    let claims = verified(&world, &answer[1]["access_token"]).await;
    let script = fetch(
        &world,
        "GET",
        "/api/v1/session",
        "credentials: 'include'",
        None,
    );
    let session = browser.execute_async(&script).await;
    assert_eq!(session[1]["user"]["id"], json!(claims.user), "{session}");
    // Whoever comes again goes on at once.
    browser
        .goto(&format!("/sign-in?application=shop&return_to={wished}"))
        .await;
    browser.arrives_at("/back").await;
    browser.close().await;
}

/// From another site no cookie comes along; its page signs in by itself.
#[tokio::test]
async fn a_page_of_another_site_signs_in_with_a_token_of_its_own() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let port = application().await;
    register(&world, port).await;
    let origin = format!("http://127.0.0.1:{port}");
    let browser = world.browser().await.beside(&origin);
    browser.goto_address(&format!("{origin}/")).await;
    let begin = json!({"transport": "token", "application": "shop"});
    let script = fetch(&world, "POST", "/api/v1/sign-in/flows", "", Some(&begin));
    let flow = browser.execute_async(&script).await;
    assert_eq!(flow[0], 201, "{flow}");
    let id = flow[1]["id"].as_str().unwrap();
    world.place.secrets().keep(id);
    let enter = json!({
        "provider": "password", "answer": {"user_name": "ada", "password": password},
    });
    let path = format!("/api/v1/sign-in/flows/{id}");
    let script = fetch(&world, "POST", &path, "", Some(&enter));
    let done = browser.execute_async(&script).await;
    let session = done[1]["session"]["token"].as_str().unwrap();
    world.place.secrets().keep(session);
    let ask = json!({"application": "shop"});
    let bearer = format!(
        "headers: {{'content-type': 'application/json', authorization: 'Bearer {session}'}}"
    );
    let script = fetch(&world, "POST", "/api/v1/token", &bearer, Some(&ask));
    let answer = browser.execute_async(&script).await;
    assert_eq!(answer[0], 200, "{answer}");
    let claims = verified(&world, &answer[1]["access_token"]).await;
    assert_eq!(claims.amr, ["pwd"]);
    browser.close().await;
}
