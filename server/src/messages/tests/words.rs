//! What messages say.

use std::{collections::BTreeMap, fs, time::Duration};

use gatelodge_core::{
    Origins,
    environment::later,
    messages::{Draft, Render as _, Rendered},
    model::{DisplayName, Tenant, TenantName},
    provider::{Link, LinkPurpose, MessageChannel},
    secret::Secret,
};
use gatelodge_storage_suite::fixtures::Fixtures;

use super::super::MessageRenderer;
use crate::pages::{PageOptions, Templates};

const ORIGIN: &str = "https://id.example.org";
const TOKEN: &str = "abc-DEF_123";

/// Templates, and the values that each needs.
const MAILS: [(&str, &[&str]); 11] = [
    ("invite", &["link"]),
    ("reset", &["link"]),
    ("verify", &["link"]),
    ("magic_link", &["link"]),
    ("code", &["code"]),
    ("second_factor_code", &["code"]),
    ("credential_changed", &[]),
    ("identity_linked", &[]),
    ("address_changed", &[]),
    ("page_link", &["link"]),
    ("device_stolen", &[]),
];

fn renderer_with(options: &PageOptions) -> MessageRenderer {
    MessageRenderer::new(options, Origins::new(ORIGIN.parse().unwrap())).unwrap()
}

fn renderer() -> MessageRenderer {
    renderer_with(&PageOptions::default())
}

struct Order {
    channel: MessageChannel,
    template: &'static str,
    tenant: Tenant,
    link: Option<Link>,
    code: Option<Secret>,
    values: BTreeMap<String, Secret>,
    lasts: Duration,
}

impl Order {
    fn mail(template: &'static str, values: &[(&str, &str)]) -> Self {
        let make = Fixtures::seeded(1);
        let values = values.iter();
        Self {
            channel: MessageChannel::Mail,
            template,
            tenant: make.tenant("Acme"),
            link: None,
            code: None,
            values: values
                .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
                .collect(),
            lasts: Duration::from_secs(30 * 60),
        }
    }

    /// With every value that its template needs.
    fn full(template: &'static str, needs: &[&str]) -> Self {
        let link = needs.contains(&"link").then(|| Link {
            purpose: LinkPurpose::Reset,
            token: Secret::new(TOKEN),
        });
        let code = needs.contains(&"code").then_some("314159");
        Self {
            link,
            ..Self::mail(template, &[])
        }
        .coded(code)
    }

    fn coded(mut self, code: Option<&str>) -> Self {
        self.code = code.map(Secret::new);
        self
    }

    /// What its link is to be.
    fn address(&self) -> String {
        format!("{ORIGIN}/t/{}/link/reset?token={TOKEN}", self.tenant.id)
    }

    fn called(mut self, name: &str) -> Self {
        self.tenant.display_name = DisplayName::new(name).unwrap();
        self
    }

    fn render(&self, renderer: &MessageRenderer) -> gatelodge_core::Result<Rendered> {
        let made_at = Fixtures::seeded(1).now();
        renderer.render(&Draft {
            channel: self.channel,
            template: self.template,
            locale: "en",
            tenant: &self.tenant,
            link: self.link.as_ref(),
            code: self.code.as_ref(),
            values: &self.values,
            made_at,
            expires_at: later(made_at, self.lasts),
        })
    }
}

fn html(rendered: &Rendered) -> &str {
    rendered.html.as_ref().unwrap().expose()
}

#[test]
fn every_mail_says_what_it_is_how_long_it_is_good_and_what_to_do_otherwise() {
    let renderer = renderer();
    for (template, needs) in MAILS {
        let order = Order::full(template, needs);
        let rendered = order.render(&renderer).unwrap();
        let (text, html) = (rendered.text.expose(), html(&rendered));
        assert!(!rendered.subject.is_empty() && !rendered.subject.contains('\n'));
        assert!(!text.contains(&rendered.subject), "{template}: {text}");
        for said in [text, html] {
            assert!(said.contains("Acme"), "{template}: {said}");
            assert!(said.contains("Gatelodge"), "{template}: {said}");
            let otherwise = ["If you ", "If it was not you", "change your password"];
            assert!(
                otherwise.iter().any(|o| said.contains(o)),
                "{template}: {said}"
            );
            let is_good_for = said.contains("30 minutes") && said.contains("UTC");
            assert!(is_good_for || needs.is_empty(), "{template}: {said}");
        }
        assert!(html.starts_with("<!doctype html>"), "{html}");
        assert!(html.trim_end().ends_with("</html>"), "{html}");
        if needs == ["link"] {
            assert_eq!(
                text.lines().filter(|line| *line == order.address()).count(),
                1,
                "{text}"
            );
        }
        assert!(!text.contains("\n\n\n") && !text.contains("{{"), "{text}");
    }
}

