//! A mail server on this machine that takes mails or behaves badly, and keeps
//! what it got.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// How the server behaves from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Takes,
    /// Answers this to a recipient.
    Says(&'static str),
    /// Stops answering when it has the mail.
    Hangs,
    /// Closes the connection in the middle of the mail.
    HangsUp,
}

/// How its connections are encrypted.
#[derive(Clone)]
pub(super) enum Encryption {
    None,
    Starttls(Arc<ServerConfig>),
    Tls(Arc<ServerConfig>),
}

/// What it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    /// With lines that end as they came.
    pub(super) data: String,
    pub(super) is_encrypted: bool,
}

impl Mail {
    /// A header, put together from its lines.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.data.split_once("\r\n\r\n")?;
        let mut found: Option<String> = None;
        for line in head.split("\r\n") {
            match &mut found {
                Some(value) if line.starts_with([' ', '\t']) => value.push_str(line),
                Some(_) => break,
                None => found = line.strip_prefix(&format!("{name}: ")).map(str::to_owned),
            }
        }
        found
    }

    /// The data as it was before it was encoded for the way (RFC 2045 section 6.7).
    pub(super) fn decoded(&self) -> String {
        let joined = self.data.replace("=\r\n", "");
        let mut bytes = Vec::new();
        let mut rest = joined.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let code = after
                .get(..2)
                .and_then(|code| std::str::from_utf8(code).ok());
            let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
            match byte.filter(|_| *first == b'=') {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &after[2..];
                }
                None => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

struct Shared {
    manner: Mutex<Manner>,
    encryption: Encryption,
    mails: Mutex<Vec<Mail>>,
    /// Lines that came before anything was encrypted, and all that came after.
    lines: Mutex<Vec<String>>,
    sessions: AtomicUsize,
}

/// The server; it ends when it is dropped.
pub(super) struct MailServer {
    pub(super) port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    pub(super) async fn start(encryption: Encryption) -> Self {
        Self::at(0, encryption).await
    }

    pub(super) async fn at(port: u16, encryption: Encryption) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Takes),
            encryption,
            mails: Mutex::default(),
            lines: Mutex::default(),
            sessions: AtomicUsize::new(0),
        });
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            let mut talks = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serving.sessions.fetch_add(1, Ordering::SeqCst);
                talks.spawn(serve(serving.clone(), stream));
            }
        });
        Self { port, shared, task }
    }

    pub(super) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    pub(super) fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap().clone()
    }

    pub(super) fn sessions(&self) -> usize {
        self.shared.sessions.load(Ordering::SeqCst)
    }

    /// All lines that anybody said to it.
    pub(super) fn heard(&self) -> String {
        self.shared.lines.lock().unwrap().join("\n")
    }

    /// Waits until somebody has handed it a mail that it does not answer.
    pub(super) async fn is_hanging(&self) {
        while !self.heard().contains("\n.") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let acceptor = |config: &Arc<ServerConfig>| TlsAcceptor::from(config.clone());
    match shared.encryption.clone() {
        Encryption::None => _ = talk(&shared, stream, false).await,
        Encryption::Tls(config) => {
            if let Ok(stream) = acceptor(&config).accept(stream).await {
                talk(&shared, stream, true).await;
            }
        }
        Encryption::Starttls(config) => {
            let Some(stream) = talk(&shared, stream, false).await else {
                return;
            };
            if let Ok(stream) = acceptor(&config).accept(stream).await {
                talk(&shared, stream, true).await;
            }
        }
    }
}

/// One conversation; answers the stream when it is to be encrypted.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    stream: S,
    is_encrypted: bool,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    let offers_starttls = matches!(shared.encryption, Encryption::Starttls(_)) && !is_encrypted;
    let resumes = is_encrypted && matches!(shared.encryption, Encryption::Starttls(_));
    if !resumes {
        say(&mut stream, "220 mail.test ESMTP").await?;
    }
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let line = hear(shared, &mut stream).await?;
        let manner = *shared.manner.lock().unwrap();
        let word = line.split([' ', ':']).next().unwrap_or_default();
        let answer = match word.to_ascii_uppercase().as_str() {
            "EHLO" if offers_starttls => "250-mail.test\r\n250-STARTTLS\r\n250 8BITMIME",
            "EHLO" => "250-mail.test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
            "STARTTLS" if offers_starttls => {
                say(&mut stream, "220 go ahead").await?;
                return Some(stream.into_inner());
            }
            "AUTH" => "235 welcome",
            "MAIL" => {
                from = inside(&line);
                to.clear();
                "250 ok"
            }
            "RCPT" => match manner {
                Manner::Says(answer) => answer,
                _ => {
                    to.push(inside(&line));
                    "250 ok"
                }
            },
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                if manner == Manner::HangsUp {
                    hear(shared, &mut stream).await?;
                    return None;
                }
                let data = hear_mail(shared, &mut stream).await?;
                if manner == Manner::Hangs {
                    std::future::pending::<()>().await;
                }
                shared.mails.lock().unwrap().push(Mail {
                    from: from.clone(),
                    to: std::mem::take(&mut to),
                    data,
                    is_encrypted,
                });
                "250 taken"
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return None;
            }
            "NOOP" | "RSET" => "250 ok",
            _ => "502 what?",
        };
        say(&mut stream, answer).await?;
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), line: &str) -> Option<()> {
    let line = format!("{line}\r\n");
    stream.write_all(line.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn hear<S: AsyncRead + Unpin>(shared: &Shared, stream: &mut BufReader<S>) -> Option<String> {
    let mut bytes = Vec::new();
    if stream.read_until(b'\n', &mut bytes).await.ok()? == 0 {
        return None;
    }
    let line = String::from_utf8_lossy(&bytes);
    let line = line.trim_end_matches(['\r', '\n']).to_owned();
    shared.lines.lock().unwrap().push(line.clone());
    Some(line)
}

async fn hear_mail<S: AsyncRead + Unpin>(
    shared: &Shared,
    stream: &mut BufReader<S>,
) -> Option<String> {
    let mut data = String::new();
    loop {
        let line = hear(shared, stream).await?;
        if line == "." {
            return Some(data);
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
        data.push_str("\r\n");
    }
}

/// What stands between the angle brackets.
fn inside(line: &str) -> String {
    let inside = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or_else(String::new, |(inside, _)| inside.to_owned())
}

/// A certificate that nobody else has signed, and its key.
pub(super) struct Certificate {
    /// As it stands in a file.
    pub(super) pem: String,
    pub(super) config: Arc<ServerConfig>,
}

/// A certificate for a host name.
pub(super) fn certificate(name: &str) -> Certificate {
    signed_by_itself(CertificateParams::new([name.to_owned()]).unwrap())
}

/// The certificate of an authority that is for a host name, too: what most people
/// get who make one by themselves.
pub(super) fn authority(name: &str) -> Certificate {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut who = DistinguishedName::new();
    who.push(DnType::CommonName, "an authority");
    params.distinguished_name = who;
    signed_by_itself(params)
}

fn signed_by_itself(params: CertificateParams) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], PrivateKeyDer::from(key))
        .unwrap();
    Certificate {
        pem: made.pem(),
        config: Arc::new(config),
    }
}
