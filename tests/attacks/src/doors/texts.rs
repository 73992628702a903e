use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, header};
use gatelodge_core::{
    model::{
        DisplayName, Email, NameKey, ProviderId, SessionId, TenantId, TenantName, UserId, UserName,
    },
    secret::Token,
    service::TenantRef,
};
use gatelodge_provider_one_time_code::{Address, Code as SentCode};
use gatelodge_provider_recovery_code::Code;
use gatelodge_server::{
    config::{Config, Origin, OriginPolicy, Whose, client_address, resolve_origin},
    http::cookies::Cookies,
};

/// Tokens of sessions, flows and links, and ids.
pub fn tokens(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Some(token) = Token::parse(text) {
        // One text per token: what is stored is the hash of the text.
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(
            text.len() == 43 && text.bytes().all(is_base64url),
            "{text:?}"
        );
        assert_eq!(token.expose(), text);
    }
    if let Ok(id) = text.parse::<TenantId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(
            TenantName::new(text).is_err(),
            "an id that is a name: {text:?}"
        );
    }
    let _ = text.parse::<UserId>();
    let _ = text.parse::<SessionId>();
    let _ = ProviderId::new(text);
    let _ = TenantRef::parse(text);
}

/// Recovery codes as somebody types them.
pub fn recovery_codes(bytes: &[u8]) {
    let Ok(typed) = str::from_utf8(bytes) else {
        return;
    };
    if let Some(code) = Code::read(typed) {
        // However it is typed, it is the code that is shown.
        let shown = code.shown();
        assert_eq!(Code::read(&shown).as_ref(), Some(&code), "{typed:?}");
        let lower = Code::read(&typed.to_ascii_lowercase());
        assert_eq!(lower.map(|code| code.hash()), Some(code.hash()));
        let characters = typed.chars().filter(char::is_ascii_alphanumeric);
        assert_eq!(characters.count(), 24, "{typed:?}");
    }
}

/// Codes that were sent, and where to, as somebody types them.
pub fn one_time_codes(bytes: &[u8]) {
    let Ok(typed) = str::from_utf8(bytes) else {
        return;
    };
    if let Some(code) = SentCode::read(typed) {
        for shown in [code.in_groups(), code.in_one()] {
            let again = SentCode::read(shown.expose());
            assert_eq!(again.as_ref(), Some(&code), "{typed:?}");
        }
        assert_eq!(typed.chars().filter(char::is_ascii_digit).count(), 8);
    }
    for read in [Address::telephone, Address::mailbox] {
        let Some(address) = read(typed) else { continue };
        // One text per address, and nothing in it that could be two.
        let written = address.to_send();
        assert_eq!(read(written.expose()), Some(address.clone()), "{typed:?}");
        let odd = |c: char| c.is_control() || c.is_whitespace() || ",;<>".contains(c);
        assert!(!written.expose().contains(odd), "{typed:?}");
        let masked = address.masked();
        assert!(!masked.contains(written.expose()) && masked.chars().count() <= 100);
    }
    if let Some(number) = Address::telephone(typed) {
        let written = number.to_send();
        let digits = written.expose().strip_prefix('+').unwrap_or_default();
        assert!((8..=15).contains(&digits.len()), "{typed:?}");
        assert!(digits.bytes().all(|b| b.is_ascii_digit()), "{typed:?}");
    }
}

/// The lines of `Cookie` headers.
pub fn cookies(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(100) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(header::COOKIE, value);
        }
    }
    for secure in [false, true] {
        if let Ok(cookies) = Cookies::read(&headers, secure) {
            let flows: Vec<_> = cookies.flows().collect();
            assert!(
                flows.iter().all(|flow| !flow.contains([';', '='])),
                "{flows:?}"
            );
            let _ = (
                cookies.session(None),
                cookies.session(Some("tag")),
                cookies.value("gl-device"),
            );
        }
    }
}

