use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{MessageChannel, State};
use crate::{
    Result,
    model::{ClientFacts, FactorClass, ProviderId, RecordId, TenantId, UserId},
};

/// Everything that a provider gets from outside: facts, which are data, and
/// services, which are asked.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What is known.
    pub facts: &'a Facts,
    /// What can be asked.
    pub services: &'a dyn Services,
}

impl Context<'_> {
    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.facts.now
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.services.random(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts.fmt(f)
    }
}

/// What is known at one step of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The provider's own id.
    pub provider: ProviderId,
    /// What the flow is for.
    pub intent: Intent,
    /// The tenant, once it is known.
    pub tenant: Option<TenantFacts>,
    /// The user, once claimed or proven; a decoy for a name that nobody has.
    pub subject: Option<Subject>,
    /// What was proven in this flow so far.
    pub proofs: Vec<PastProof>,
    /// What has to be proven.
    pub demanded: Strength,
    /// The present time.
    pub now: Timestamp,
    /// The tenant's own origin; the server's if it has none, or is not known.
    pub origin: Url,
    /// The relying party id of WebAuthn: the origin's host.
    pub rp_id: String,
    /// Where a third party sends the browser back to: always on the server's own
    /// origin, so that there is one address to register.
    pub callback: Option<Url>,
    /// The `state` parameter (RFC 6749 section 4.1.1), made by the engine: it
    /// finds the flow again, once.
    pub oauth_state: Option<String>,
    /// How messages can be sent to people from here. What needs another way is not
    /// offered: it could not work.
    #[serde(default)]
    pub channels: Vec<MessageChannel>,
    /// The person's language (RFC 5646), such as `en`.
    pub locale: String,
    /// Who the client says it is.
    pub client: ClientFacts,
}

/// What a flow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// To sign in.
    SignIn,
    /// To make an account.
    SignUp,
    /// To link an identity at a third party to the signed-in account.
    Link,
    /// To set up or change a credential of the signed-in account.
    Enrol,
    /// To prove oneself again while signed in.
    Reprove,
    /// To get back into an account.
    Recover,
    /// To show that a mailbox is one's own, of the account that is signed in or
    /// about to be.
    Verify,
    /// To remove a second factor of the signed-in account.
    Remove,
}

/// The tenant, as a provider sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantFacts {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// The name to show.
    pub display_name: String,
}

/// The user, as a provider sees it: one that exists, one that is being made, or
/// a decoy.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The id; a decoy has one that nobody else has, the same each time.
    pub id: UserId,
    /// The name for signing in; of a decoy, what was typed.
    pub user_name: String,
    /// The name to show.
    pub display_name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address is verified.
    pub email_verified: bool,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Something that was proven in this flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastProof {
    /// By which provider.
    pub provider: ProviderId,
    /// The kind of factor.
    pub class: FactorClass,
    /// Its method reference (RFC 8176).
    pub amr: String,
    /// When.
    pub at: Timestamp,
}

/// What has to be proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// One factor.
    #[default]
    OneFactor,
    /// Two factors of different kinds.
    TwoFactors,
}

/// One of the provider's records, opened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRecord {
    /// Its id.
    pub id: RecordId,
    /// Whose it is.
    pub user: Option<UserId>,
    /// What the person calls it.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment at which it no longer counts.
    pub expires_at: Option<Timestamp>,
    /// Its version, for effects.
    pub version: i64,
    /// The provider's bytes.
    pub data: State,
}

impl fmt::Debug for KeptRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptRecord")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What a provider may ask while it runs.
#[async_trait]
pub trait Services: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn random(&self, bytes: &mut [u8]);

    /// The subject's records of this provider that have not expired, oldest
    /// first; none for a decoy.
    async fn subject_records(&self) -> Result<Vec<KeptRecord>>;

    /// This provider's record with a key in this tenant, if it has not expired.
    async fn record_by_key(&self, key: &str) -> Result<Option<KeptRecord>>;

    /// A request to the outside: no redirects, a limit on time and size, no
    /// private addresses unless the configuration allows them.
    ///
    /// # Errors
    /// As [`Outbound::fetch`].
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse>;
}

/// Requests to the outside, as the server makes them for all providers.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// As [`Services::fetch`].
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) for what must not be asked,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when there is no answer, or
    /// one that is too large or too slow.
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse>;
}

/// No way to the outside.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

#[async_trait]
impl Outbound for Nowhere {
    async fn fetch(&self, _: HttpRequest) -> Result<HttpResponse> {
        Err(crate::Error::new(
            crate::ErrorKind::Unsupported,
            "this server makes no requests to the outside",
        ))
    }
}

/// How far a request may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// To public addresses, and to those that the configuration allows, by `https`.
    #[default]
    Public,
    /// To this very machine and nowhere else, by `http` too.
    Loopback,
}

/// A request to the outside.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Where to: `https`.
    pub url: Url,
    /// How far it may go.
    #[serde(default)]
    pub reach: Reach,
    /// Header fields.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: State,
    /// How long to wait at most; more than 30 seconds are 30.
    pub timeout: Duration,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, at most 256 KiB.
    pub body: State,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
