//! Over a real listener: the first start, a clean stop, and what is there afterwards.

use std::time::Duration;

use gatelodge_server::Gatelodge;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

use crate::club::{ADDRESS, Club};

const LONG: Duration = Duration::from_secs(60);

/// A request as a plain client sends it; the whole answer.
async fn ask(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_serves_until_told_to_stop_and_finds_everybody_again() {
    let club = Club::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Another one on the same data, as after a restart: links follow the port that was bound.
    let address = listener.local_addr().unwrap();
    let gatelodge = Gatelodge::open(&club.loaded(), address).await.unwrap();
    assert_eq!(gatelodge.origin(), format!("http://localhost:{port}"));
    let router = gatelodge_example_embedded::router(&gatelodge).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let stop = async { stopped.await.unwrap_or_default() };
        gatelodge.serve(listener, router, stop).await;
    });

    let start = timeout(LONG, ask(port, "/")).await.unwrap();
    assert!(start.starts_with("HTTP/1.1 200"), "{start}");
    let log = timeout(LONG, ask(port, "/log")).await.unwrap();
    assert!(log.starts_with("HTTP/1.1 303"), "{log}");
    assert!(log.contains("/sign-in?return_to=%2Flog"), "{log}");
    let sign_in = timeout(LONG, ask(port, "/sign-in")).await.unwrap();
    assert!(sign_in.starts_with("HTTP/1.1 200"), "{sign_in}");

    stop.send(()).unwrap();
    timeout(LONG, serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    let mut browser = club.signed_in("bob").await;
    assert!(browser.get("/log").await.body.contains("Bob"));
}

#[tokio::test]
async fn the_first_start_has_a_set_up_link_until_somebody_used_it() {
    let folder = tempfile::tempdir().unwrap();
    let overrides = gatelodge_server::config::Overrides {
        data_dir: Some(folder.path().to_owned()),
        ..Default::default()
    };
    let environment = std::iter::empty::<(String, String)>();
    let loaded = gatelodge_server::config::load(&overrides, environment).unwrap();
    let gatelodge = Gatelodge::open(&loaded, ADDRESS).await.unwrap();
    let link = gatelodge.set_up_link().await.unwrap().unwrap();
    let path = link.expose().strip_prefix("http://localhost:8080").unwrap();
    let router = gatelodge_example_embedded::router(&gatelodge).unwrap();
    let mut browser = crate::browser::Browser::new(router);
    // Its token leaves the address.
    let page = browser.open(path).await;
    assert_eq!(page.path, "/setup");
    let fields = [
        ("tenant", "oars"),
        ("user_name", "ada"),
        ("password", crate::browser::PASSWORD),
    ];
    let answer = browser.submit(&page, "/setup", &fields).await;
    assert!(answer.status.is_redirection(), "{}", answer.body);
    assert!(gatelodge.set_up_link().await.unwrap().is_none());
}
