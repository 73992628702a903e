use std::net::{IpAddr, SocketAddr};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderName, HeaderValue, Method, Request, header},
};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{Answer, World, world::PEER};

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Call<'w> {
    world: &'w World,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    peer: IpAddr,
}

impl<'w> Call<'w> {
    pub(super) fn new(world: &'w World, method: Method, path: String) -> Self {
        let host = world.host().parse().unwrap();
        Self {
            world,
            method,
            path,
            headers: vec![(header::HOST, host)],
            body: Vec::new(),
            peer: PEER,
        }
    }

    /// Adds a header, beside any that there are.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.push((name.parse().unwrap(), value));
        self
    }

    /// Takes a header out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn host(self, host: &str) -> Self {
        self.without("host").header("host", host)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// As a page of ours sends it.
    pub(crate) fn by_our_page(self) -> Self {
        let origin = self.world.origin.clone();
        self.header("origin", origin)
    }

    pub(crate) fn at_peer(mut self, peer: &str) -> Self {
        self.peer = peer.parse().unwrap();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.without("content-type")
            .header("content-type", content_type)
    }

    /// Sends it, and looks at what every answer must keep.
    pub(crate) async fn send(self) -> Answer {
        let answer = self.send_unchecked().await;
        answer.check_whatever_it_is();
        answer
    }

    /// Sends it; nothing is expected of the answer.
    pub(crate) async fn send_unchecked(self) -> Answer {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from(self.body)).unwrap();
        let peer = SocketAddr::new(self.peer, 40_000);
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.world.router.clone().oneshot(request).await.unwrap();
        Answer::read(self.method, self.path, response).await
    }
}