#[test]
fn every_template_is_tried_here() {
    let built_in = Templates::built_in_messages();
    let mut names: Vec<_> = built_in
        .keys()
        .filter_map(|name| name.strip_prefix("mail/")?.strip_suffix(".txt"))
        .filter(|name| !["layout", "test"].contains(name))
        .collect();
    let mut tried = MAILS.map(|(name, _)| name);
    names.sort_unstable();
    tried.sort_unstable();
    assert_eq!(names, tried);
}

#[test]
fn no_mail_loads_anything_or_runs_a_script() {
    for (name, source) in Templates::built_in_messages() {
        for banned in [
            "<img",
            "<script",
            "<link",
            "<iframe",
            "src=",
            "url(",
            "@import",
            "http:",
            "https:",
            "|safe",
            "autoescape",
            "<form",
            "<input",
        ] {
            assert!(!source.contains(banned), "{name} contains {banned}");
        }
    }
    let renderer = renderer();
    for (template, needs) in MAILS {
        let rendered = Order::full(template, needs).render(&renderer).unwrap();
        let html = html(&rendered).replace("&#x2f;", "/");
        for address in html.split("http").skip(1) {
            let address = format!("http{address}");
            assert!(address.starts_with(ORIGIN), "{template}: {address}");
        }
        assert!(html.contains("prefers-color-scheme: dark"));
    }
}

#[test]
fn s07_a_link_leads_to_the_configured_origin_whatever_a_message_brings() {
    let renderer = renderer();
    let evil = "https://evil.example/";
    let mut order = Order::full("reset", &["link"]).called("evil.example");
    for name in ["link", "origin", "tenant"] {
        order.values.insert(name.to_owned(), Secret::new(evil));
    }
    let rendered = order.render(&renderer).unwrap();
    let mut lines = rendered.text.expose().lines();
    assert!(lines.any(|line| line == order.address()));
    for said in [rendered.text.expose(), html(&rendered)] {
        assert!(!said.contains(evil), "{said}");
    }
}

#[test]
fn s07_a_link_leads_to_the_tenants_own_origin_if_it_has_one() {
    let origins = || Origins::new(ORIGIN.parse().unwrap()).with_suffix(".id.example.org");
    let acme = TenantName::new("Acme").unwrap();
    for (origins, base) in [
        (origins(), "https://acme.id.example.org"),
        (
            origins().with_host(&acme, "login.acme.example"),
            "https://login.acme.example",
        ),
    ] {
        let renderer = MessageRenderer::new(&PageOptions::default(), origins).unwrap();
        let order = Order::full("reset", &["link"]);
        let rendered = order.render(&renderer).unwrap();
        let address = format!("{base}/link/reset?token={TOKEN}");
        let mut lines = rendered.text.expose().lines();
        assert!(lines.any(|line| line == address), "{:?}", rendered.text);
        let html = html(&rendered).replace("&#x2f;", "/");
        assert!(html.contains(&address), "{html}");
        // Telephones bind codes to the host on which they are typed.
        let code = Order::full("code", &["code"]);
        let code = Order {
            channel: MessageChannel::Sms,
            ..code
        };
        let code = code.render(&renderer).unwrap();
        let host = base.strip_prefix("https://").unwrap();
        let last = format!("@{host} #314159\n");
        assert!(code.text.expose().ends_with(&last), "{:?}", code.text);
    }
}

/// v5.0.0-1.2.1
#[test]
fn s47_what_somebody_typed_is_escaped_in_html_and_one_line_everywhere() {
    let renderer = renderer();
    let name = "<img src=x onerror=alert(1)> & \"Söhne\"";
    let rendered = Order::full("reset", &["link"])
        .called(name)
        .render(&renderer);
    let rendered = rendered.unwrap();
    assert!(rendered.text.expose().contains(name));
    assert!(rendered.subject.contains(name), "a header is no HTML");
    let html = html(&rendered);
    assert!(
        !html.contains("<img") && !html.contains("\"Söhne\""),
        "{html}"
    );
    assert!(html.contains("&lt;img"), "{html}");
    for value in [
        "314\r\nBcc: eve@example.net",
        "314\u{2028}159",
        "314\u{202e}951",
        "314\u{1b}[2J",
        "314\u{0}159",
    ] {
        let order = Order::mail("code", &[]).coded(Some(value));
        let rendered = order.render(&renderer).unwrap();
        let told = rendered.text.expose();
        let line = told.lines().find(|line| line.starts_with("314")).unwrap();
        assert!(
            line.len() > 4 && !line.chars().any(char::is_control),
            "{told:?}"
        );
        for hidden in ['\u{2028}', '\u{202e}', '\u{1b}', '\u{0}', '\r'] {
            assert!(!told.contains(hidden), "{told:?}");
        }
    }
}

