//! R13: the mail server is gone, says "later", hangs, or hangs up. Whoever asks for a mail is answered all the same, and
//! gets it once the mail server is itself again, once.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gatelodge_e2e::{
    nodes::UNLIMITED,
    place::{Place, decoded},
    wait,
    world::{HOME, World},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    pair::{begin, fill},
    report::Outcome,
    site::Kind,
};

/// How long an answer may take while the mail server does not work.
const LIMIT: Duration = Duration::from_secs(5);
/// How long a mail may take once it works again.
const ARRIVES: Duration = Duration::from_secs(90);
/// Long enough for the server to have tried.
const TRIED: Duration = Duration::from_secs(3);

/// How the mail server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Takes,
    /// Asks to come again.
    Later,
    /// Stops answering when it has the mail.
    Hangs,
    /// Closes the connection in the middle of the mail.
    HangsUp,
}

#[derive(Clone)]
struct MailServer {
    manner: Arc<Mutex<Manner>>,
    mails: Arc<Mutex<Vec<String>>>,
}

/// Lets the mail server fail in each way, so many times.
pub async fn server_fails(kind: Kind, times: usize) -> Outcome {
    let mut outcome = Outcome::of(match kind {
        Kind::Sqlite => "mail-fails-sqlite",
        Kind::Postgres => "mail-fails-postgres",
    });
    let mut late = Vec::new();
    for _ in 0..times {
        late.extend(round(kind, &mut outcome).await);
    }
    outcome.measure_all("answered meanwhile", &late);
    outcome
}

/// One ask in each manner, then it works. Answers how long each was answered after.
async fn round(kind: Kind, outcome: &mut Outcome) -> Vec<Duration> {
    // A port where nobody listens yet.
    let port = free_port().await;
    let mail = format!(
        "\n[mail]\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
         sender = \"lodge@lodge.example\"\ntimeout_seconds = 1\n"
    );
    let place = Place::on(kind.storage()).configured(&format!("{UNLIMITED}{mail}"));
    let world = World::of(place).await;
    let mut late = vec![ask(&world, "gone", outcome).await];
    tokio::time::sleep(TRIED).await;
    let server = MailServer {
        manner: Arc::new(Mutex::new(Manner::Later)),
        mails: Arc::default(),
    };
    let _listening = server.listen(port).await;
    let manners = [
        ("later", Manner::Later),
        ("hangs", Manner::Hangs),
        ("hangs-up", Manner::HangsUp),
    ];
    for (user, manner) in manners {
        *server.manner.lock().unwrap() = manner;
        late.push(ask(&world, user, outcome).await);
        tokio::time::sleep(TRIED).await;
    }
    outcome.expect(server.mails().is_empty(), || {
        "a mail went where none was taken".to_owned()
    });
    *server.manner.lock().unwrap() = Manner::Takes;
    let arrived = wait::holds_within(ARRIVES, async || server.mails().len() >= 4).await;
    outcome.expect(arrived, || {
        format!("{} of 4 mails arrived", server.mails().len())
    });
    // Nothing comes that was sent already.
    tokio::time::sleep(TRIED).await;
    let mails = server.mails();
    let ids = mails.iter().filter_map(|mail| line(mail, "Message-ID: "));
    let ids = ids.collect::<BTreeSet<_>>().len();
    outcome.expect((mails.len(), ids) == (4, 4), || {
        format!("{} mails with {ids} ids for 4 who asked", mails.len())
    });
    for mail in &mails {
        opens(&world, mail, outcome).await;
    }
    outcome.acknowledged += 4;
    outcome.faults += 4;
    late
}

/// Somebody new is invited; that is answered at once.
async fn ask(world: &World, user: &str, outcome: &mut Outcome) -> Duration {
    let email = format!("{user}@lodge.example");
    let new = json!({ "user_name": user, "email": email, "invite": true });
    let path = format!("/api/v1/tenants/{HOME}/users");
    let begun = Instant::now();
    let answer = world.administrator.post(&path, new).await;
    let took = begun.elapsed();
    outcome
        .answers
        .entry(Some(answer.status))
        .and_modify(|count| *count += 1)
        .or_insert(1);
    outcome.expect(answer.status == 201 && took < LIMIT, || {
        format!(
            "asking while the mail server {user}: {} after {took:?}",
            answer.status
        )
    });
    took
}

/// The link in the mail is that of the configured origin, and opens.
async fn opens(world: &World, mail: &str, outcome: &mut Outcome) {
    let link = mail
        .lines()
        .find(|line| line.contains("/link/invite?token="));
    let origin = world.server.origin();
    let is_ours = link.is_some_and(|link| link.starts_with(origin));
    outcome.expect(is_ours, || "a mail without a link of ours".to_owned());
    let Some((_, token)) = link.and_then(|link| link.split_once("?token=")) else {
        return;
    };
    world.place.secrets().keep(token);
    let link = json!({ "purpose": "invite", "token": token.trim() });
    let nobody = world.nobody();
    let opened = begin(&nobody, json!({ "tenant": HOME, "link": link })).await;
    let status = match opened.status {
        201 => {
            fill(&nobody, &opened.body, "one-time-token", json!({}))
                .await
                .status
        }
        other => other,
    };
    outcome.expect(status == 200, || {
        format!("a link that arrived late: {status}")
    });
}

impl MailServer {
    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    /// Serves until what is answered is dropped.
    async fn listen(&self, port: u16) -> JoinSet<()> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let server = self.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                talks.spawn(async move { server.talk(stream).await });
            }
        });
        serving
    }

    /// One connection (RFC 5321), until one of both has enough.
    async fn talk(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        say(&mut stream, "220 lodge.example ESMTP").await?;
        loop {
            let line = hear(&mut stream).await?;
            let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            let manner = *self.manner.lock().unwrap();
            let answer = match (word.as_str(), manner) {
                ("RCPT", Manner::Later) => "451 4.3.0 later",
                ("DATA", _) => {
                    say(&mut stream, "354 go on").await?;
                    self.take(&mut stream, manner).await?;
                    "250 2.0.0 taken"
                }
                _ => "250 lodge.example",
            };
            say(&mut stream, answer).await?;
        }
    }

    async fn take(&self, stream: &mut BufReader<TcpStream>, manner: Manner) -> Option<()> {
        let mut mail = String::new();
        loop {
            let line = hear(stream).await?;
            if manner == Manner::HangsUp {
                return None;
            }
            if line.trim_end() == "." {
                break;
            }
            mail.push_str(&line);
        }
        if manner == Manner::Hangs {
            std::future::pending::<()>().await;
        }
        self.mails.lock().unwrap().push(decoded(&mail));
        Some(())
    }
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Option<()> {
    let line = format!("{line}\r\n");
    stream.write_all(line.as_bytes()).await.ok()
}

async fn hear(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.ok()?;
    (length > 0).then_some(line)
}

fn line<'a>(mail: &'a str, begins: &str) -> Option<&'a str> {
    mail.lines().find_map(|line| line.strip_prefix(begins))
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}