/// `Host`, `Origin`, `X-Forwarded-For` and a configured origin: one line each, the rest are hops.
pub fn addresses(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut text = || {
        lines
            .next()
            .and_then(|line| str::from_utf8(line).ok())
            .unwrap_or_default()
    };
    let (host, origin, configured) = (text(), text(), text());
    let policy = policy();
    if policy.host_is_ours(host) {
        let ours = ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"];
        assert!(
            ours.iter().any(|one| one.eq_ignore_ascii_case(host)),
            "{host:?}"
        );
    }
    if policy.origin_is_ours(origin, host) {
        let (_, named) = origin.split_once("http://").unwrap_or_default();
        assert!(named.eq_ignore_ascii_case(host), "{origin:?} {host:?}");
    }
    hosts_of_tenants(host, origin);
    if let Ok(origin) = configured.parse::<Origin>() {
        let written = origin.to_string();
        assert_eq!(
            written
                .parse::<Origin>()
                .map(|again| again.to_string())
                .ok(),
            Some(written)
        );
    }
    let hops: Vec<_> = lines.collect();
    let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse());
    let trusted: Vec<_> = trusted.into_iter().flatten().collect();
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    assert_eq!(
        client_address(stranger, hops.iter().copied(), &trusted),
        stranger
    );
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let client = client_address(proxy, hops.iter().copied(), &trusted);
    let last = hops
        .last()
        .and_then(|line| line.rsplit(|byte| *byte == b',').next());
    let last = last.and_then(|hop| {
        let hop = str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
        hop.parse::<IpAddr>().ok()
    });
    // Who calls the proxy is believed; what the caller wrote is not.
    if let Some(last) =
        last.filter(|last| !trusted.iter().any(|one| one.contains(&last.to_canonical())))
    {
        assert_eq!(client, last.to_canonical());
    }
}

/// Names and addresses of people and tenants.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let key = NameKey::of(&text);
    assert_eq!(NameKey::of(key.as_str()), key, "folded twice: {text:?}");
    if let Ok(name) = UserName::new(&text) {
        assert_eq!(UserName::new(name.as_str()).ok().as_ref(), Some(&name));
        assert_eq!(name.key(), key, "{text:?}");
        assert!(!key.as_str().is_empty() && name.as_str().chars().count() <= UserName::MAX);
        assert!(!name.as_str().contains(char::is_control), "{text:?}");
    }
    if let Ok(name) = TenantName::new(&text) {
        assert_eq!(TenantName::new(name.as_str()).ok().as_ref(), Some(&name));
        assert!(
            !key.as_str().contains(['/', '\\', '?', '#', '%']),
            "{text:?}"
        );
    }
    if let Ok(name) = DisplayName::new(&text) {
        assert!(!name.as_str().contains(char::is_control), "{text:?}");
    }
    if let Ok(email) = Email::new(&text) {
        assert_eq!(Email::new(email.as_str()).ok().as_ref(), Some(&email));
        let address = email.as_str();
        assert_eq!(address.matches('@').count(), 1, "{address:?}");
        let odd = |c: char| c.is_control() || c.is_whitespace() || ",;<>()\"\\:[]".contains(c);
        assert!(
            !address.contains(odd) && !email.key().as_str().contains(odd),
            "{address:?}"
        );
        assert!(address.len() <= Email::MAX);
    }
}

/// Whoever names a tenant's host gets that tenant, whose links lead to that host.
fn hosts_of_tenants(host: &str, origin: &str) {
    let policy = policy_with_hosts();
    if let Some(Whose::Tenant(name)) = policy.whose(host) {
        let named = TenantName::new(name.as_str()).ok();
        let own = named.and_then(|name| policy.origins().own(&name));
        let own = own.map(|own| own.origin().ascii_serialization());
        assert_eq!(own, policy.origin_at(host), "{host:?}");
        let expected = format!("https://{}", host.to_ascii_lowercase());
        let own = own.unwrap_or_default();
        assert_eq!(own, expected.trim_end_matches(":443"), "{host:?}");
    }
    if policy.origin_is_ours(origin, host) {
        assert_eq!(policy.origin_at(host).as_deref(), Some(origin), "{host:?}");
    }
}

fn policy_with_hosts() -> OriginPolicy {
    let mut config = Config::default();
    config.server.origin = "https://id.example.org".parse().ok();
    config.tenancy.host_pattern = "{tenant}.id.example.org".parse().ok();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    resolve_origin(&config, listen).expect("these hosts are good")
}

fn policy() -> OriginPolicy {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    resolve_origin(&Config::default(), listen).expect("the default is good")
}
