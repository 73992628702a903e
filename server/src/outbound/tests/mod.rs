//! The guarded client, on real sockets of this machine.

mod party;
#[cfg(feature = "oauth2")]
mod service;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatelodge_core::{
    Error, ErrorKind,
    provider::{HttpRequest, HttpResponse, Outbound as _, Reach, State},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use self::party::{Manner, Party, certified};
use super::{Guarded, LARGEST_BODY};
use crate::config::OutboundConfig;

const CANARY: &str = "canary-4711";

fn guarded(allowed: &[&str]) -> Guarded {
    let allowed_networks = allowed.iter().map(|text| text.parse().unwrap()).collect();
    Guarded::new(&OutboundConfig { allowed_networks })
}

/// What names mean to a test: each look-up gets the next of the answers, and then the
/// last one again.
struct Answers {
    answers: Vec<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

impl Resolve for Answers {
    fn resolve(&self, _: Name) -> Resolving {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(asked).or(self.answers.last()).unwrap();
        let found: Vec<_> = answer.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
        Box::pin(async { Ok(Box::new(found.into_iter()) as Addrs) })
    }
}

fn resolving(guarded: Guarded, answers: &[&[&str]]) -> (Guarded, Arc<AtomicUsize>) {
    let parse = |text: &&str| text.parse().unwrap();
    let asked = Arc::<AtomicUsize>::default();
    let answers = Answers {
        answers: answers
            .iter()
            .map(|one| one.iter().map(parse).collect())
            .collect(),
        asked: asked.clone(),
    };
    let names = Arc::new(answers);
    (Guarded { names, ..guarded }, asked)
}

fn get(url: &str, reach: Reach) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: url.parse().unwrap(),
        reach,
        headers: BTreeMap::new(),
        body: State::default(),
        timeout: Duration::from_secs(20),
    }
}

/// Asks somebody on this machine.
async fn ask(party: &Party) -> Result<HttpResponse, Error> {
    let request = get(
        &format!("http://{}/x?{CANARY}", party.place),
        Reach::Loopback,
    );
    guarded(&[]).fetch(request).await
}

#[track_caller]
fn refused(answer: Result<HttpResponse, Error>) -> String {
    said(answer, ErrorKind::Refused)
}

#[track_caller]
fn unavailable(answer: Result<HttpResponse, Error>) -> String {
    said(answer, ErrorKind::Unavailable)
}

#[track_caller]
fn said(answer: Result<HttpResponse, Error>, kind: ErrorKind) -> String {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn an_answer_comes_back_as_it_is() {
    let manner = Manner::says(
        "404 Not Found\r\nX-Kind: a\r\nX-Kind: b\r\nETag: \"1\"",
        "{}",
    );
    let party = Party::plain(manner).await;
    let mut request = get(
        &format!("http://{}/x?y=z#part", party.place),
        Reach::Loopback,
    );
    request.method = "POST".to_owned();
    request.body = State(b"code=1".to_vec());
    let fields = [
        ("Accept", "application/json"),
        ("authorization", "Basic eDp5"),
    ];
    request.headers = fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let answer = guarded(&[]).fetch(request).await.unwrap();
    assert_eq!((answer.status, answer.body.0.as_slice()), (404, &b"{}"[..]));
    assert_eq!(answer.headers["x-kind"], "a, b");
    assert_eq!(answer.headers["etag"], "\"1\"");
    let heard = party.heard().concat();
    assert!(heard.starts_with("POST /x?y=z HTTP/1.1\r\n"), "{heard}");
    assert!(heard.ends_with("\r\n\r\ncode=1"), "{heard}");
    for line in [
        "accept: application/json",
        "authorization: Basic eDp5",
        "user-agent: Gatelodge",
    ] {
        assert!(heard.contains(&format!("{line}\r\n")), "{heard}");
    }
    assert!(!heard.to_lowercase().contains("accept-encoding"), "{heard}");
}

#[tokio::test]
async fn s46_inner_addresses_are_not_asked_in_any_spelling() {
    let party = Party::plain(Manner::says("200 OK", "inside")).await;
    let port = party.place.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "１２７.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "0",
        "[::]",
        "169.254.169.254",
        "2852039166",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "012.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "localhost",
        "LOCALHOST",
    ] {
        let request = get(&format!("https://{host}:{port}/x?{CANARY}"), Reach::Public);
        let words = refused(guarded(&[]).fetch(request).await);
        assert!(
            words.ends_with("it has an address that is not public"),
            "{host}: {words}"
        );
    }
    assert!(party.heard().is_empty());
}

