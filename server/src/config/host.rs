//! Names of hosts, alone and with the place of a tenant's name.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};

use super::origin::is_host_name;

/// Where the tenant's name stands.
const TENANT: &str = "{tenant}.";

/// The name of a host as browsers write it: lower case, punycode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

/// `{tenant}`, a dot and the name of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(HostName);

/// Why a text is no host. Its words go on after the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHost(&'static str);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl HostPattern {
    /// What follows the tenant's name, the dot included.
    pub fn suffix(&self) -> String {
        format!(".{}", self.0)
    }

    /// The host under which all of them are.
    pub(super) fn rest(&self) -> &HostName {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = InvalidHost(
            "must be the name of one host, without scheme, port and path, such as `login.acme.example`",
        );
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || ":/\\?#@%".contains(c);
        if text.contains(is_odd) {
            return Err(malformed);
        }
        let url = Url::parse(&format!("https://{text}/")).map_err(|_| malformed)?;
        match url.host() {
            Some(Host::Domain(name))
                if is_host_name(name) && name.split('.').all(|label| !label.is_empty()) =>
            {
                Ok(Self(name.to_owned()))
            }
            _ => Err(malformed),
        }
    }
}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix(TENANT).and_then(|rest| rest.parse().ok());
        rest.map(Self).ok_or(InvalidHost(
            "must be `{tenant}.` and the name of a host, such as `{tenant}.id.example.org`",
        ))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TENANT}{}", self.0)
    }
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidHost {}

macro_rules! text {
    ($($name:ident { pattern: $pattern:literal }),+ $(,)?) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )+};
}

text! {
    HostName { pattern: r"^[^:/?#@%\s\\]+$" },
    HostPattern { pattern: r"^\{tenant\}\.[^:/?#@%\s\\{}]+$" },
}
