//! "Remember my user name": tenant and user name in a cookie, to fill the form
//! in with, and nothing else.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::http::cookies::{Cookies, Jar, NAME};

const AGE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Longer values are not ours, or not worth a cookie.
const MAX: usize = 2_000;

/// The names that a browser remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// The tenant's name, if it was known or typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tenant: Option<String>,
    /// What was typed to sign in.
    pub(super) user: String,
}

impl Remembered {
    /// What this browser remembers.
    pub(super) fn read(cookies: &Cookies) -> Option<Self> {
        let value = cookies.value(NAME).filter(|value| value.len() <= MAX)?;
        let json = URL_SAFE_NO_PAD.decode(value.expose()).ok()?;
        serde_json::from_slice(&json).ok()
    }

    pub(super) fn store(&self, jar: &mut Jar) {
        let value = serde_json::to_vec(self).map(|json| URL_SAFE_NO_PAD.encode(json));
        if let Ok(value) = value.as_deref()
            && value.len() <= MAX
        {
            jar.set(NAME, value, Some(AGE));
        }
    }

    /// Whether it helps with a form in this tenant.
    pub(super) fn fits(&self, tenant: Option<&str>) -> bool {
        match (tenant, self.tenant.as_deref()) {
            (Some(tenant), Some(remembered)) => tenant == remembered,
            _ => true,
        }
    }
}

/// Takes back what a browser remembers.
pub(super) fn forget(cookies: &Cookies, jar: &mut Jar) {
    if cookies.value(NAME).is_some() {
        jar.remove(NAME);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, header};

    use super::*;

    fn read(value: &str) -> Option<Remembered> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("{NAME}={value}").parse().unwrap());
        Remembered::read(&Cookies::read(&headers, false).unwrap())
    }

    #[test]
    fn names_come_back_as_they_were_and_nothing_else_does() {
        let names = Remembered {
            tenant: Some("Ärzte; Nord".to_owned()),
            user: "ada=1".to_owned(),
        };
        let mut jar = Jar::new(false);
        names.store(&mut jar);
        let mut headers = HeaderMap::new();
        jar.onto(&mut headers);
        let line = headers[header::SET_COOKIE].to_str().unwrap().to_owned();
        let value = line.split(['=', ';']).nth(1).unwrap();
        assert_eq!(read(value), Some(names));
        for planted in ["", "x", "e30", &"a".repeat(3000)] {
            assert_eq!(read(planted), None, "{planted}");
        }
    }

    #[test]
    fn another_tenants_names_are_not_filled_in() {
        let names = |tenant: Option<&str>| Remembered {
            tenant: tenant.map(str::to_owned),
            user: "ada".to_owned(),
        };
        assert!(names(Some("acme")).fits(Some("acme")));
        assert!(names(Some("acme")).fits(None));
        assert!(!names(Some("acme")).fits(Some("other")));
    }
}
