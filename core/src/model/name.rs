//! Names: how they are checked, and the key under which they are compared.
//!
//! Two names are the same when their keys are: NFKC (UAX #15), full case
//! folding, NFKC again. The key is computed here and stored, so every backend
//! agrees without any collation of its own. The name itself is kept as given,
//! in NFC.

use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The form in which names are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NameKey(String);

/// Another word for [`NameKey`], where a text is compared that is no name.
pub type Normalised = NameKey;

impl NameKey {
    /// The key of any text.
    pub fn of(text: &str) -> Self {
        Self(fold(text))
    }

    /// The key as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// NFKC, full case folding, NFKC.
pub fn fold(text: &str) -> String {
    const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfkc();
    let composed = NFKC.normalize(text);
    let folded = CaseMapper::new().fold_string(&composed);
    NFKC.normalize(&folded).into_owned()
}

/// NFC: the form in which texts are kept.
pub fn nfc(text: &str) -> String {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();
    NFC.normalize(text).into_owned()
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { field: $field:literal, what: $what:literal, max: $max:literal }),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The greatest length, in characters (Unicode scalar values) after NFC.
            pub const MAX: usize = $max;

            /// Checks `text` and keeps it in NFC.
            ///
            /// # Errors
            /// [`crate::ErrorKind::Invalid`] when it is empty, too long, starts or
            /// ends with white space, or contains a control character.
            pub fn new(text: &str) -> Result<Self> {
                Ok(Self(checked(text, $field, $what, $max)?))
            }

            /// The name as given, in NFC.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The key under which it is compared.
            pub fn key(&self) -> NameKey {
                NameKey::of(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )+};
}

names! {
    /// A user's name for signing in, unique in its tenant: 1 to 254 characters.
    UserName { field: "user_name", what: "user name", max: 254 },
    /// A name to show, no key: 1 to 254 characters.
    DisplayName { field: "display_name", what: "display name", max: 254 },
    /// An application's name, unique in its tenant: 1 to 50 characters.
    ApplicationName { field: "name", what: "application name", max: 50 },
}

/// A tenant's name, unique on the platform: 1 to 50 characters, no `/`, and not
/// the form of an id, so that a path can hold either.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantName(String);

impl TenantName {
    /// The greatest length, in characters (Unicode scalar values) after NFC.
    pub const MAX: usize = 50;

    /// Checks `text` and keeps it in NFC.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], see the type.
    pub fn new(text: &str) -> Result<Self> {
        let text = checked(text, "name", "tenant name", Self::MAX)?;
        let key = fold(&text);
        if key.contains(['/', '\\', '?', '#', '%']) || key == "." || key == ".." {
            return Err(Error::invalid(
                "name",
                "a tenant name cannot be `.` or `..` or contain any of `/ \\ ? # %`",
            ));
        }
        if uuid::Uuid::try_parse(&key).is_ok() {
            return Err(Error::invalid(
                "name",
                "a tenant name cannot look like an id",
            ));
        }
        Ok(Self(text))
    }

    /// The name as given, in NFC.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which it is compared.
    pub fn key(&self) -> NameKey {
        NameKey::of(&self.0)
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TenantName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(&text)
    }
}

impl From<TenantName> for String {
    fn from(name: TenantName) -> Self {
        name.0
    }
}