#[tokio::test]
async fn s46_a_name_is_asked_only_if_every_address_of_it_may_be() {
    let lists: [&[&str]; 5] = [
        &["10.0.0.1"],
        &["8.8.8.8", "127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["2606:4700::1111", "fd00::1"],
        &["169.254.169.254"],
    ];
    for list in lists {
        let (guarded, _) = resolving(guarded(&[]), &[list]);
        let request = get("https://party.example/x", Reach::Public);
        let words = refused(guarded.fetch(request).await);
        let told = "`party.example` is not asked: it has an address that is not public";
        assert_eq!(words, told, "{list:?}");
    }
    let (guarded, _) = resolving(guarded(&[]), &[&[]]);
    let request = get("https://party.example/x", Reach::Public);
    let words = unavailable(guarded.fetch(request).await);
    assert_eq!(words, "`party.example` cannot be reached");
}

/// The first answer may be asked, the next one may not: each request looks once, and
/// goes to what was found then.
#[tokio::test]
async fn s46_a_name_that_changes_its_meaning_is_looked_at_each_time() {
    let party = Party::plain(Manner::says("200 OK", "inside")).await;
    let answers: [&[&str]; 2] = [&["127.0.0.1"], &["10.0.0.1"]];
    let (guarded, asked) = resolving(guarded(&[]), &answers);
    let url = format!("http://rebind.example:{}/", party.place.port());
    let answer = guarded.fetch(get(&url, Reach::Loopback)).await.unwrap();
    assert_eq!(answer.body.0, b"inside");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one look, one connection");
    let words = refused(guarded.fetch(get(&url, Reach::Loopback)).await);
    assert!(
        words.ends_with("it has an address that is not this machine's"),
        "{words}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(party.heard().len(), 1);
}

#[tokio::test]
async fn s46_what_may_go_to_this_machine_goes_nowhere_else() {
    for host in [
        "10.0.0.1",
        "8.8.8.8",
        "[2606:4700::1111]",
        "169.254.169.254",
        "0.0.0.0",
    ] {
        for scheme in ["http", "https"] {
            let request = get(&format!("{scheme}://{host}/"), Reach::Loopback);
            let words = refused(guarded(&["10.0.0.0/8"]).fetch(request).await);
            assert!(words.contains("not this machine's"), "{words}");
        }
    }
    let party = Party::plain(Manner::says("200 OK", "here")).await;
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/", party.place.port());
        let answer = guarded(&[]).fetch(get(&url, Reach::Loopback)).await;
        assert_eq!(answer.unwrap().body.0, b"here", "{host}");
    }
}

#[tokio::test]
async fn s46_only_https_without_user_names_is_asked() {
    let party = Party::plain(Manner::says("200 OK", "inside")).await;
    let place = party.place;
    for (url, reach) in [
        (format!("http://{place}/"), Reach::Public),
        ("http://party.example/".to_owned(), Reach::Public),
        ("file:///etc/passwd".to_owned(), Reach::Public),
        ("file:///etc/passwd".to_owned(), Reach::Loopback),
        ("file://localhost/x".to_owned(), Reach::Loopback),
        (format!("ftp://{place}/"), Reach::Loopback),
        (format!("gopher://{place}/"), Reach::Loopback),
        ("data:text/plain,x".to_owned(), Reach::Public),
        ("unix:/run/docker.sock".to_owned(), Reach::Loopback),
        ("javascript:1".to_owned(), Reach::Public),
    ] {
        let words = refused(guarded(&["127.0.0.0/8"]).fetch(get(&url, reach)).await);
        assert!(words.starts_with("only `https`"), "{url}: {words}");
    }
    for user in ["user@", "user:canary-4711@", ":canary-4711@"] {
        let request = get(&format!("http://{user}{place}/"), Reach::Loopback);
        let words = refused(guarded(&[]).fetch(request).await);
        assert_eq!(
            words,
            "an address with a user name or password is not asked"
        );
    }
    assert!(party.heard().is_empty());
}

#[tokio::test]
async fn s46_a_redirect_is_an_answer_like_any_other() {
    let inside = Party::plain(Manner::says("200 OK", "inside")).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let location = format!("{status}\r\nLocation: http://{}/", inside.place);
        let party = Party::plain(Manner::says(&location, "")).await;
        let mut request = get(&format!("http://{}/", party.place), Reach::Loopback);
        request.method = "POST".to_owned();
        let answer = guarded(&[]).fetch(request).await.unwrap();
        assert!(status.starts_with(&answer.status.to_string()), "{status}");
        assert_eq!(party.heard().len(), 1);
    }
    assert!(inside.heard().is_empty());
}

