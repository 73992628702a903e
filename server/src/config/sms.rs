//! `[sms]`: how text messages are sent.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{error::Finding, secret::Secret};

/// How text messages are sent: by a web hook, which takes `{"id", "to", "text"}` as JSON. They are, once `url` is set.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SmsConfig {
    /// Address of the web hook: `https`, or `http` on this machine.
    #[schemars(example = &"https://sms.example.org/send")]
    pub url: Option<String>,
    /// What it is told as `Authorization: Bearer`: the secret itself, for hosts that hand secrets over in the environment.
    pub secret: Option<Secret>,
    /// File that holds the secret.
    pub secret_file: Option<PathBuf>,
    /// How long the web hook may take to answer.
    #[schemars(range(min = 1, max = 50))]
    pub timeout_seconds: u32,
}

impl Default for SmsConfig {
    fn default() -> Self {
        Self {
            url: None,
            secret: None,
            secret_file: None,
            timeout_seconds: 10,
        }
    }
}

impl SmsConfig {
    /// The address, if it is one that may be called.
    pub(crate) fn address(&self) -> Option<Url> {
        let url: Url = self.url.as_deref()?.parse().ok()?;
        let is_near = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_near);
        (is_plain && is_safe).then_some(url)
    }

    /// How long the web hook may take to answer.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }

    /// What is wrong with it, as far as no file is opened.
    pub(super) fn problems(&self) -> Vec<Finding> {
        let mut problems = Vec::new();
        let has_secret = self.secret.is_some() || self.secret_file.is_some();
        match &self.url {
            None if has_secret => problems.push(Finding::new(
                "sms.url",
                "is not set, and a secret for it is; without it no text message is sent",
            )),
            Some(_) if self.address().is_none() => problems.push(Finding::new(
                "sms.url",
                "must be `https://…`, or `http://` on this machine, without user name and password",
            )),
            Some(_) if !has_secret => problems.push(
                Finding::new("sms.secret_file", "must be set where `sms.url` is")
                    .hint("without it anybody could send text messages at your cost"),
            ),
            _ => {}
        }
        problems
    }
}
