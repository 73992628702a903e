//! S48 over a real connection: slow bodies, heads that are too large, requests
//! that could be read in two ways.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

use crate::support::World;

struct Listener {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn listening(world: &World) -> Listener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = world.router.clone();
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move {
        axum::serve(listener, service).await.unwrap();
    });
    Listener { address, serving }
}

/// Sends bytes and reads until the server closes; never waits for longer than
/// a test should take.
async fn talk(listener: &Listener, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(listener.address).await.unwrap();
    stream.write_all(request).await.ok();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server keeps it open");
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(line: &str, more: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n{more}\r\n")
        .into_bytes()
}

#[tokio::test]
async fn s48_a_body_that_does_not_come_times_out() {
    let world = World::with(|config| config.server.request_timeout_seconds = 1).await;
    let listener = listening(&world).await;
    let head = "Content-Type: application/json\r\nContent-Length: 100\r\n";
    let mut slow = request("POST /api/v1/sign-in/flows", head);
    slow.extend(b"{\"transport\":");
    let answer = talk(&listener, &slow).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("\"code\":\"timeout\""), "{answer}");
}

#[tokio::test]
async fn s48_a_head_that_is_too_large_is_refused() {
    let world = World::in_memory().await;
    let listener = listening(&world).await;
    let many: String = (0..500)
        .map(|number| format!("X-{number}: y\r\n"))
        .collect();
    for (head, line) in [
        (
            format!("X: {}\r\n", "y".repeat(1 << 20)),
            "GET /healthz".to_owned(),
        ),
        (many, "GET /healthz".to_owned()),
        (String::new(), format!("GET /{}", "y".repeat(1 << 20))),
    ] {
        let answer = talk(&listener, &request(&line, &head)).await;
        // The server may close while the rest is still being sent.
        let refused = ["HTTP/1.1 431", "HTTP/1.1 414", "HTTP/1.1 400"];
        let refused = answer.is_empty() || refused.iter().any(|start| answer.starts_with(start));
        assert!(refused, "{}", &answer[..answer.len().min(200)]);
    }
    let answer = talk(&listener, &request("GET /healthz", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn s48_a_chunked_body_is_limited_too() {
    let world = World::in_memory().await;
    let listener = listening(&world).await;
    let head = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    let mut body = request("POST /api/v1/sign-in/flows", head);
    for _ in 0..80 {
        body.extend(b"1000\r\n");
        body.extend([b' '; 0x1000]);
        body.extend(b"\r\n");
    }
    body.extend(b"0\r\n\r\n");
    let answer = talk(&listener, &body).await;
    // The answer comes before the body is read to its end.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
}

/// v5.0.0-4.2.1.
#[tokio::test]
async fn s48_a_request_that_reads_two_ways_is_refused() {
    let world = World::in_memory().await;
    let listener = listening(&world).await;
    let smuggled = "GET /api/v1/session HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    for head in [
        "Content-Length: 5\r\nContent-Length: 50\r\n",
        "Content-Length: +5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: a\r\n b: c\r\n",
        "X: a\0b\r\n",
        "X\u{e9}: a\r\n",
    ] {
        let mut bytes = request("POST /api/v1/sign-in/flows", head);
        bytes.extend(smuggled.as_bytes());
        let answer = talk(&listener, &bytes).await;
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{head:?}: {answer}");
        assert!(!answer.starts_with("HTTP/1.1 2"), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn the_peer_of_a_connection_is_the_client() {
    let world = World::in_memory().await;
    let listener = listening(&world).await;
    let answer = talk(&listener, &request("GET /api/v1/session", "")).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(
        answer
            .to_lowercase()
            .contains("x-content-type-options: nosniff"),
        "{answer}"
    );
    let foreign = "GET /api/v1/session HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = talk(&listener, foreign.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    let absolute = request("GET http://evil.example/api/v1/session", "");
    let answer = talk(&listener, &absolute).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    let none = b"GET /api/v1/session HTTP/1.1\r\nConnection: close\r\n\r\n";
    let answer = talk(&listener, none).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}
