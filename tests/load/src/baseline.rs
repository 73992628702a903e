//! What a session check is compared with: axum that answers the same JSON and does nothing else. A process of its own,
//! with the server's HTTP settings, reached by the same client.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{Json, Router, body::Body, extract::State, response::IntoResponse, routing::get};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::process::Process;

/// The path it answers at, which is the session check's.
pub(crate) const PATH: &str = "/api/v1/session";

/// A bare server that runs.
#[derive(Debug)]
pub(crate) struct Baseline {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Baseline {
    /// Starts this program once more as a bare server that answers `json`.
    pub(crate) fn start(json: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--bare", json]).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let mut line = String::new();
        let stdout = process.child().stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().parse().expect("the bare server says where");
        Self { process, address }
    }
}

/// Is the bare server, until it is ended.
pub(crate) async fn serve(json: &str) {
    let json: Arc<Value> = Arc::new(serde_json::from_str(json).unwrap());
    let router = Router::new().route(PATH, get(answer)).with_state(json);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, router.clone()));
    }
}

async fn answer(State(json): State<Arc<Value>>) -> impl IntoResponse {
    // It is written out each time, as the server does.
    Json(&*json).into_response()
}

/// As `server/src/serve.rs` does it.
async fn connection(stream: TcpStream, router: Router) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request: Request<Incoming>| {
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .max_concurrent_streams(128)
        .max_header_list_size(32 * 1024);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    served.await.ok();
}
