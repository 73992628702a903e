//! Messages in words: templates and texts, filled with what can do no harm there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gatelodge_core::{
    Error, ErrorKind, Origins, Result,
    environment::span_between,
    messages::{Draft, Render, Rendered},
    provider::MessageChannel,
    secret::Secret,
};
use jiff::{Timestamp, tz::TimeZone};
use minijinja::value::{Serde, Value};
use url::Url;

use crate::pages::{PageError, PageOptions, Templates, Texts};

/// The most of a value that a message shows, in characters.
const MAX_VALUE: usize = 2_000;

/// Writes messages from the built-in templates and a host's own.
pub(crate) struct MessageRenderer {
    templates: Templates,
    texts: Arc<Texts>,
    origins: Origins,
}

impl MessageRenderer {
    /// Reads and compiles all templates and texts; links lead to the tenant's origin.
    ///
    /// # Errors
    /// As [`crate::pages::Renderer::new`].
    pub(crate) fn new(options: &PageOptions, origins: Origins) -> Result<Self, PageError> {
        let texts = Arc::new(Texts::new(&options.texts)?);
        Ok(Self {
            templates: Templates::load_messages(options, texts.clone())?,
            texts,
            origins,
        })
    }

    /// A mail that tells that mails arrive.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(crate) fn test_mail(&self, now: Timestamp) -> Result<Rendered> {
        let values = BTreeMap::from([
            ("lang".to_owned(), "en".to_owned()),
            ("origin".to_owned(), written(self.origins.server())),
            ("at".to_owned(), self.moment(now)?),
        ]);
        self.mail("test", values)
    }

    fn mail(&self, template: &str, mut values: BTreeMap<String, String>) -> Result<Rendered> {
        let text = self.fill(&format!("mail/{template}.txt"), &values)?;
        let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = one_line(subject);
        let text = text.trim_start().to_owned();
        if subject.is_empty() || text.is_empty() {
            let message = format!("the template `mail/{template}.txt` has no subject or no text");
            return Err(Error::internal(message));
        }
        values.insert("subject".to_owned(), subject.clone());
        let name = format!("mail/{template}.html");
        // A host's own template may have no HTML.
        let html = match self.templates.has(&name) {
            true => Some(Secret::new(self.fill(&name, &values)?)),
            false => None,
        };
        Ok(Rendered {
            subject,
            text: Secret::new(text),
            html,
        })
    }

    fn fill(&self, name: &str, values: &BTreeMap<String, String>) -> Result<String> {
        let rendered = self.templates.render(name, Value::from(Serde(values)));
        rendered.map(|text| tidy(&text)).map_err(failed)
    }

    /// The values as a template gets them.
    fn values(&self, draft: &Draft<'_>) -> Result<BTreeMap<String, String>> {
        let mut values = BTreeMap::new();
        for (name, value) in draft.values {
            let value = one_line(value.expose());
            if value.chars().count() > MAX_VALUE {
                let message = format!("the value `{name}` of a message is too long");
                return Err(Error::internal(message));
            }
            values.insert(name.clone(), value);
        }
        let origin = self.origins.of(&draft.tenant.name);
        let own = [
            ("lang", draft.locale.to_owned()),
            ("tenant", one_line(draft.tenant.display_name.as_str())),
            ("origin", written(&origin)),
            ("at", self.moment(draft.made_at)?),
            ("until", self.moment(draft.expires_at)?),
            (
                "lasts",
                self.length(span_between(draft.made_at, draft.expires_at))?,
            ),
        ];
        values.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let link = draft
            .link
            .map(|link| link.address(&self.origins.base(draft.tenant)));
        values.extend(link.map(|link| ("link".to_owned(), link.expose().to_owned())));
        values.extend(code_host(&origin).map(|host| ("host".to_owned(), host)));
        let code = draft.code.map(|code| one_line(code.expose()));
        values.extend(code.map(|code| ("code".to_owned(), code)));
        Ok(values)
    }

    fn moment(&self, at: Timestamp) -> Result<String> {
        let at = at.to_zoned(TimeZone::UTC);
        let values = [
            ("date", at.strftime("%-d %B %Y").to_string()),
            ("time", at.strftime("%H:%M").to_string()),
        ];
        self.text("mail.at", &values)
    }

    fn length(&self, span: Duration) -> Result<String> {
        let minutes = span.as_secs().div_ceil(60);
        let (key, count) = match minutes {
            0..=120 => ("length.minutes", minutes),
            121..=2_880 => ("length.hours", minutes / 60),
            _ => ("length.days", minutes / (24 * 60)),
        };
        self.text(key, &[("count", count.to_string())])
    }

    fn text(&self, key: &str, values: &[(&str, String)]) -> Result<String> {
        let filled = self.texts.fill(key, values);
        filled.map_err(|error| failed(error.into()))
    }
}

impl Render for MessageRenderer {
    fn render(&self, draft: &Draft<'_>) -> Result<Rendered> {
        let values = self.values(draft)?;
        match draft.channel {
            MessageChannel::Mail => self.mail(draft.template, values),
            MessageChannel::Sms => Ok(Rendered {
                subject: String::new(),
                text: Secret::new(self.fill(&format!("sms/{}.txt", draft.template), &values)?),
                html: None,
            }),
        }
    }
}

/// An origin, without a slash at the end.
fn written(origin: &Url) -> String {
    origin.origin().ascii_serialization()
}

/// The host that codes are bound to, as in `@id.example.org #123456` (WICG,
/// origin-bound one-time codes): one that is reached over https under its name.
fn code_host(origin: &Url) -> Option<String> {
    let is_usual = origin.scheme() == "https" && origin.port().is_none();
    origin.domain().filter(|_| is_usual).map(str::to_owned)
}

fn failed(error: PageError) -> Error {
    Error::new(ErrorKind::Internal, error.to_string())
}

/// A text as one line: no control character, no line break in disguise, nothing
/// that hides or turns around what stands beside it.
fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if breaks_or_hides(c) { ' ' } else { c })
        .collect();
    plain.trim().to_owned()
}

fn breaks_or_hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A template's output without its stray white space: never two empty lines.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.trim().lines() {
        // The line before a signature ends in a space (RFC 3676 section 4.3).
        let line = if line == "-- " { line } else { line.trim_end() };
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            tidied.push_str(line);
            tidied.push('\n');
        }
    }
    tidied
}
