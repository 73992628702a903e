//! Somebody outside who answers badly.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// How it answers.
#[derive(Debug, Clone)]
pub(super) enum Manner {
    /// With this, and closes.
    Says(String),
    /// With this, before it was asked anything.
    Greets(String),
    /// Not at all.
    Hangs,
    /// With this again and again.
    GoesOn {
        first: String,
        then: String,
        pause: Duration,
    },
}

impl Manner {
    pub(super) fn says(head: &str, body: &str) -> Self {
        let size = body.len();
        Self::Says(format!(
            "HTTP/1.1 {head}\r\nContent-Length: {size}\r\n\r\n{body}"
        ))
    }

    pub(super) fn goes_on(first: &str, then: &str, pause: Duration) -> Self {
        Self::GoesOn {
            first: first.to_owned(),
            then: then.to_owned(),
            pause,
        }
    }
}

/// It, and what it was asked; it ends when it is dropped.
pub(super) struct Party {
    pub(super) place: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Party {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Party {
    pub(super) async fn plain(manner: Manner) -> Self {
        Self::start(manner, None).await
    }

    pub(super) async fn encrypted(manner: Manner, config: Arc<ServerConfig>) -> Self {
        Self::start(manner, Some(TlsAcceptor::from(config))).await
    }

    async fn start(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let theirs = heard.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, tls, heard) = (manner.clone(), tls.clone(), theirs.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, manner, heard).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => answer(stream, manner, heard).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { place, heard, task }
    }

    /// The requests, as they came.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    manner: Manner,
    heard: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    if let Manner::Greets(greeting) = manner {
        stream.write_all(greeting.as_bytes()).await.ok()?;
        return stream.shutdown().await.ok();
    }
    let request = hear(&mut stream).await?;
    heard.lock().unwrap().push(request);
    match manner {
        Manner::Says(answer) => {
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.shutdown().await.ok()
        }
        Manner::Hangs | Manner::Greets(_) => std::future::pending().await,
        Manner::GoesOn { first, then, pause } => {
            stream.write_all(first.as_bytes()).await.ok()?;
            loop {
                stream.write_all(then.as_bytes()).await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// A request with its body.
async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    loop {
        let read = stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}

/// An authority, and the configuration of a server that it vouches for.
pub(super) fn certified(name: &str) -> (reqwest::Certificate, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let made = params.signed_by(&key, &issuer).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], PrivateKeyDer::from(key))
        .unwrap();
    let root = reqwest::Certificate::from_der(authority.der()).unwrap();
    (root, Arc::new(config))
}
