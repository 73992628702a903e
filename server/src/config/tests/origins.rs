//! What the server is called, and who is calling.

use std::net::{IpAddr, SocketAddr};

use super::{Folder, load_environment};
use crate::config::{Config, Origin, OriginPolicy, ServerConfig, network_of, resolve_origin};

fn server(origin: Option<&str>, trusted_proxies: &[&str]) -> Config {
    let server = ServerConfig {
        origin: origin.map(|origin| origin.parse().unwrap()),
        trusted_proxies: trusted_proxies
            .iter()
            .map(|network| network.parse().unwrap())
            .collect(),
        ..ServerConfig::default()
    };
    Config {
        server,
        ..Config::default()
    }
}

fn policy(origin: Option<&str>, listen: &str) -> OriginPolicy {
    resolve_origin(&server(origin, &[]), listen.parse().unwrap()).unwrap()
}

fn refusal(origin: Option<&str>, listen: &str) -> String {
    resolve_origin(&server(origin, &[]), listen.parse().unwrap())
        .unwrap_err()
        .to_string()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    for (written, exactly) in [
        ("https://id.example.org", "https://id.example.org"),
        ("https://id.example.org/", "https://id.example.org"),
        ("HTTPS://ID.Example.org:443", "https://id.example.org"),
        ("https://id.example.org:8443", "https://id.example.org:8443"),
        ("http://localhost:80", "http://localhost"),
        ("http://[0:0::1]:8080", "http://[::1]:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ] {
        assert_eq!(written.parse::<Origin>().unwrap().to_string(), exactly);
    }
}

#[test]
fn what_is_more_or_less_than_an_origin_is_refused_in_words() {
    for (written, words) in [
        (
            "id.example.org",
            "must be scheme, host and perhaps port, such as `https://id.example.org`",
        ),
        ("localhost:8080", "must begin with `https://` or `http://`"),
        (
            "ftp://id.example.org",
            "must begin with `https://` or `http://`",
        ),
        (
            "https://user:word@id.example.org",
            "must not hold a user name or password",
        ),
        (
            "https://id.example.org/sso",
            "must end after host and port, without a path",
        ),
        (
            "https://id.example.org?x",
            "must end after host and port, without a path",
        ),
        (
            "https://id.example.org#x",
            "must end after host and port, without a path",
        ),
        ("https://*.example.org", "must hold the name of one host"),
        ("https://id.example.org.", "must hold the name of one host"),
        ("https://id.example.org:0", "must not hold port 0"),
    ] {
        assert_eq!(
            written.parse::<Origin>().unwrap_err().to_string(),
            words,
            "{written}"
        );
        let error = load_environment(&[("GATELODGE_SERVER__ORIGIN", written)])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!("environment variable GATELODGE_SERVER__ORIGIN: `server.origin` {words}")
        );
    }
}

#[test]
fn without_an_origin_links_say_localhost_and_cookies_are_plain() {
    for listen in ["127.0.0.1:8080", "[::1]:8080"] {
        let policy = policy(None, listen);
        assert_eq!(policy.links_base(), "http://localhost:8080");
        assert!(!policy.secure_cookies());
        assert_eq!(policy.rp_id(), Some("localhost"));
    }
}

#[test]
fn without_an_origin_only_the_names_of_this_machine_with_the_port_are_ours() {
    let unset = policy(None, "127.0.0.1:8080");
    for host in [
        "localhost:8080",
        "LocalHost:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
    ] {
        assert!(unset.host_is_ours(host), "{host}");
    }
    for host in [
        "",
        "localhost",
        "localhost:80",
        "localhost:8081",
        "localhost:08080",
        "localhost:+8080",
        "localhost:8080 ",
        " localhost:8080",
        "localhost.:8080",
        "evil.example:8080",
        "localhost:8080.evil.example",
        "localhost.evil.example:8080",
        "127.0.0.2:8080",
        "127.1:8080",
        "2130706433:8080",
        "::1:8080",
        "user@localhost:8080",
        "localhost:8080,evil.example",
        "localhost:8080/",
    ] {
        assert!(!unset.host_is_ours(host), "{host}");
    }
    let on_80 = policy(None, "127.0.0.1:80");
    assert_eq!(on_80.links_base(), "http://localhost");
    assert!(on_80.host_is_ours("localhost") && on_80.host_is_ours("127.0.0.1:80"));
}

