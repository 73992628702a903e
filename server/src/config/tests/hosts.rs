//! Hosts that are a tenant's own.

use super::{Folder, load_environment};
use crate::config::{
    Config, HostName, HostPattern, OriginPolicy, TenantHost, Whose, resolve_origin,
};

const ORIGIN: &str =
    "[server]\norigin = \"https://id.example.org\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n";

fn refusal(file: &str) -> String {
    Folder::with_config(file).load().unwrap_err().to_string()
}

fn policy(origin: &str, pattern: Option<&str>, hosts: &[(&str, &str)]) -> OriginPolicy {
    let mut config = Config::default();
    config.server.origin = Some(origin.parse().unwrap());
    config.tenancy.host_pattern = pattern.map(|pattern| pattern.parse().unwrap());
    let hosts = hosts.iter().map(|(host, tenant)| TenantHost {
        host: host.parse().unwrap(),
        tenant: (*tenant).to_owned(),
    });
    config.tenancy.hosts = hosts.collect();
    resolve_origin(&config, config.server.listen).unwrap()
}

#[test]
fn a_host_is_written_as_browsers_write_it() {
    for (written, exactly) in [
        ("login.acme.example", "login.acme.example"),
        ("Login.ACME.example", "login.acme.example"),
        ("müller.example", "xn--mller-kva.example"),
        ("a_b.example", "a_b.example"),
        ("localhost", "localhost"),
    ] {
        let host: HostName = written.parse().unwrap();
        assert_eq!(host.as_str(), exactly);
        let pattern: HostPattern = format!("{{tenant}}.{written}").parse().unwrap();
        assert_eq!(pattern.suffix(), format!(".{exactly}"));
        assert_eq!(pattern.to_string(), format!("{{tenant}}.{exactly}"));
    }
    for wrong in [
        "",
        " ",
        " a.example",
        "a.example ",
        "a.example.",
        ".example",
        "a..example",
        "https://a.example",
        "a.example:443",
        "a.example/x",
        "a.example?x",
        "a.example#x",
        "u@a.example",
        "a%2eexample",
        "127.0.0.1",
        "2130706433",
        "[::1]",
        "*.example",
        "{tenant}.example",
        "a example",
        "a\texample",
    ] {
        let error = wrong.parse::<HostName>().unwrap_err().to_string();
        assert!(
            error.starts_with("must be the name of one host"),
            "{wrong}: {error}"
        );
        let pattern = format!("{{tenant}}.{wrong}").parse::<HostPattern>();
        let error = pattern.unwrap_err().to_string();
        assert!(
            error.starts_with("must be `{tenant}.` and the name"),
            "{wrong}: {error}"
        );
    }
    for wrong in [
        "id.example.org",
        "a.{tenant}.example",
        "{tenant}example",
        "{Tenant}.a.example",
        "{tenant}",
    ] {
        assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
    }
}

#[test]
fn every_value_that_cannot_be_is_told_with_its_place() {
    let hosts = "[[tenancy.hosts]]\nhost = \"login.acme.example\"\ntenant = \"acme\"\n";
    for (file, words) in [
        (
            format!("{ORIGIN}[tenancy]\nhost_pattern = \"id.example.org\"\n"),
            "line 5: `tenancy.host_pattern` must be `{tenant}.` and the name of a host, such as `{tenant}.id.example.org`",
        ),
        (
            format!("{ORIGIN}[tenancy]\nhost_pattern = 1\n"),
            "`tenancy.host_pattern` must be text such as `{tenant}.id.example.org`, but is a whole number",
        ),
        (
            "[tenancy]\nhost_pattern = \"{tenant}.id.example.org\"\n".to_owned(),
            "line 2: `tenancy.host_pattern` is set, and `server.origin` is not; set `server.origin`",
        ),
        (
            hosts.to_owned(),
            "`tenancy.hosts` is set, and `server.origin` is not; set `server.origin`",
        ),
        (
            format!("{ORIGIN}[[tenancy.hosts]]\nhost = \"https://login.acme.example\"\ntenant = \"acme\"\n"),
            "line 5: `tenancy.hosts.0.host` must be the name of one host, without scheme, port and path",
        ),
        (
            format!("{ORIGIN}[[tenancy.hosts]]\nhost = \"login.acme.example\"\n"),
            "`tenancy.hosts.0` lacks the key `tenant`",
        ),
        (
            format!("{ORIGIN}[[tenancy.hosts]]\ntenant = \"acme\"\n"),
            "`tenancy.hosts.0` lacks the key `host`",
        ),
        (
            format!("{ORIGIN}{hosts}port = 1\n"),
            "unknown key `port` in `tenancy.hosts.0`",
        ),
        (
            format!("{ORIGIN}[[tenancy.hosts]]\nhost = \"login.acme.example\"\ntenant = \"a/b\"\n"),
            "line 6: `tenancy.hosts.0.tenant` is no name of a tenant: a tenant name cannot",
        ),
        (
            format!("{ORIGIN}[[tenancy.hosts]]\nhost = \"ID.example.org\"\ntenant = \"acme\"\n"),
            "line 5: `tenancy.hosts.0.host` is that of `server.origin`, which is there for all tenants",
        ),
        (
            format!("{ORIGIN}{hosts}[[tenancy.hosts]]\nhost = \"LOGIN.acme.example\"\ntenant = \"other\"\n"),
            "line 8: `tenancy.hosts.1.host` is `login.acme.example`, which another tenant already has",
        ),
        (
            format!("{ORIGIN}{hosts}[[tenancy.hosts]]\nhost = \"other.example\"\ntenant = \"ACME\"\n"),
            "line 9: `tenancy.hosts.1.tenant` is `ACME`, which already has a host; a tenant has one host",
        ),
        (
            "[server]\norigin = \"http://localhost:8080\"\n[tenancy]\nhost_pattern = \"{tenant}.id.example.org\"\n".to_owned(),
            "line 4: `tenancy.host_pattern` is not this machine, and `server.origin` is plain http",
        ),
        (
            format!("[server]\norigin = \"http://localhost:8080\"\n{hosts}"),
            "line 4: `tenancy.hosts.0.host` is not this machine, and `server.origin` is plain http",
        ),
    ] {
        let refusal = refusal(&file);
        assert!(refusal.contains(words), "{refusal}\n{words}");
    }
}