/// v5.0.0-1.3.7
#[test]
fn what_somebody_typed_is_no_template() {
    let order = Order::full("reset", &["link"]).called("{{ 7 * 7 }}{% raw %}");
    let rendered = order.render(&renderer()).unwrap();
    assert!(rendered.text.expose().contains("{{ 7 * 7 }}"));
    assert!(html(&rendered).contains("{{ 7 * 7 }}"));
}

#[test]
fn a_mistake_is_named_without_what_the_message_says() {
    let renderer = renderer();
    let missing = Order::mail("code", &[]).render(&renderer).unwrap_err();
    assert!(missing.message().contains("mail/code.txt"), "{missing}");
    let unknown = Order::full("nothing", &["code"]).render(&renderer);
    let unknown = unknown.unwrap_err();
    assert!(unknown.message().contains("mail/nothing.txt"), "{unknown}");
    let long = "9".repeat(2_001);
    let long = Order::mail("code", &[("name", &long)]).render(&renderer);
    for error in [missing, unknown, long.unwrap_err()] {
        let told = format!("{error:?}");
        assert!(!told.contains("314159") && !told.contains("999"), "{told}");
    }
}

#[test]
fn lengths_of_time_are_told_in_the_words_people_use() {
    let renderer = renderer();
    for (seconds, words) in [
        (60, "1 minute:"),
        (600, "10 minutes:"),
        (7_200, "120 minutes:"),
        (3 * 3_600, "3 hours:"),
        (7 * 24 * 3_600, "7 days:"),
    ] {
        let mut order = Order::full("reset", &["link"]);
        order.lasts = Duration::from_secs(seconds);
        let rendered = order.render(&renderer).unwrap();
        let text = rendered.text.expose();
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_host_replaces_templates_and_texts() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("mail")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "mail/reset.txt",
        "Neues Passwort für {{ tenant }}\n\n{{ link }}\n",
    );
    write("mail/welcome.txt", "Hello\n\n{{ name }} <3\n");
    let texts = BTreeMap::from([("mail.code.subject".to_owned(), "Ihr Code".to_owned())]);
    let renderer = renderer_with(&PageOptions {
        template_dir: Some(folder.path().to_owned()),
        texts,
        ..PageOptions::default()
    });
    let order = Order::full("reset", &["link"]);
    let reset = order.render(&renderer).unwrap();
    assert_eq!(reset.subject, "Neues Passwort für Acme");
    assert_eq!(reset.text.expose(), format!("{}\n", order.address()));
    let code = Order::full("code", &["code"]).render(&renderer).unwrap();
    assert_eq!(code.subject, "Ihr Code");
    // One of its own needs no HTML.
    let welcome = Order::mail("welcome", &[("name", "Ada")]).render(&renderer);
    let welcome = welcome.unwrap();
    assert_eq!(welcome.text.expose(), "Ada <3\n");
    assert_eq!(welcome.html, None);
    write("mail/reset.txt", "{{ tenant");
    let broken = MessageRenderer::new(
        &PageOptions {
            template_dir: Some(folder.path().to_owned()),
            ..PageOptions::default()
        },
        Origins::new(ORIGIN.parse().unwrap()),
    );
    let error = broken.err().unwrap().to_string();
    assert!(
        error.contains("mail/reset.txt") && error.contains("line 1"),
        "{error}"
    );
}

/// The last line is for telephones: see WICG, origin-bound one-time codes.
#[test]
fn a_text_message_is_one_line_and_another_that_binds_its_code_to_this_server() {
    let sms = |template, origin: &str| {
        let mut order = Order::full(template, &["code"]);
        order.channel = MessageChannel::Sms;
        let renderer = MessageRenderer::new(
            &PageOptions::default(),
            Origins::new(origin.parse().unwrap()),
        );
        let rendered = order.render(&renderer.unwrap()).unwrap();
        assert_eq!(rendered.html, None);
        rendered.text.expose().to_owned()
    };
    assert_eq!(
        sms("second_factor_code", ORIGIN),
        "314159 is your code to sign in to Acme. It works for 30 minutes. Tell it to nobody.\n\n\
         @id.example.org #314159\n"
    );
    let set_up = "314159 is your code for Acme. It works for 30 minutes. Tell it to nobody.\n";
    assert_eq!(
        sms("code", ORIGIN),
        format!("{set_up}\n@id.example.org #314159\n")
    );
    // No telephone knows codes of these, and nothing would be gained by a line of them.
    for origin in [
        "http://localhost:8080",
        "https://id.example.org:8443",
        "https://192.0.2.1",
    ] {
        assert_eq!(sms("code", origin), set_up, "{origin}");
    }
}

#[test]
fn the_test_mail_names_the_server() {
    let rendered = renderer().test_mail(Fixtures::seeded(1).now()).unwrap();
    assert!(rendered.text.expose().contains(ORIGIN));
    assert!(html(&rendered).contains("It works"));
}
