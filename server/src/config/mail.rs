//! `[mail]`: how mails are sent.

use std::{path::PathBuf, time::Duration};

use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OriginPolicy, error::Finding, secret::Secret};

/// How mails are sent. They are, once `host` or `kind` is set; on an origin on this machine they lie in a folder until then.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// What takes the mails. Unset: `smtp` where `host` is set, else `file` where the origin is this machine, else nothing.
    #[schemars(with = "MailKind")]
    pub kind: Option<MailKind>,
    /// Whom they come from: a name and an address, or an address. Must be set for `smtp`.
    #[schemars(example = &"Example Ltd <id@example.org>")]
    pub sender: Option<String>,
    /// Host name of the mail server, for `smtp`.
    #[schemars(example = &"smtp.example.org")]
    pub host: Option<String>,
    /// Its port. Unset: 587 for `starttls`, 465 for `tls`, 25 for `none`.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<u16>,
    /// How the connection is encrypted. The server's certificate is checked in any case.
    pub tls: MailTls,
    /// Allows `tls = "none"` to a server on another machine: whoever is in between reads every link and code.
    pub send_unencrypted: bool,
    /// Name to sign in with at the mail server.
    #[schemars(example = &"id@example.org")]
    pub user: Option<String>,
    /// The password itself, for hosts that hand secrets over in the environment.
    pub password: Option<Secret>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// File with certificates (PEM) of an authority of your own, trusted beside those that this machine trusts.
    pub ca_file: Option<PathBuf>,
    /// How long the mail server may take over one mail.
    #[schemars(range(min = 1, max = 50))]
    pub timeout_seconds: u32,
    /// Folder for `kind = "file"`, made when it is missing. Unset: `<data_dir>/mail`.
    pub folder: Option<PathBuf>,
}

/// What takes the mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// A mail server.
    Smtp,
    /// A folder: each mail becomes a file, for development.
    File,
    /// Standard output, for development on this machine only: links and codes are in them.
    Console,
}

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// It begins unencrypted and must become encrypted before anything is said.
    Starttls,
    /// It is encrypted from its beginning.
    Tls,
    /// It is not encrypted: for a mail server on this machine.
    None,
}

impl MailTls {
    /// The port that is usual for it.
    pub(crate) fn usual_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            kind: None,
            sender: None,
            host: None,
            port: None,
            tls: MailTls::Starttls,
            send_unencrypted: false,
            user: None,
            password: None,
            password_file: None,
            ca_file: None,
            timeout_seconds: 20,
            folder: None,
        }
    }
}

impl MailConfig {
    /// What takes the mails; nothing does where it is not configured, but for an
    /// origin on this machine.
    pub(crate) fn taker(&self, policy: &OriginPolicy) -> Option<MailKind> {
        let is_near = policy.origin().is_loopback();
        self.said().or(is_near.then_some(MailKind::File))
    }

    /// What the configuration itself says that it is.
    fn said(&self) -> Option<MailKind> {
        let by_host = self.host.as_ref().map(|_| MailKind::Smtp);
        self.kind.or(by_host)
    }

    fn is_smtp(&self) -> bool {
        self.said() == Some(MailKind::Smtp)
    }

    /// How long the mail server may take over one mail.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }

    /// Whom mails come from; those that stay on this machine need nobody.
    pub(crate) fn mailbox(&self) -> Option<Mailbox> {
        let nobody = (!self.is_smtp()).then_some("Gatelodge <gatelodge@localhost>");
        let sender = self.sender.as_deref().or(nobody);
        // A line break in it would begin a header of its own.
        let sender = sender.filter(|text| !text.chars().any(char::is_control))?;
        sender.parse().ok()
    }

    /// What is wrong with it, as far as no file is opened.
    pub(super) fn problems(&self) -> Vec<Finding> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, text: &str| {
            problems.push(Finding::new(format!("mail.{key}"), text));
        };
        if self.is_smtp() && self.sender.is_none() {
            wrong(
                "sender",
                "must be set where mails are sent, such as `Example Ltd <id@example.org>`",
            );
        }
        if self.sender.is_some() && self.mailbox().is_none() {
            wrong(
                "sender",
                "must be one address such as `Example Ltd <id@example.org>`",
            );
        }
        let names_server = self.sender.is_some() || self.user.is_some();
        let is_nowhere = self.kind.is_none() && names_server;
        if self.host.is_none() && (self.kind == Some(MailKind::Smtp) || is_nowhere) {
            wrong(
                "host",
                "must be set where other keys of `mail` are, or `kind` to what else takes the mails",
            );
        }
        if self.host.as_deref().is_some_and(|host| !is_host(host)) {
            wrong(
                "host",
                "must be the name of a host or its IP address, without scheme and port",
            );
        }
        let has_password = self.password.is_some() || self.password_file.is_some();
        match (&self.user, has_password) {
            (Some(_), false) => wrong(
                "user",
                "is set, and neither `password_file` nor `password` is",
            ),
            (None, true) => wrong("user", "must be set where a password is"),
            _ => {}
        }
        if self.is_open() && !self.send_unencrypted {
            let text = "is `none`, and the mail server is another machine: whoever is in between would read every link and code";
            let finding = Finding::new("mail.tls", text);
            problems.push(finding.hint(
                "set `starttls` or `tls`; or `send_unencrypted = true`, if that network is yours alone",
            ));
        }
        problems
    }

    /// What is unwise.
    pub(super) fn warnings(&self) -> Vec<Finding> {
        if self.is_open() && self.send_unencrypted {
            let text = "is set: whoever is between this machine and the mail server reads every link and code";
            return vec![Finding::new("mail.send_unencrypted", text)];
        }
        Vec::new()
    }

    /// What the origin forbids.
    pub(super) fn problem_at(&self, policy: &OriginPolicy) -> Option<Finding> {
        let is_far = self.kind == Some(MailKind::Console) && !policy.origin().is_loopback();
        is_far.then(|| {
            Finding::new(
                "mail.kind",
                "is `console`, which writes links and codes where logs are kept: only for an origin on this machine",
            )
            .hint("use `smtp` or, for development, `file`")
        })
    }

    /// Whether mails leave this machine unencrypted.
    fn is_open(&self) -> bool {
        let is_near = |host: &str| {
            host.eq_ignore_ascii_case("localhost")
                || host
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        };
        self.is_smtp()
            && self.tls == MailTls::None
            && self.host.as_deref().is_some_and(|host| !is_near(host))
    }
}

fn is_host(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
        || ((1..=253).contains(&host.len())
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'))
}