#[tokio::test]
async fn s46_a_body_is_read_up_to_its_limit() {
    let most = "x".repeat(LARGEST_BODY);
    let answer = ask(&Party::plain(Manner::says("200 OK", &most)).await).await;
    assert_eq!(answer.unwrap().body.0.len(), LARGEST_BODY);
    let huge = Manner::says("200 OK", &format!("{most}y"));
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4_096));
    let endless = Manner::goes_on(chunks, &chunk, Duration::ZERO);
    let until_closed = Manner::goes_on("HTTP/1.1 200 OK\r\n\r\n", &most, Duration::ZERO);
    for manner in [huge, endless, until_closed] {
        let words = unavailable(ask(&Party::plain(manner).await).await);
        assert_eq!(words, "the body of `127.0.0.1` is too large");
    }
}

#[tokio::test]
async fn s46_what_is_sent_compressed_stays_so() {
    // 1 MiB of zeros.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, &vec![b'0'; 1 << 20]).unwrap();
    let size = packed.finish().unwrap().len();
    let body = "z".repeat(size);
    let manner = Manner::says("200 OK\r\nContent-Encoding: gzip", &body);
    let answer = ask(&Party::plain(manner).await).await.unwrap();
    assert_eq!(answer.body.0, body.into_bytes());
    assert_eq!(answer.headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn s46_a_header_without_end_is_not_read_to_the_end() {
    let start = "HTTP/1.1 200 OK\r\n";
    let fields = Manner::goes_on(start, &"x: y\r\n".repeat(1_000), Duration::ZERO);
    let field = Manner::goes_on("HTTP/1.1 200 OK\r\nx: ", &"y".repeat(4_096), Duration::ZERO);
    for manner in [fields, field] {
        let words = unavailable(ask(&Party::plain(manner).await).await);
        assert_eq!(words, "`127.0.0.1` gave no proper answer");
    }
    let large = format!("200 OK\r\nx: {}", "y".repeat(40_000));
    let words = unavailable(ask(&Party::plain(Manner::says(&large, "")).await).await);
    assert_eq!(words, "the header of `127.0.0.1` is too large");
    let words =
        unavailable(ask(&Party::plain(Manner::Says("220 smtp\r\n".to_owned())).await).await);
    assert_eq!(words, "`127.0.0.1` gave no proper answer");
}

#[tokio::test]
async fn s46_whoever_is_slow_is_not_waited_for() {
    let drip = Duration::from_millis(20);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n";
    for manner in [
        Manner::Hangs,
        Manner::goes_on(head, "x", drip),
        Manner::goes_on("HTTP/1.1 200 OK\r\n", "x: y\r\n", drip),
    ] {
        let party = Party::plain(manner).await;
        let mut request = get(
            &format!("http://{}/?{CANARY}", party.place),
            Reach::Loopback,
        );
        request.timeout = Duration::from_millis(300);
        let words = unavailable(guarded(&[]).fetch(request).await);
        assert_eq!(words, "`127.0.0.1` did not answer in time");
    }
}

/// However long a provider would wait; a look-up that never ends counts as well.
#[tokio::test(start_paused = true)]
async fn s46_half_a_minute_is_the_longest() {
    struct Never;
    impl Resolve for Never {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(std::future::pending())
        }
    }
    let guarded = Guarded {
        names: Arc::new(Never),
        ..guarded(&[])
    };
    let mut request = get("https://party.example/", Reach::Public);
    request.timeout = Duration::from_secs(86_400);
    let begun = tokio::time::Instant::now();
    let words = unavailable(guarded.fetch(request).await);
    assert_eq!(words, "`party.example` did not answer in time");
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn an_allowed_network_is_asked_by_https_if_its_certificate_is_right() {
    let (root, config) = certified("party.example");
    let party = Party::encrypted(Manner::says("200 OK", "inside"), config).await;
    let (guarded, _) = resolving(guarded(&["127.0.0.0/8"]), &[&["127.0.0.1"]]);
    let trusting = Guarded {
        roots: vec![root],
        public: OnceLock::new(),
        ..guarded
    };
    let port = party.place.port();
    let url = format!("https://party.example:{port}/");
    let answer = trusting.fetch(get(&url, Reach::Public)).await.unwrap();
    assert_eq!(answer.body.0, b"inside");
    let other = format!("https://other.example:{port}/");
    let words = unavailable(trusting.fetch(get(&other, Reach::Public)).await);
    assert_eq!(words, "the certificate of `other.example` is not valid");
    assert_eq!(party.heard().len(), 1);
}

#[tokio::test]
async fn s46_a_certificate_that_nobody_vouches_for_is_refused() {
    let (_, config) = certified("party.example");
    let party = Party::encrypted(Manner::says("200 OK", "inside"), config).await;
    for reach in [Reach::Public, Reach::Loopback] {
        let (guarded, _) = resolving(guarded(&["127.0.0.0/8"]), &[&["127.0.0.1"]]);
        let url = format!("https://party.example:{}/", party.place.port());
        let words = unavailable(guarded.fetch(get(&url, reach)).await);
        assert_eq!(words, "the certificate of `party.example` is not valid");
    }
    let plain = Party::plain(Manner::Greets("220 mail ready\r\n".to_owned())).await;
    let (guarded, _) = resolving(guarded(&["127.0.0.0/8"]), &[&["127.0.0.1"]]);
    let url = format!("https://party.example:{}/", plain.place.port());
    let words = unavailable(guarded.fetch(get(&url, Reach::Public)).await);
    assert_eq!(
        words,
        "no encrypted connection to `party.example` could be made"
    );
    assert!(party.heard().is_empty());
}

#[tokio::test]
async fn what_a_request_must_not_say_is_refused() {
    let party = Party::plain(Manner::says("200 OK", "inside")).await;
    let fine = get(&format!("http://{}/", party.place), Reach::Loopback);
    for method in [
        "PUT",
        "DELETE",
        "get",
        "CONNECT",
        "",
        "GET / HTTP/1.1\r\nx: y",
    ] {
        let method = method.to_owned();
        let words = refused(
            guarded(&[])
                .fetch(HttpRequest {
                    method,
                    ..fine.clone()
                })
                .await,
        );
        assert!(
            words.starts_with("only `GET` and `POST` are asked"),
            "{words}"
        );
    }
    for (name, value) in [
        ("Host", "inside.example"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "upgrade"),
        ("Proxy-Authorization", "x"),
        ("x y", "z"),
        ("accept", "a\r\nhost: b"),
    ] {
        let headers = [(name.to_owned(), value.to_owned())].into();
        let words = refused(
            guarded(&[])
                .fetch(HttpRequest {
                    headers,
                    ..fine.clone()
                })
                .await,
        );
        assert_eq!(words, format!("the header field `{name}` cannot be sent"));
    }
    assert!(party.heard().is_empty());
}

#[tokio::test]
async fn who_is_not_there_is_unavailable() {
    let nobody = Party::plain(Manner::Hangs).await;
    let place = nobody.place;
    drop(nobody);
    tokio::task::yield_now().await;
    let request = get(&format!("http://{place}/?{CANARY}"), Reach::Loopback);
    let words = unavailable(guarded(&[]).fetch(request).await);
    assert_eq!(words, "`127.0.0.1` cannot be reached");
}

#[tokio::test]
async fn what_becomes_of_requests_is_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let party = Party::plain(Manner::says("200 OK", "here")).await;
    ask(&party).await.unwrap();
    let request = get(&format!("http://{}/", party.place), Reach::Public);
    refused(guarded(&[]).fetch(request).await);
    let huge = Manner::says("200 OK", &"x".repeat(LARGEST_BODY + 1));
    unavailable(ask(&Party::plain(huge).await).await);
    let slow = Party::plain(Manner::Hangs).await;
    let mut request = get(&format!("http://{}/", slow.place), Reach::Loopback);
    request.timeout = Duration::from_millis(100);
    unavailable(guarded(&[]).fetch(request).await);
    let odd = Party::plain(Manner::Greets("220 mail ready\r\n".to_owned())).await;
    unavailable(ask(&odd).await);
    let figures = figures.render();
    for outcome in ["answered", "refused", "too_large", "timed_out", "failed"] {
        let line = format!("gatelodge_outbound_requests_total{{outcome=\"{outcome}\"}} 1\n");
        assert!(figures.contains(&line), "{figures}");
    }
}