#[test]
fn with_an_origin_only_its_host_is_ours() {
    let policy = policy(Some("https://id.example.org"), "127.0.0.1:8080");
    assert_eq!(policy.links_base(), "https://id.example.org");
    assert!(policy.secure_cookies());
    assert_eq!(policy.rp_id(), Some("id.example.org"));
    for host in ["id.example.org", "ID.EXAMPLE.ORG", "id.example.org:443"] {
        assert!(policy.host_is_ours(host), "{host}");
    }
    for host in [
        "localhost:8080",
        "127.0.0.1:8080",
        "id.example.org:80",
        "id.example.org:8080",
        "id.example.org.evil",
        "xid.example.org",
        "example.org",
    ] {
        assert!(!policy.host_is_ours(host), "{host}");
    }
}

#[test]
fn a_page_is_ours_when_origin_and_host_are_the_same_place() {
    let unset = policy(None, "127.0.0.1:8080");
    for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
        assert!(
            unset.origin_is_ours(&format!("http://{host}"), host),
            "{host}"
        );
    }
    assert!(!unset.origin_is_ours("http://localhost:8080", "127.0.0.1:8080"));
    assert!(!unset.origin_is_ours("https://localhost:8080", "localhost:8080"));
    let set = policy(Some("https://id.example.org"), "127.0.0.1:8080");
    assert!(set.origin_is_ours("https://id.example.org", "id.example.org"));
    for origin in [
        "null",
        "",
        "http://id.example.org",
        "https://id.example.org:443",
        "https://id.example.org/",
        "https://evil.example",
        "https://id.example.org.evil",
    ] {
        assert!(!set.origin_is_ours(origin, "id.example.org"), "{origin}");
    }
    assert!(!set.origin_is_ours("https://id.example.org", "evil.example"));
}

#[test]
fn an_address_is_no_relying_party_id() {
    assert_eq!(
        policy(Some("http://127.0.0.1:8080"), "127.0.0.1:8080").rp_id(),
        None
    );
    assert_eq!(
        policy(Some("http://[::1]:8080"), "127.0.0.1:8080").rp_id(),
        None
    );
    assert_eq!(
        policy(Some("http://id.localhost:8080"), "127.0.0.1:8080").rp_id(),
        Some("id.localhost")
    );
}

#[test]
fn listening_publicly_without_an_origin_is_refused() {
    for listen in [
        "0.0.0.0:8080",
        "[::]:8080",
        "192.168.1.2:8080",
        "[2001:db8::1]:8080",
    ] {
        let refusal = refusal(None, listen);
        assert!(
            refusal.contains("`server.listen` is an address other machines can reach, `"),
            "{refusal}"
        );
        assert!(refusal.contains("set `server.origin`"), "{refusal}");
    }
    assert!(
        Folder::with_config("[server]\nlisten = \"0.0.0.0:8080\"")
            .refusal()
            .starts_with("file gatelodge.toml, line 2: `server.listen` is")
    );
}

#[test]
fn plain_http_on_a_public_address_is_refused_without_a_trusted_proxy() {
    let public = Some("http://id.example.org");
    for listen in ["127.0.0.1:8080", "0.0.0.0:8080"] {
        assert!(
            refusal(public, listen)
                .contains("`server.origin` is plain http, `http://id.example.org`")
        );
        assert!(resolve_origin(&server(public, &["10.0.0.1/32"]), listen.parse().unwrap()).is_ok());
    }
    let listening = refusal(Some("http://localhost:8080"), "0.0.0.0:8080");
    assert!(
        listening.contains("`server.listen` is an address other machines can reach"),
        "{listening}"
    );
    let folder = Folder::with_config("[server]\norigin = \"http://id.example.org\"\n");
    assert!(
        folder
            .refusal()
            .starts_with("file gatelodge.toml, line 2: `server.origin` is plain http")
    );
}

#[test]
fn the_address_that_was_really_bound_decides() {
    let loaded = load_environment(&[("GATELODGE_LISTEN", "127.0.0.1:0")]).unwrap();
    let bound: SocketAddr = "127.0.0.1:54321".parse().unwrap();
    assert_eq!(
        loaded.origin_policy(bound).unwrap().links_base(),
        "http://localhost:54321"
    );
    assert!(loaded.origin_policy("0.0.0.0:1".parse().unwrap()).is_err());
}

#[test]
fn an_https_origin_without_a_named_proxy_is_a_warning() {
    let loaded =
        load_environment(&[("GATELODGE_SERVER__ORIGIN", "https://id.example.org")]).unwrap();
    assert!(
        loaded.warnings()[0]
            .to_string()
            .contains("`server.trusted_proxies` is empty")
    );
    let named = [
        ("GATELODGE_SERVER__ORIGIN", "https://id.example.org"),
        ("GATELODGE_SERVER__TRUSTED_PROXIES", "127.0.0.1/32"),
    ];
    assert!(load_environment(&named).unwrap().warnings().is_empty());
}