#[test]
fn what_can_be_is_taken_from_the_file_and_the_environment() {
    let file = "[server]\norigin = \"http://localhost:8080\"\n[tenancy]\nhost_pattern = \"{tenant}.localhost\"\n\
                [[tenancy.hosts]]\nhost = \"acme-login.localhost\"\ntenant = \"acme\"\n";
    let loaded = Folder::with_config(file).load().unwrap();
    let shown = loaded.show();
    assert!(
        shown.contains("host_pattern = \"{tenant}.localhost\"  # file"),
        "{shown}"
    );
    assert!(shown.contains("acme-login.localhost"), "{shown}");
    let loaded = load_environment(&[
        ("GATELODGE_SERVER__ORIGIN", "http://localhost:8080"),
        ("GATELODGE_TENANCY__HOST_PATTERN", "{tenant}.localhost"),
        (
            "GATELODGE_TENANCY__HOSTS",
            "[{host=\"a.localhost\",tenant=\"acme\"}]",
        ),
    ]);
    let tenancy = loaded.unwrap().config.tenancy;
    assert_eq!(tenancy.host_pattern.unwrap().suffix(), ".localhost");
    assert_eq!(tenancy.hosts[0].host.as_str(), "a.localhost");
    // Behind a proxy that is named, as everywhere.
    let file = "[server]\norigin = \"http://id.example.org\"\ntrusted_proxies = [\"10.0.0.7/32\"]\n\
                [tenancy]\nhost_pattern = \"{tenant}.id.example.org\"\n";
    Folder::with_config(file).load().unwrap();
}

#[test]
fn whose_a_host_is_follows_scheme_port_and_name() {
    let policy = policy(
        "https://id.example.org:8443",
        Some("{tenant}.id.example.org"),
        &[("login.acme.example", "Acme")],
    );
    let whose = |host: &str| match policy.whose(host) {
        None => None,
        Some(Whose::Server) => Some(String::new()),
        Some(Whose::Tenant(name)) => Some(name.to_string()),
    };
    for (host, expected) in [
        ("id.example.org:8443", Some("")),
        ("other.id.example.org:8443", Some("other")),
        ("OTHER.id.example.org:8443", Some("other")),
        ("login.acme.example:8443", Some("acme")),
        ("other.id.example.org", None),
        ("other.id.example.org:443", None),
        ("other.id.example.org:08443", None),
        ("other.id.example.org:8443:8443", None),
        ("other.id.example.org:8443.", None),
        ("acme.id.example.org:8443", None),
        ("login.acme.example", None),
        ("evil.example:8443", None),
        ("", None),
        (":8443", None),
    ] {
        assert_eq!(whose(host).as_deref(), expected, "{host}");
        assert_eq!(policy.host_is_ours(host), expected.is_some(), "{host}");
    }
    let hosts = [
        "id.example.org:8443",
        "other.id.example.org:8443",
        "login.acme.example:8443",
    ];
    for host in hosts {
        assert_eq!(policy.origin_at(host), Some(format!("https://{host}")));
        for from in hosts {
            let ours = policy.origin_is_ours(&format!("https://{from}"), host);
            assert_eq!(ours, from == host, "{from} at {host}");
        }
        assert!(!policy.origin_is_ours("null", host));
        assert!(!policy.origin_is_ours(&format!("http://{host}"), host));
    }
    assert_eq!(policy.origin_at("evil.example"), None);
    assert_eq!(
        policy.tenant_hosts().as_deref(),
        Some("https://login.acme.example:8443 https://*.id.example.org:8443")
    );
}
