//! Text messages to a web hook.

use async_trait::async_trait;
use gatelodge_core::{
    messages::{Outgoing, SendError, Sender},
    provider::MessageChannel,
};
use reqwest::{Client, StatusCode, redirect::Policy};
use serde::Serialize;
use url::Url;

use crate::config::{Secret, SmsConfig};

/// Hands text messages to a web hook.
pub(crate) struct HookSender {
    client: Client,
    url: Url,
    secret: Secret,
}

/// What the web hook gets.
#[derive(Serialize)]
struct Order<'a> {
    id: String,
    to: &'a str,
    text: &'a str,
}

impl HookSender {
    /// For the configured web hook; `None` when there is none.
    ///
    /// # Errors
    /// When this machine cannot speak TLS, in words.
    pub(crate) fn new(config: &SmsConfig) -> Result<Option<Self>, String> {
        let Some((url, secret)) = config.address().zip(config.secret.clone()) else {
            return Ok(None);
        };
        // Not the guarded client that providers have: whoever runs the server names this one
        // address, which may well be inside, and no answer of it is read.
        let client = Client::builder()
            // It is called at the configured address, or not at all.
            .redirect(Policy::none())
            .no_proxy()
            .https_only(url.scheme() == "https")
            .timeout(config.timeout())
            .connect_timeout(config.timeout())
            .build()
            .map_err(|_| "the certificates of this machine cannot be used".to_owned())?;
        Ok(Some(Self {
            client,
            url,
            secret,
        }))
    }
}

#[async_trait]
impl Sender for HookSender {
    fn channel(&self) -> MessageChannel {
        MessageChannel::Sms
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let order = Order {
            id: outgoing.id.to_string(),
            to: &outgoing.to,
            text: outgoing.rendered.text.expose().trim_end(),
        };
        let request = self
            .client
            .post(self.url.clone())
            .bearer_auth(self.secret.expose())
            .json(&order);
        // Of the answer only the status counts: its body is never read.
        match request.send().await {
            Ok(answer) => judge(answer.status()),
            Err(error) if error.is_timeout() => Err(SendError::Later(
                "the web hook did not answer in time".to_owned(),
            )),
            Err(_) => Err(SendError::Later(
                "the web hook could not be reached".to_owned(),
            )),
        }
    }
}

/// What an answer means. Wrong secrets, wrong addresses and too many calls can be
/// mended; what else is wrong about a message stays wrong.
fn judge(status: StatusCode) -> Result<(), SendError> {
    let words = format!("the web hook answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        401 | 403 | 404 | 405 | 408 | 425 | 429 => Err(SendError::Later(words)),
        400..=499 => Err(SendError::Never(words)),
        _ => Err(SendError::Later(words)),
    }
}
