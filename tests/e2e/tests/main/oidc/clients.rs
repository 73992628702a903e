//! A program without cookies, which has a browser go to the third party for it.

use gatelodge_e2e::{third_party::ThirdParty, world::HOME};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};

use super::House;

/// Listens as programs do whose browser is to come back; answers its return address, and the codes that are brought.
async fn listener() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, codes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8_192];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let line = request.lines().next().unwrap_or_default();
            let code = line.split_once("?code=").map(|(_, rest)| rest);
            if let Some(code) = code.and_then(|rest| rest.split(' ').next()) {
                sender.send(code.to_owned()).ok();
            }
            let page =
                "<!doctype html><link rel=icon href=data:,><title>Back</title>Back in the program";
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (format!("http://{address}/back"), codes)
}

/// A flow that has come to where its browser leaves; answers its path, and where the browser goes.
async fn leaving(house: &House, return_to: &str) -> (String, String) {
    let program = house.world.nobody();
    let start = json!({
        "transport": "token", "tenant": HOME, "application": "desk", "return_to": return_to,
    });
    let flow = program
        .post("/api/v1/sign-in/flows", start)
        .await
        .expect(201);
    let id = flow["id"].as_str().unwrap();
    house.world.place.secrets().keep(id);
    let path = format!("/api/v1/sign-in/flows/{id}");
    let chosen = json!({ "provider": "oidc" });
    let step = program.post(&path, chosen).await.expect(200);
    assert_eq!(step["step"]["kind"], "redirect", "{step}");
    let url = step["step"]["url"].as_str().unwrap().to_owned();
    (path, url)
}

fn with_code(code: &str) -> Value {
    json!({ "provider": "oidc", "answer": { "code": code } })
}

#[tokio::test]
async fn a_program_signs_in_by_the_code_that_its_browser_brings_back_and_by_no_other_twice() {
    let house = House::new("new_accounts = \"create\"").await;
    let (return_to, mut codes) = listener().await;
    let desk = json!({ "name": "Desk", "audience": "desk", "return_to": [return_to] });
    let path = format!("/api/v1/tenants/{HOME}/applications");
    house
        .world
        .administrator
        .post(&path, desk)
        .await
        .expect(201);
    let origin = return_to.trim_end_matches("/back");
    let browser = house.browser().await.beside(origin);
    let program = house.world.nobody();

    let (first, url) = leaving(&house, &return_to).await;
    browser.goto_address(&url).await;
    browser.signs_in_there("augusta").await;
    browser.reads("Back in the program").await;
    let stolen = codes.recv().await.unwrap();
    let (other, _) = leaving(&house, &return_to).await;
    // The code of one flow is worth nothing in another, and is used up by the try.
    for flow in [&other, &first] {
        let refused = program.post(flow, with_code(&stolen)).await;
        assert_eq!(refused.status, 401, "{refused:?}");
    }

    let (flow, url) = leaving(&house, &return_to).await;
    browser.goto_address(&url).await;
    let code = codes.recv().await.unwrap();
    browser.reads("Back in the program").await;
    let done = program.post(&flow, with_code(&code)).await.expect(200);
    let session = program.with_token(done["session"]["token"].as_str().unwrap());
    let who = session.get("/api/v1/session").await.expect(200);
    assert_eq!(who["user"]["display_name"], "Augusta King", "{who}");
    let again = program.post(&flow, with_code(&code)).await;
    assert_eq!(again.status, 409, "{again:?}");
    house.world.place.secrets().keep(&code);
    house.done(browser).await;
}

/// Nobody finds back to a program that did not say where it is.
#[tokio::test]
async fn a_program_without_a_return_address_is_told_what_it_lacks() {
    let house = House::new("").await;
    let program = house.world.nobody();
    let start = json!({ "transport": "token", "tenant": HOME });
    let flow = program
        .post("/api/v1/sign-in/flows", start)
        .await
        .expect(201);
    let id = flow["id"].as_str().unwrap();
    house.world.place.secrets().keep(id);
    let chosen = json!({ "provider": "oidc" });
    let path = format!("/api/v1/sign-in/flows/{id}");
    let refused = program.post(&path, chosen).await.expect(422);
    assert!(refused.to_string().contains("return_to"), "{refused}");
    nothing_was_asked(&house.there).await;
}

/// Nobody was sent to the third party's page.
async fn nothing_was_asked(there: &ThirdParty) {
    let seen = there.seen().await;
    assert!(
        !seen.iter().any(|asked| asked.contains("/auth")),
        "{seen:?}"
    );
}
