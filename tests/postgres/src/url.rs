//! `postgres://user:password@host:port/database`, taken apart and put together.

use std::{fmt, str::FromStr};

/// The parts of a URL, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    /// What follows the question mark, as it is.
    pub(crate) query: Option<String>,
}

impl Url {
    /// A database on this machine.
    pub(crate) fn local(port: u16, user: &str, password: &str, database: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
            database: database.to_owned(),
            query: None,
        }
    }

    /// Takes `text` apart; panics if it cannot be.
    pub(crate) fn of(text: &str) -> Self {
        text.parse().unwrap_or_else(|()| {
            panic!("`{text}` is not like `postgres://user:password@host:port/database`")
        })
    }

    /// The same as somebody else.
    pub(crate) fn of_user(mut self, user: &str, password: &str) -> Self {
        user.clone_into(&mut self.user);
        password.clone_into(&mut self.password);
        self
    }

    /// The same through another port of this machine.
    pub(crate) fn through(mut self, port: u16) -> Self {
        "127.0.0.1".clone_into(&mut self.host);
        self.port = port;
        self
    }
}

impl FromStr for Url {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts = || {
            let rest = text
                .strip_prefix("postgres://")
                .or_else(|| text.strip_prefix("postgresql://"))?;
            let (rest, query) = match rest.split_once('?') {
                Some((rest, query)) => (rest, Some(query.to_owned())),
                None => (rest, None),
            };
            let (authority, database) = rest.split_once('/')?;
            let (who, place) = authority.rsplit_once('@')?;
            let (user, password) = who.split_once(':')?;
            let (host, port) = place.rsplit_once(':')?;
            Some(Self {
                user: decoded(user)?,
                password: decoded(password)?,
                host: host.to_owned(),
                port: port.parse().ok()?,
                database: decoded(database)?,
                query,
            })
        };
        parts().ok_or(())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [user, password, database] =
            [&self.user, &self.password, &self.database].map(|part| encoded(part));
        let (host, port) = (&self.host, self.port);
        write!(
            formatter,
            "postgres://{user}:{password}@{host}:{port}/{database}"
        )?;
        match &self.query {
            Some(query) => write!(formatter, "?{query}"),
            None => Ok(()),
        }
    }
}

fn encoded(part: &str) -> String {
    part.bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn decoded(part: &str) -> Option<String> {
    let mut pieces = part.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_survives_being_taken_apart_and_put_together() {
        let text = "postgres://me%40home:p%3A%2F%25@127.0.0.1:5/a-b_c?sslmode=disable";
        let url = Url::of(text);
        assert_eq!(
            (url.user.as_str(), url.password.as_str()),
            ("me@home", "p:/%")
        );
        assert_eq!((url.port, url.database.as_str()), (5, "a-b_c"));
        assert_eq!(url.to_string(), text);
    }

    #[test]
    fn what_lacks_a_part_is_no_url() {
        for text in [
            "mysql://a:b@c:1/d",
            "postgres://a@c:1/d",
            "postgres://a:b@c/d",
            "postgres://a:b@c:1",
            "postgres://a:b%2@c:1/d",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }
}
