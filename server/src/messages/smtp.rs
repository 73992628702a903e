//! Mails to a mail server (SMTP, RFC 5321).

use std::{fs, io, path::Path, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    messages::{Outgoing, SendError, Sender},
    provider::MessageChannel,
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        Error as SmtpError, PoolConfig,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use rustls::CertificateError;
use tokio::{sync::OnceCell, time::timeout};

use super::{
    AT_ONCE,
    mail::{NoMail, compose},
};
use crate::config::{MailConfig, MailTls, Secret};

/// A connection that nobody used for this long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// Answers that are about us and not about the mail: TLS or a sign-in is demanded,
/// or the sign-in failed (RFC 4954 section 6).
const ABOUT_US: [u16; 5] = [530, 534, 535, 538, 554];

/// Sends mails through a mail server.
pub(crate) struct SmtpSender {
    settings: Settings,
    sender: Mailbox,
    /// Made with the first mail: until then no certificates of the machine are read.
    transport: OnceCell<AsyncSmtpTransport<Tokio1Executor>>,
}

struct Settings {
    host: String,
    port: u16,
    tls: MailTls,
    credentials: Option<(String, Secret)>,
    /// PEM.
    authorities: Option<Vec<u8>>,
    timeout: Duration,
}

/// Why a mail was not sent.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It could not be put together.
    NoMail(NoMail),
    /// The certificates of this machine or the configured ones cannot be used.
    Tls(SmtpError),
    /// The mail server said no, or went away.
    Server(SmtpError),
    /// It did not take the mail in time.
    TooSlow,
}

impl SmtpSender {
    /// For the configured mail server.
    ///
    /// # Errors
    /// What is wrong with the file of certificates: words that follow the key
    /// `mail.ca_file`.
    pub(crate) fn new(config: &MailConfig, sender: Mailbox) -> Result<Self, String> {
        let authorities = config
            .ca_file
            .as_deref()
            .map(read_authorities)
            .transpose()?;
        let user = config.user.clone();
        Ok(Self {
            settings: Settings {
                host: config.host.clone().unwrap_or_default(),
                port: config.port.unwrap_or(config.tls.usual_port()),
                tls: config.tls,
                credentials: user.zip(config.password.clone()),
                authorities,
                timeout: config.timeout(),
            },
            sender,
            transport: OnceCell::new(),
        })
    }

    /// Where mails go: `host:port`.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.settings.host, self.settings.port)
    }

    /// Hands a mail over, within the configured time: lettre itself limits nothing
    /// but the connecting.
    pub(crate) async fn hand_over(&self, outgoing: &Outgoing) -> Result<(), Failed> {
        let mail = compose(&self.sender, outgoing).map_err(Failed::NoMail)?;
        let transport = self
            .transport
            .get_or_try_init(|| async { self.settings.transport() })
            .await
            .map_err(Failed::Tls)?;
        match timeout(self.settings.timeout, transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failed::Server(error)),
            Err(_) => Err(Failed::TooSlow),
        }
    }
}

impl Settings {
    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, SmtpError> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host);
        let mut builder = builder
            .port(self.port)
            .timeout(Some(self.timeout))
            .tls(match self.tls {
                MailTls::Starttls => Tls::Required(self.parameters()?),
                MailTls::Tls => Tls::Wrapper(self.parameters()?),
                MailTls::None => Tls::None,
            })
            .pool_config(PoolConfig::new().max_size(AT_ONCE).idle_timeout(IDLE));
        if let Some((user, password)) = &self.credentials {
            let password = password.expose().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }

    /// Certificates are checked by what this machine trusts, and by the configured
    /// authorities beside that.
    fn parameters(&self) -> Result<TlsParameters, SmtpError> {
        let mut builder = TlsParameters::builder(self.host.clone());
        for pem in self.authorities.iter().flat_map(|pem| certificates(pem)) {
            builder = builder.add_root_certificate(Certificate::from_pem(&pem)?);
        }
        builder.build()
    }
}

/// Each certificate of a PEM file by itself.
fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    let pieces = text.split_inclusive(END);
    pieces
        .filter_map(|piece| {
            let start = piece.find("-----BEGIN CERTIFICATE-----")?;
            let piece = piece.get(start..)?;
            piece.ends_with(END).then(|| piece.as_bytes().to_vec())
        })
        .collect()
}

