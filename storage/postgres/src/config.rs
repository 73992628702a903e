//! The configuration, the addresses in it, and the accounts that they stand for.

use std::{fmt, str::FromStr as _, time::Duration};

use gatelodge_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use sqlx::{ConnectOptions as _, PgConnection, Row as _, postgres::PgConnectOptions};
use url::Url;

use crate::{error::Fault, schema::at};

/// The oldest Postgres with what the schema uses (`UNIQUE NULLS NOT DISTINCT`).
const OLDEST_SERVER: i32 = 150_000;
/// Since then a grant says itself whether it is inherited.
const GRANTS_SAY_HOW: i32 = 160_000;

/// Where the database is and how it is used.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// The database, written `postgres://account:password@host:port/database`, with
    /// libpq's options behind a `?`: `sslmode=verify-full`, `sslrootcert=…`.
    pub url: String,
    /// The same database by the account that owns the schema. With it, `url` is an
    /// account that owns nothing; without it, `url` does both.
    #[serde(default)]
    pub owner_url: Option<String>,
    /// The same database past a pooler, for following changes; unset: `url`.
    #[serde(default)]
    pub direct_url: Option<String>,
    /// How many units of work can be open at a time, 1 to 1,000.
    #[serde(default = "default_max_connections")]
    pub max_connections: u32,
    /// How long a unit of work waits for a connection, in milliseconds, 100 to 60,000.
    #[serde(default = "default_acquire_timeout_ms")]
    pub acquire_timeout_ms: u32,
    /// Whether statements are prepared once per connection; a pooler that hands
    /// connections out per transaction wants `false`.
    #[serde(default = "default_prepared_statements")]
    pub prepared_statements: bool,
}

fn default_max_connections() -> u32 {
    16
}

fn default_acquire_timeout_ms() -> u32 {
    3_000
}

fn default_prepared_statements() -> bool {
    true
}

/// Addresses carry passwords: only the host and the database are shown.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("url", &place(&self.url))
            .field("owner_url", &self.owner_url.as_deref().map(place))
            .field("direct_url", &self.direct_url.as_deref().map(place))
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout_ms", &self.acquire_timeout_ms)
            .field("prepared_statements", &self.prepared_statements)
            .finish()
    }
}

impl PostgresConfig {
    /// The defaults, with the database at `url`.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            owner_url: None,
            direct_url: None,
            max_connections: default_max_connections(),
            acquire_timeout_ms: default_acquire_timeout_ms(),
            prepared_statements: default_prepared_statements(),
        }
    }

    /// Checks ranges and addresses.
    ///
    /// # Errors
    /// [`gatelodge_core::ErrorKind::Invalid`], naming the key; an address is not
    /// repeated in it, since it may hold a password.
    pub fn check(&self) -> Result<()> {
        range("max_connections", self.max_connections, 1, 1_000)?;
        range("acquire_timeout_ms", self.acquire_timeout_ms, 100, 60_000)?;
        self.options()?;
        self.owner_options()?;
        self.direct_options()?;
        let database = |url: &str| Url::parse(url).map(|url| url.path().to_owned()).ok();
        for (field, other) in [
            ("owner_url", &self.owner_url),
            ("direct_url", &self.direct_url),
        ] {
            let other = other.as_deref();
            if other.is_some_and(|other| database(other) != database(&self.url)) {
                return Err(Error::invalid(field, "names another database than `url`"));
            }
        }
        Ok(())
    }

    pub(crate) fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.acquire_timeout_ms))
    }

    /// How units of work connect.
    pub(crate) fn options(&self) -> Result<PgConnectOptions> {
        self.parse("url", &self.url)
    }

    /// How the schema is changed; with one address, by that one.
    pub(crate) fn owner_options(&self) -> Result<PgConnectOptions> {
        match &self.owner_url {
            Some(url) => self.parse("owner_url", url),
            None => self.options(),
        }
    }

    /// How changes are followed.
    pub(crate) fn direct_options(&self) -> Result<PgConnectOptions> {
        match &self.direct_url {
            Some(url) => self.parse("direct_url", url),
            None => self.options(),
        }
    }

    fn parse(&self, field: &'static str, text: &str) -> Result<PgConnectOptions> {
        let expected = "expected `postgres://account:password@host:port/database`";
        let url = Url::parse(text)
            .map_err(|error| Error::invalid(field, format!("{expected}: {error}")))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(Error::invalid(field, expected));
        }
        if url.path().trim_start_matches('/').is_empty() {
            let message = format!("{expected}; the database's name is missing");
            return Err(Error::invalid(field, message));
        }
        // The parser's own words may repeat a part of the address.
        let options = PgConnectOptions::from_str(text)
            .map_err(|_| Error::invalid(field, format!("{expected}; an option is wrong")))?;
        let capacity = if self.prepared_statements { 200 } else { 0 };
        Ok(options
            .application_name("gatelodge")
            // Poolers refuse the driver's wish for more digits; there are no fractions here.
            .extra_float_digits(None)
            .statement_cache_capacity(capacity)
            .disable_statement_logging())
    }

    /// Host and database, for messages.
    pub(crate) fn place(&self) -> String {
        place(&self.url)
    }

    /// Whether a connection leaves this machine without having to be encrypted.
    pub(crate) fn is_exposed(&self) -> bool {
        [
            Some(&self.url),
            self.owner_url.as_ref(),
            self.direct_url.as_ref(),
        ]
        .into_iter()
        .flatten()
        .any(|url| is_exposed(url))
    }
}

