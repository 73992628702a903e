use std::fmt;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

use crate::Refusal;

/// A token of the server lives for five minutes; none that lives for longer than
/// this is one.
const LONGEST: u64 = 3_600;
/// How far the server's clock may be ahead of ours, in seconds.
const AHEAD: u64 = 60;

/// Who calls, as a verified token says.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    /// The user's id, which never changes and is never given again (`sub`).
    pub user: String,
    /// The id of the user's tenant.
    pub tenant: String,
    /// The id of the application that the token is for (`client_id`).
    pub application: String,
    /// The id of the session (`sid`).
    pub session: String,
    /// The token's own id (`jti`).
    pub token: String,
    /// When it was made, in seconds since 1970 (`iat`).
    pub issued_at: u64,
    /// The first second in which it no longer counts (`exp`).
    pub expires_at: u64,
    /// When the person last proved who they are (`auth_time`).
    pub auth_time: u64,
    /// The assurance level: `aal1` (one factor) or `aal2` (two) (`acr`).
    pub acr: String,
    /// How it was proven: method references (RFC 8176) (`amr`).
    pub amr: Vec<String>,
    /// What the user is granted at the server.
    pub roles: Vec<String>,
}

impl Claims {
    /// Whether the user has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// Whether two factors were proven.
    pub fn has_two_factors(&self) -> bool {
        self.acr == "aal2"
    }
}

/// The ids are no secrets, but whoever logs a request has no need of the rest.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("user", &self.user)
            .field("tenant", &self.tenant)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// The claims as they are written. What a newer server adds is passed over; a
/// name that comes twice is refused.
#[derive(Deserialize)]
pub(crate) struct Written {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    tenant: String,
    sid: String,
    jti: String,
    iat: u64,
    exp: u64,
    #[serde(default, deserialize_with = "time")]
    nbf: Option<u64>,
    auth_time: u64,
    acr: String,
    amr: Vec<String>,
    roles: Vec<String>,
    #[serde(default, deserialize_with = "there")]
    scope: bool,
}

/// A time that may be absent, but is not `null`.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(deserializer).map(Some)
}

fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl Written {
    /// The claims, if they are for this application and count at `now`.
    pub(crate) fn check(self, issuer: &str, audience: &str, now: u64) -> Result<Claims, Refusal> {
        if self.iss != issuer {
            return Err(Refusal::Issuer);
        }
        if self.aud != audience {
            return Err(Refusal::Audience);
        }
        if self.scope {
            return Err(Refusal::Scoped);
        }
        let texts = [
            &self.sub,
            &self.client_id,
            &self.tenant,
            &self.sid,
            &self.jti,
            &self.acr,
        ];
        let lives = self.exp.checked_sub(self.iat);
        let is_whole = texts.iter().all(|text| !text.is_empty())
            && lives.is_some_and(|lives| (1..=LONGEST).contains(&lives));
        if !is_whole {
            return Err(Refusal::Claims);
        }
        let latest = now.saturating_add(AHEAD);
        if self.iat > latest || self.nbf.is_some_and(|nbf| nbf > latest) {
            return Err(Refusal::TooEarly);
        }
        if now >= self.exp {
            return Err(Refusal::Expired);
        }
        Ok(Claims {
            user: self.sub,
            tenant: self.tenant,
            application: self.client_id,
            session: self.sid,
            token: self.jti,
            issued_at: self.iat,
            expires_at: self.exp,
            auth_time: self.auth_time,
            acr: self.acr,
            amr: self.amr,
            roles: self.roles,
        })
    }
}