fn read_authorities(path: &Path) -> Result<Vec<u8>, String> {
    let named = path.display();
    let pem = fs::read(path)
        .map_err(|error| format!("names a file that cannot be read, `{named}`: {error}"))?;
    let all = certificates(&pem);
    if all.is_empty() || all.iter().any(|pem| Certificate::from_pem(pem).is_err()) {
        return Err(format!(
            "names a file without certificates in PEM, `{named}`"
        ));
    }
    Ok(pem)
}

#[async_trait]
impl Sender for SmtpSender {
    fn channel(&self) -> MessageChannel {
        MessageChannel::Mail
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        self.hand_over(outgoing).await.map_err(|failed| {
            let words = failed.words();
            match failed.is_final() {
                true => SendError::Never(words),
                false => SendError::Later(words),
            }
        })
    }
}

impl Failed {
    /// For the log: no more than the code of what the mail server said, since it
    /// may repeat the address or the mail.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::NoMail(error) => error.to_string(),
            Self::Tls(_) => "the certificates of this machine cannot be used".to_owned(),
            Self::TooSlow => "the mail server did not answer in time".to_owned(),
            Self::Server(error) => match error.status() {
                Some(code) => format!("the mail server answered {code}"),
                None if error.is_timeout() => Self::TooSlow.words(),
                None if is_insecure(error) => {
                    "no secure connection to the mail server could be made".to_owned()
                }
                None if error.is_client() => {
                    "the mail server does not offer what the configuration demands".to_owned()
                }
                None => "the mail server could not be reached, or went away".to_owned(),
            },
        }
    }

    /// With what is behind it, for the person at the terminal who asked for the mail.
    pub(crate) fn details(&self) -> String {
        let words = self.words();
        let error = match self {
            Self::NoMail(_) | Self::TooSlow => return words,
            Self::Tls(error) | Self::Server(error) => error,
        };
        if let Some(wrong) = encryption_failed(error).and_then(certificate_words) {
            return format!("{words}: {wrong}");
        }
        // Each error tells those below it too: the last one tells it once.
        let last = causes(error).last();
        last.map_or(words.clone(), |cause| format!("{words}: {cause}"))
    }

    /// Whether the same mail would be refused again.
    fn is_final(&self) -> bool {
        match self {
            Self::NoMail(_) => true,
            Self::Tls(_) | Self::TooSlow => false,
            Self::Server(error) => error.is_permanent() && !self.is_about_us(),
        }
    }

    fn is_about_us(&self) -> bool {
        let Self::Server(error) = self else {
            return false;
        };
        let code = error.status().map(|code| code.to_string());
        let code = code.and_then(|code| code.parse::<u16>().ok());
        code.is_some_and(|code| ABOUT_US.contains(&code))
    }
}

/// What is behind an error, down to the first cause.
fn causes(error: &SmtpError) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
}

/// Whether it was the encryption that failed: lettre counts that as no connection.
fn is_insecure(error: &SmtpError) -> bool {
    error.is_tls() || encryption_failed(error).is_some()
}

/// What failed of the encryption, if that was it.
fn encryption_failed(error: &SmtpError) -> Option<&rustls::Error> {
    causes(error).find_map(|cause| {
        // An input error does not name what it carries as its source.
        let carried = cause.downcast_ref::<io::Error>()?.get_ref()?;
        carried.downcast_ref()
    })
}

/// What is wrong with a certificate that people make or buy, and what helps.
fn certificate_words(error: &rustls::Error) -> Option<&'static str> {
    let rustls::Error::InvalidCertificate(wrong) = error else {
        return None;
    };
    match wrong {
        CertificateError::UnknownIssuer => Some(
            "its certificate is signed by nobody that this machine trusts; name the authority's \
             own certificate in `mail.ca_file`",
        ),
        // The checker's own error has no type here, only its name.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Some(
            "its certificate says that it is an authority's; let that authority sign one for the \
             mail server, and name the authority's in `mail.ca_file`",
        ),
        _ => None,
    }
}