fn is_exposed(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let option = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let host = option("host").or_else(|| url.host_str().map(str::to_owned));
    let is_local = host.is_none_or(|host| {
        host.is_empty()
            || host.starts_with('/')
            || host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    });
    let mode = option("sslmode").or_else(|| option("ssl-mode"));
    let is_encrypted =
        mode.is_some_and(|mode| matches!(mode.as_str(), "require" | "verify-ca" | "verify-full"));
    !is_local && !is_encrypted
}

fn range(field: &'static str, value: u32, low: u32, high: u32) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let message = format!("expected {low} to {high}, found {value}");
    Err(Error::invalid(field, message))
}

fn place(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return "an address that cannot be read".to_owned();
    };
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path())
}

/// Who an address stands for, and what the server says of itself.
pub(crate) struct Account {
    pub(crate) database: String,
    pub(crate) name: String,
    pub(crate) is_superuser: bool,
    /// Whether the schema is there, and this account's.
    pub(crate) schema: Option<bool>,
    /// Whether it may make a schema.
    pub(crate) may_create: bool,
    pub(crate) inherits: bool,
    bypasses: bool,
    version: i32,
}

const LOOK: &str = "\
    SELECT current_setting('server_version_num')::int AS version, current_database()::text AS database, \
    current_user::text AS name, pg_is_in_recovery() AS is_standby, rolsuper, rolbypassrls, rolinherit, \
    has_database_privilege(current_database(), 'CREATE') AS may_create, \
    (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'gatelodge') AS owns \
    FROM pg_roles WHERE rolname = current_user";

impl Account {
    pub(crate) async fn look(connection: &mut PgConnection, place: &str) -> Result<Self> {
        let row = sqlx::query(LOOK)
            .persistent(false)
            .fetch_one(connection)
            .await;
        let read = row.and_then(|row| {
            let account = Self {
                version: row.try_get("version")?,
                database: row.try_get("database")?,
                name: row.try_get("name")?,
                is_superuser: row.try_get("rolsuper")?,
                bypasses: row.try_get("rolbypassrls")?,
                inherits: row.try_get("rolinherit")?,
                may_create: row.try_get("may_create")?,
                schema: row.try_get("owns")?,
            };
            Ok((account, row.try_get("is_standby")?))
        });
        let (account, is_standby) = read.map_err(|error| at(place, Fault::from(error)))?;
        if account.version < OLDEST_SERVER {
            let found = account.version / 10_000;
            let message = format!("`{place}` is Postgres {found}; version 15 or newer is needed");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        if is_standby {
            let message =
                format!("`{place}` is a standby, which can only be read; name the primary");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok(account)
    }

    /// Whether a grant says itself that it is not inherited; before, the account did.
    pub(crate) fn grants_say_how(&self) -> bool {
        self.version >= GRANTS_SAY_HOW
    }

    /// Refuses an account in the place of one that owns nothing.
    pub(crate) fn check_harmless(&self) -> Result<()> {
        let why = if self.is_superuser {
            "is a superuser"
        } else if self.bypasses {
            "can bypass row security"
        } else if self.schema == Some(true) {
            "owns the tables"
        } else {
            return Ok(());
        };
        Err(Error::invalid(
            "url",
            format!(
                "the account `{}` {why}, and so no row would be kept from it; beside `owner_url`, `url` has to be an \
                 account that owns nothing: `CREATE ROLE … LOGIN NOINHERIT PASSWORD '…'`",
                self.name
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "postgres://lodge:hunter2@db.example:5433/gatelodge";

    #[test]
    fn an_address_shows_its_place_and_never_its_password() {
        let mut config = PostgresConfig::at(URL);
        config.owner_url = Some(URL.replace("lodge:hunter2", "owner:swordfish"));
        let shown = format!("{config:?}");
        assert!(shown.contains("db.example:5433/gatelodge"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("swordfish"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_by_its_key_and_not_repeated() {
        for wrong in [
            "",
            "hunter2",
            "mysql://lodge:hunter2@db.example/x",
            "postgres://lodge:hunter2@db.example",
            "postgres://lodge:hunter2@db.example/x?sslmode=hunter2",
        ] {
            let error = PostgresConfig::at(wrong).check().unwrap_err();
            assert_eq!(error.field(), Some("url"), "{wrong}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn the_addresses_name_one_database() {
        let mut config = PostgresConfig::at(URL);
        config.owner_url = Some("postgres://owner@db.example:5433/gatelodge".to_owned());
        config.check().unwrap();
        config.owner_url = Some("postgres://owner@db.example:5433/other".to_owned());
        assert_eq!(config.check().unwrap_err().field(), Some("owner_url"));
    }

    #[test]
    fn values_out_of_range_and_unknown_keys_are_refused_by_name() {
        let mut config = PostgresConfig::at(URL);
        config.max_connections = 0;
        assert_eq!(config.check().unwrap_err().field(), Some("max_connections"));
        let json = r#"{"url":"postgres://x/y","max_connection":1}"#;
        let error = serde_json::from_str::<PostgresConfig>(json).unwrap_err();
        assert!(error.to_string().contains("max_connection"), "{error}");
    }

    #[test]
    fn only_an_address_elsewhere_without_encryption_is_exposed() {
        for (url, exposed) in [
            ("postgres://a@localhost/x", false),
            ("postgres://a@127.0.0.1/x", false),
            ("postgres://a@[::1]/x", false),
            ("postgres:///x?host=/run/postgresql", false),
            ("postgres://a@db.example/x", true),
            ("postgres://a@db.example/x?sslmode=prefer", true),
            ("postgres://a@db.example/x?sslmode=verify-full", false),
        ] {
            assert_eq!(PostgresConfig::at(url).is_exposed(), exposed, "{url}");
        }
    }
}