/// An e-mail address to send to: `local@domain`, 3 to 254 bytes (RFC 5321
/// section 4.5.3.1), without quoting, comments or lists. The domain is kept in
/// its ASCII form in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The greatest length in bytes (RFC 5321 section 4.5.3.1.3).
    pub const MAX: usize = 254;

    /// Checks `text`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when it is not one plain address.
    pub fn new(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(
                "email",
                "expected one e-mail address such as `ada@example.com`",
            )
        };
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        let local_fits = (1..=64).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.chars().all(is_local_character)
            // A compatibility form of `@` or of any of the above must not slip in.
            && fold(local).chars().all(is_local_character);
        let domain = match url::Host::parse(domain) {
            Ok(url::Host::Domain(domain)) if is_mail_domain(&domain) => domain,
            _ => return Err(wrong()),
        };
        let address = format!("{}@{domain}", nfc(local));
        if local_fits && address.len() <= Self::MAX {
            Ok(Self(address))
        } else {
            Err(wrong())
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which it is compared.
    pub fn key(&self) -> NameKey {
        NameKey::of(&self.0)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Email {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// `atext` of RFC 5322 section 3.2.3 and the dot, and letters beyond ASCII (RFC 6531).
fn is_local_character(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
    } else {
        c.is_alphanumeric()
    }
}

/// Two labels or more of letters, digits and inner hyphens (RFC 5321 section
/// 4.1.2): what addresses of web pages may hold beyond that, a comma among them,
/// would be read as something else by whoever sends mail.
fn is_mail_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

fn checked(text: &str, field: &'static str, what: &str, max: usize) -> Result<String> {
    let text = nfc(text);
    let length = text.chars().count();
    if length == 0 || length > max {
        return Err(Error::invalid(
            field,
            format!("a {what} has 1 to {max} characters, this one has {length}"),
        ));
    }
    if text.trim() != text {
        return Err(Error::invalid(
            field,
            format!("a {what} cannot start or end with white space"),
        ));
    }
    if text.chars().any(is_unprintable) || fold(&text).is_empty() {
        return Err(Error::invalid(
            field,
            format!("a {what} cannot contain control or invisible formatting characters"),
        ));
    }
    Ok(text)
}

/// Control characters, and the formatting characters that hide or reorder text.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_the_same_have_one_key() {
        for (one, other) in [
            ("Ada", "ADA"),
            ("straße", "STRASSE"),
            ("ﬁn", "FIN"),
            ("e\u{301}", "\u{e9}"),
            ("Ａｄａ", "ada"),
            ("\u{3a3}", "\u{3c2}"),
        ] {
            assert_eq!(NameKey::of(one), NameKey::of(other), "{one} {other}");
        }
        // Accents count: no accent-blind collation.
        assert_ne!(NameKey::of("jose"), NameKey::of("josé"));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["ẞ", "ŉ", "ΐ", "İ", "ı", "ﷺ", "Ω"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }

    #[test]
    fn names_are_limited_in_characters_not_bytes() {
        assert!(TenantName::new(&"ü".repeat(50)).is_ok());
        assert!(TenantName::new(&"ü".repeat(51)).is_err());
        assert!(UserName::new(&"x".repeat(254)).is_ok());
        assert!(UserName::new(&"x".repeat(255)).is_err());
        assert!(UserName::new("").is_err());
    }

    #[test]
    fn unprintable_and_padded_names_are_refused() {
        for text in [
            " ada",
            "ada ",
            "a\nb",
            "a\0b",
            "a\u{202e}b",
            "\u{200b}",
            "\u{1b}[31m",
        ] {
            assert!(UserName::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_tenant_name_fits_into_a_path() {
        for text in [
            "a/b",
            "..",
            "a?b",
            "a#b",
            "a%2fb",
            "0190a6c2-7f1e-7000-8000-000000000000",
        ] {
            assert!(TenantName::new(text).is_err(), "{text}");
        }
        assert!(TenantName::new("Müller & Söhne").is_ok());
    }

    /// S42: what is parsed as one address is one address.
    #[test]
    fn s42_only_one_plain_address_is_an_email() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@c.example",
            "ada@example.com,eve@evil.example",
            "\"ada\"@example.com",
            "ada@localhost",
            "ada＠example.com",
            "a\r\nb@example.com",
            "ada @example.com",
            "ada@127.0.0.1",
            ".ada@example.com",
            "a..b@example.com",
            "ada(comment)@example.com",
            "ada@example.com.",
            "<ada@example.com>",
            "ada@example..com",
            "ada@.example.com",
            "ada@example.com,evil.example",
            "ada@example.com;evil.example",
            "ada@(evil.example)example.com",
            "ada@\"evil.example",
            "ada@exa_mple.com",
            "ada@-example.com",
            "ada@example-.com",
            "ada@1.2.3.4.5x,y",
        ] {
            assert!(Email::new(text).is_err(), "{text:?}");
        }
        assert_eq!(
            Email::new("ada+x@Bücher.example").unwrap().as_str(),
            "ada+x@xn--bcher-kva.example"
        );
    }
}
