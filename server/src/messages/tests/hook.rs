//! Text messages to a web hook.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use gatelodge_core::{
    messages::{Outgoing, SendError, Sender as _},
    provider::MessageChannel,
};
use serde_json::{Value, json};

use super::{super::HookSender, CANARY, outgoing};
use crate::config::{Secret, SmsConfig};

/// A web hook that answers as it was told to, and keeps what it gets.
#[derive(Clone, Default)]
pub(super) struct Hook {
    pub(super) got: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
    answer: Arc<Mutex<Option<StatusCode>>>,
}

async fn answer(
    State(hook): State<Hook>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let body = serde_json::from_str(&body).unwrap();
    hook.got
        .lock()
        .unwrap()
        .push((uri.to_string(), headers, body));
    let answer = *hook.answer.lock().unwrap();
    match answer {
        Some(StatusCode::GATEWAY_TIMEOUT) => std::future::pending().await,
        Some(status) if status.is_redirection() => (status, [(LOCATION, "/moved")]).into_response(),
        Some(status) => (status, format!("{CANARY} was refused")).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    }
}

pub(super) async fn start() -> (Hook, SocketAddr) {
    let hook = Hook::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(hook.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (hook, place)
}

fn sender(place: SocketAddr) -> HookSender {
    let config = SmsConfig {
        url: Some(format!("http://{place}/send")),
        secret: Some(Secret::from("hook secret".to_owned())),
        timeout_seconds: 1,
        ..SmsConfig::default()
    };
    HookSender::new(&config).unwrap().unwrap()
}

#[tokio::test]
async fn a_web_hook_gets_id_number_and_text_and_is_told_the_secret() {
    let (hook, place) = start().await;
    let sender = sender(place);
    assert_eq!(sender.channel(), MessageChannel::Sms);
    let order: Outgoing = outgoing("+4930123456");
    sender.send(&order).await.unwrap();
    let got = hook.got.lock().unwrap().clone();
    assert_eq!(got.len(), 1);
    let (path, headers, body) = &got[0];
    assert_eq!(path, "/send");
    assert_eq!(headers["authorization"], "Bearer hook secret");
    assert_eq!(headers["content-type"], "application/json");
    let text = format!("Your code is {CANARY}.");
    let id = order.id.to_string();
    assert_eq!(
        *body,
        json!({ "id": id, "to": "+4930123456", "text": text })
    );
}

#[tokio::test]
async fn what_a_web_hook_says_decides_whether_a_message_is_tried_again() {
    let (hook, place) = start().await;
    let sender = sender(place);
    for (status, is_final) in [
        (302, false),
        (307, false),
        (400, true),
        (401, false),
        (410, true),
        (422, true),
        (429, false),
        (500, false),
        (503, false),
    ] {
        *hook.answer.lock().unwrap() = Some(StatusCode::from_u16(status).unwrap());
        let sent = sender.send(&outgoing("+4930123456")).await;
        assert_eq!(
            matches!(sent, Err(SendError::Never(_))),
            is_final,
            "{status}"
        );
        let words = sent.unwrap_err().to_string();
        assert_eq!(words, format!("the web hook answered {status}"));
    }
    let got = hook.got.lock().unwrap();
    assert!(
        got.iter().all(|(path, ..)| path == "/send"),
        "no redirect is followed"
    );
}

#[tokio::test]
async fn a_web_hook_that_hangs_or_is_not_there_is_tried_again() {
    let (hook, place) = start().await;
    *hook.answer.lock().unwrap() = Some(StatusCode::GATEWAY_TIMEOUT);
    let (sender_to_it, order) = (sender(place), outgoing("+4930123456"));
    let sent = tokio::time::timeout(Duration::from_secs(20), sender_to_it.send(&order));
    let later = SendError::Later("the web hook did not answer in time".to_owned());
    assert_eq!(sent.await.unwrap(), Err(later));
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let sent = sender(nobody).send(&outgoing("+4930123456")).await;
    assert!(matches!(sent, Err(SendError::Later(_))), "{sent:?}");
}

#[test]
fn a_web_hook_elsewhere_is_called_over_https_only() {
    let address = |url: &str| {
        let config = SmsConfig {
            url: Some(url.to_owned()),
            ..SmsConfig::default()
        };
        config.address().is_some()
    };
    for good in [
        "https://sms.example.org/send",
        "http://localhost:8081/x",
        "http://[::1]/",
    ] {
        assert!(address(good), "{good}");
    }
    for bad in [
        "http://sms.example.org/send",
        "http://localhost.example.org/",
        "https://user:secret@sms.example.org/",
        "ftp://localhost/",
        "sms.example.org",
        "",
    ] {
        assert!(!address(bad), "{bad}");
    }
}