#[test]
fn trusting_every_address_is_refused() {
    for network in ["0.0.0.0/0", "::/0"] {
        let error = load_environment(&[("GATELODGE_SERVER__TRUSTED_PROXIES", network)])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`server.trusted_proxies` must not be every address"),
            "{error}"
        );
    }
}

/// The client's address, by a policy that trusts 10.0.0.0/8 and one IPv6 network.
fn client(peer: &str, forwarded_for: &[&[u8]]) -> IpAddr {
    let config = server(None, &["10.0.0.0/8", "fd00::/8"]);
    let policy = resolve_origin(&config, config.server.listen).unwrap();
    policy.client_address(ip(peer), forwarded_for.iter().copied())
}

#[test]
fn s08_headers_from_a_stranger_change_nothing() {
    for header in [
        "1.2.3.4",
        "127.0.0.1",
        "10.0.0.1",
        "nonsense",
        "",
        "1.2.3.4, 10.0.0.1",
    ] {
        assert_eq!(
            client("203.0.113.9", &[header.as_bytes()]),
            ip("203.0.113.9"),
            "{header}"
        );
        assert_eq!(
            client("::ffff:203.0.113.9", &[header.as_bytes()]),
            ip("203.0.113.9"),
            "{header}"
        );
    }
    assert_eq!(client("203.0.113.9", &[]), ip("203.0.113.9"));
}

#[test]
fn s08_a_malformed_list_changes_nothing() {
    let malformed: [&[u8]; 12] = [
        b"",
        b" ",
        b"nonsense",
        b"1.2.3.4,",
        b"1.2.3.4, unknown",
        b"1.2.3.4, _hidden",
        b"\xff\xfe",
        b"1.2.3.4 5.6.7.8",
        b"1.2.3.4;",
        b"for=1.2.3.4",
        b"999.1.1.1",
        b"fe80::1%eth0",
    ];
    for list in malformed {
        assert_eq!(client("10.0.0.1", &[list]), ip("10.0.0.1"), "{list:?}");
    }
    assert_eq!(
        client("10.0.0.1", &[b"1.2.3.4", b"nonsense, 10.0.0.2"]),
        ip("10.0.0.1")
    );
}

#[test]
fn s08_the_right_most_hop_that_is_no_proxy_of_ours_is_the_client() {
    assert_eq!(client("10.0.0.1", &[]), ip("10.0.0.1"));
    assert_eq!(client("10.0.0.1", &[b"203.0.113.9"]), ip("203.0.113.9"));
    assert_eq!(
        client("10.0.0.1", &[b"203.0.113.9, 10.0.0.2"]),
        ip("203.0.113.9")
    );
    assert_eq!(
        client("10.0.0.1", &[b"203.0.113.9", b"10.0.0.2"]),
        ip("203.0.113.9")
    );
    assert_eq!(
        client("::ffff:10.0.0.1", &[b"203.0.113.9"]),
        ip("203.0.113.9")
    );
    assert_eq!(client("fd00::1", &[b"2001:db8::7"]), ip("2001:db8::7"));
    for spoofed in ["1.2.3.4", "nonsense", "", "10.0.0.7", "127.0.0.1"] {
        let list = format!("{spoofed}, 203.0.113.9");
        assert_eq!(
            client("10.0.0.1", &[list.as_bytes()]),
            ip("203.0.113.9"),
            "{list}"
        );
    }
    assert_eq!(client("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"]), ip("10.0.0.3"));
}

#[test]
fn hops_may_carry_brackets_and_ports() {
    for (hop, address) in [
        ("203.0.113.9:1234", "203.0.113.9"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:1234", "2001:db8::7"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("\t203.0.113.9 ", "203.0.113.9"),
    ] {
        assert_eq!(client("10.0.0.1", &[hop.as_bytes()]), ip(address), "{hop}");
    }
}

#[test]
fn s09_a_network_is_one_ipv4_address_or_one_ipv6_64() {
    assert_eq!(network_of(ip("203.0.113.9")).to_string(), "203.0.113.9/32");
    assert_eq!(
        network_of(ip("::ffff:203.0.113.9")).to_string(),
        "203.0.113.9/32"
    );
    assert_eq!(
        network_of(ip("2001:db8:1:2:3:4:5:6")).to_string(),
        "2001:db8:1:2::/64"
    );
    assert_eq!(
        network_of(ip("2001:db8:1:2::")),
        network_of(ip("2001:db8:1:2:ffff:ffff:ffff:ffff"))
    );
    assert_ne!(
        network_of(ip("2001:db8:1:2::")),
        network_of(ip("2001:db8:1:3::"))
    );
}
