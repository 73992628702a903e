//! Signed tokens: access tokens for applications, and the keys that sign them.
//!
//! | file | what it does |
//! |---|---|
//! | `profile` | the table of kinds: `typ`, audience, lifetime, claims and their types |
//! | `keys` | makes keys, replaces them, says which are published |
//! | `jws` | reads and writes the compact form, strictly |
//! | `access` | access tokens |
//!
//! A new kind is a variant of [`TokenKind`] with its row in [`PROFILES`]; keys,
//! rotation, verification and the command line follow from that.

mod access;
mod jws;
mod keys;
mod profile;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;

pub use access::{AccessRequest, AccessToken};
pub use jws::Claims;
pub use keys::{KeyInfo, KeyPolicy, KeyState, OVERLAP, PublicKey, SigningAlgorithm};
pub use profile::{AudienceRule, ClaimRule, ClaimShape, PROFILES, TokenKind, TokenProfile};

use self::{
    jws::Header,
    keys::{KeyList, SigningKey, StoredKey},
};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Principal, Resource, action},
    environment::later,
    model::ClientFacts,
    platform::AuditEventExt,
    secret::Secret,
    storage::{InstallationValue, Scope, UnitOfWork},
};

/// How far the clocks of servers that share a storage may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// Signed tokens and their keys.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a>(&'a Platform);

/// Why a token does not count; for the log, no bearer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It has more than 8 KiB.
    #[error("the token is too long")]
    TooLong,
    /// It is not three parts of base64url.
    #[error("the token is not well-formed")]
    Malformed,
    /// Its header lacks something, says something twice, or says more than
    /// `alg`, `typ` and `kid`.
    #[error("the token's header is not one of ours")]
    Header,
    /// It is of another kind.
    #[error("the token is of another kind")]
    Kind,
    /// No key of the kind has its `kid`.
    #[error("the token names a key that is not known")]
    Key,
    /// The key signs in another way than the token says.
    #[error("the token names another algorithm than its key's")]
    Algorithm,
    /// It was not signed by that key, or changed since.
    #[error("the token's signature is not right")]
    Signature,
    /// A claim is missing, there twice, of a wrong type, or not one of the kind's.
    #[error("the token's claims are not those of its kind")]
    Claims,
    /// Another server issued it.
    #[error("the token has another issuer")]
    Issuer,
    /// It is meant for somebody else.
    #[error("the token is meant for somebody else")]
    Audience,
    /// It is over, not valid yet, or lives for longer than its kind may.
    #[error("the token is over or not valid yet")]
    Time,
}

/// How a key is replaced by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The next key is published now and signs an hour later.
    Overlapping,
    /// The next key signs now, and all keys before it are withdrawn, with the
    /// tokens that they signed: for a key that somebody else may have.
    AtOnce,
}

/// The signing keys in memory, opened: those of the version that was read last.
#[derive(Default)]
pub(crate) struct OpenKeys(RwLock<BTreeMap<TokenKind, OpenList>>);

/// The version of a list, and those of its keys that were opened.
type OpenList = (i64, BTreeMap<String, Arc<SigningKey>>);

impl<'a> Tokens<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// The public keys of every kind that others verify.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn published_keys(&self) -> Result<Vec<PublicKey>> {
        let mut keys = Vec::new();
        for kind in TokenKind::ALL {
            if kind.profile().published {
                let list = self.list(kind).await?;
                keys.extend(list.published(self.0.now()));
            }
        }
        Ok(keys)
    }

    /// All keys of all kinds, without what is secret.
    ///
    /// # Errors
    /// As [`Platform::authorise`], and what the storage says.
    pub async fn keys(&self, caller: &Caller) -> Result<Vec<KeyInfo>> {
        self.0
            .authorise(caller, action::KEY_LIST, &Resource::platform())?;
        let mut infos = Vec::new();
        for kind in TokenKind::ALL {
            let mut unit = self.0.read(Scope::Platform).await?;
            let stored = Self::stored(unit.as_mut(), kind).await?;
            unit.rollback().await?;
            infos.extend(KeyList::parse(stored.as_ref())?.infos(kind, self.0.now()));
        }
        Ok(infos)
    }

    /// Makes the next key of a kind, unless one waits already; answers it, and
    /// whether it was made.
    ///
    /// # Errors
    /// As [`Platform::authorise`]; [`ErrorKind::Conflict`] when another server
    /// made one at the same time; what the storage says.
    pub async fn rotate(
        &self,
        caller: &Caller,
        kind: TokenKind,
        how: Rotation,
    ) -> Result<(KeyInfo, bool)> {
        self.0
            .authorise(caller, action::KEY_ROTATE, &Resource::platform())?;
        let now = self.0.now();
        let mut unit = self.0.write(Scope::Platform).await?;
        let mut list = KeyList::parse(Self::stored(unit.as_mut(), kind).await?.as_ref())?;
        let made = match (how, list.waiting(now)) {
            (Rotation::Overlapping, Some(waiting)) => {
                let kid = waiting.kid.clone();
                unit.rollback().await?;
                return Ok((info_of(&list, kind, &kid, now)?, false));
            }
            (Rotation::Overlapping, None) if list.keys.is_empty() => keys::make(self.0, kind, now)?,
            (Rotation::Overlapping, None) => keys::make(self.0, kind, later(now, OVERLAP))?,
            (Rotation::AtOnce, _) => {
                list.keys.clear();
                keys::make(self.0, kind, now)?
            }
        };
        let kid = made.kid.clone();
        list.forget(now);
        list.add(made);
        self.put(unit, caller, kind, (&list, &kid), how).await?;
        Ok((info_of(&list, kind, &kid, now)?, true))
    }

    /// Makes first keys, the next ones when the present ones have signed for long
    /// enough, and removes those that are over. The server calls this every
    /// minute; several servers may do it at once.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn tend(&self) -> Result<()> {
        for kind in TokenKind::ALL {
            let mut unit = self.0.read(Scope::Platform).await?;
            let stored = Self::stored(unit.as_mut(), kind).await?;
            unit.rollback().await?;
            let mut list = KeyList::parse(stored.as_ref())?;
            let now = self.0.now();
            // Mostly there is nothing to do, and looking costs no write.
            if !list.forget(now) && !list.is_due(now, self.0.key_policy()) {
                continue;
            }
            match self.renew(kind).await {
                // Another server did it.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// What is due now, in one unit.
    async fn renew(&self, kind: TokenKind) -> Result<()> {
        let caller = Caller {
            principal: Principal::System,
            client: ClientFacts::default(),
        };
        let now = self.0.now();
        let mut unit = self.0.write(Scope::Platform).await?;
        let mut list = KeyList::parse(Self::stored(unit.as_mut(), kind).await?.as_ref())?;
        let has_forgotten = list.forget(now);
        if !list.is_due(now, self.0.key_policy()) {
            if has_forgotten {
                let value = list.value()?;
                let installation = unit.installation();
                installation
                    .put(kind.value_name(), &value, list.version)
                    .await?;
            }
            // Also without a change: another unit's key may be seen here before it is
            // committed, and is once this is.
            return unit.commit().await;
        }
        // The first key need not wait: nobody has kept any published keys yet.
        let signs_from = match list.keys.is_empty() {
            true => now,
            false => later(now, OVERLAP),
        };
        let made = keys::make(self.0, kind, signs_from)?;
        let kid = made.kid.clone();
        list.add(made);
        let how = Rotation::Overlapping;
        self.put(unit, &caller, kind, (&list, &kid), how).await
    }

    /// Stores a list with a new key in it over the version that was read.
    async fn put(
        &self,
        mut unit: Box<dyn UnitOfWork>,
        caller: &Caller,
        kind: TokenKind,
        (list, made): (&KeyList, &str),
        how: Rotation,
    ) -> Result<()> {
        let value = list.value()?;
        let installation = unit.installation();
        installation
            .put(kind.value_name(), &value, list.version)
            .await?;
        let signs_from = list.keys.iter().find(|key| key.kid == made);
        let signs_from = signs_from.map(|key| key.signs_from.to_string());
        let withdrawn = (how == Rotation::AtOnce).then(|| "true".to_owned());
        let event = self
            .0
            .event(caller, None, action::KEY_ROTATE)
            .about(made)
            .changing("kind", None, Some(kind.as_str().to_owned()))
            .changing("signs_from", None, signs_from)
            .changing("others_withdrawn", None, withdrawn);
        unit.audit().append(&event).await?;
        unit.commit().await
    }

    /// The keys of a kind; the first one is made where there are none.
    async fn list(&self, kind: TokenKind) -> Result<KeyList> {
        let mut unit = self.0.read(Scope::Platform).await?;
        let stored = Self::stored(unit.as_mut(), kind).await?;
        unit.rollback().await?;
        self.list_from(kind, stored).await
    }

    async fn list_from(
        &self,
        kind: TokenKind,
        stored: Option<InstallationValue>,
    ) -> Result<KeyList> {
        if stored.is_some() {
            return KeyList::parse(stored.as_ref());
        }
        match self.renew(kind).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            made => made?,
        }
        let mut unit = self.0.read(Scope::Platform).await?;
        let stored = Self::stored(unit.as_mut(), kind).await?;
        unit.rollback().await?;
        KeyList::parse(stored.as_ref())
    }

    /// What a platform unit reads of the keys of a kind.
    pub(super) async fn stored(
        unit: &mut dyn UnitOfWork,
        kind: TokenKind,
    ) -> Result<Option<InstallationValue>> {
        unit.installation().value(kind.value_name()).await
    }

    /// Signs claims with the key of the moment.
    pub(super) async fn sign(
        &self,
        kind: TokenKind,
        stored: Option<InstallationValue>,
        claims: &impl Serialize,
    ) -> Result<Secret> {
        let list = self.list_from(kind, stored).await?;
        let signer = list.signer(self.0.now());
        let signer = signer.ok_or_else(|| Error::internal("there is no signing key"))?;
        let key = self.opened(kind, list.version, signer).await?;
        let header = Header {
            alg: key.algorithm.as_str().to_owned(),
            typ: kind.profile().typ.to_owned(),
            kid: key.kid.clone(),
        };
        let token = jws::sign(&header, claims, &key.signing, key.algorithm.in_jose())?;
        Ok(Secret::new(token))
    }

    /// A key, from memory if its list is still the one it was opened from.
    async fn opened(
        &self,
        kind: TokenKind,
        version: i64,
        key: &StoredKey,
    ) -> Result<Arc<SigningKey>> {
        let open = self.0.open_keys();
        if let Some(known) = open.get(kind, version, &key.kid) {
            return Ok(known);
        }
        let opened = Arc::new(keys::open(self.0, kind, key).await?);
        open.put(kind, version, &opened);
        Ok(opened)
    }

    /// The claims of a token of this kind, if it is one and counts now. `audience`
    /// is whom the verifier is, where the kind's audience is an application.
    ///
    /// # Errors
    /// * [`ErrorKind::Unauthenticated`], because of a [`TokenFault`].
    /// * What the storage says: whoever asks must then let nobody pass.
    pub async fn verify(
        &self,
        kind: TokenKind,
        token: &Secret,
        audience: Option<&str>,
    ) -> Result<Claims> {
        let refused = |fault: TokenFault| {
            Error::new(ErrorKind::Unauthenticated, "the token does not count").because(fault)
        };
        let profile = kind.profile();
        let parts = jws::cut(token.expose()).map_err(refused)?;
        if parts.header.typ != profile.typ {
            return Err(refused(TokenFault::Kind));
        }
        let list = self.list(kind).await?;
        let mut states = list.states(self.0.now()).into_iter();
        let known = states
            .find(|(key, state)| key.kid == parts.header.kid && !matches!(state, KeyState::Over));
        let (key, _) = known.ok_or_else(|| refused(TokenFault::Key))?;
        let key = self.opened(kind, list.version, key).await?;
        if parts.header.alg != key.algorithm.as_str() {
            return Err(refused(TokenFault::Algorithm));
        }
        let claims = jws::open(&parts, &key.verifying, key.algorithm.in_jose()).map_err(refused)?;
        self.check(profile, &claims, audience).map_err(refused)?;
        Ok(claims)
    }

    fn check(
        &self,
        profile: &TokenProfile,
        claims: &Claims,
        audience: Option<&str>,
    ) -> Result<(), TokenFault> {
        claims.check_shapes(profile)?;
        if claims.text("iss") != Some(self.0.issuer()) {
            return Err(TokenFault::Issuer);
        }
        let audience = match profile.audience {
            AudienceRule::Application => audience,
            AudienceRule::Server(word) => Some(word),
        };
        if audience.is_none() || claims.text("aud") != audience {
            return Err(TokenFault::Audience);
        }
        let now = self.0.now();
        let (iat, exp) = (claims.seconds("iat"), claims.seconds("exp"));
        let (Some(iat), Some(exp)) = (iat, exp) else {
            return Err(TokenFault::Claims);
        };
        let longest = i64::try_from(profile.lifetime.as_secs()).unwrap_or(i64::MAX);
        let lives = exp.saturating_sub(iat);
        let is_in_time = iat <= later(now, SKEW).as_second()
            && now.as_second() < exp
            && (1..=longest).contains(&lives);
        if is_in_time {
            Ok(())
        } else {
            Err(TokenFault::Time)
        }
    }
}

fn info_of(list: &KeyList, kind: TokenKind, kid: &str, now: Timestamp) -> Result<KeyInfo> {
    let mut infos = list.infos(kind, now).into_iter();
    let found = infos.find(|info| info.kid == kid);
    found.ok_or_else(|| Error::internal("the new key is not in its list"))
}

impl OpenKeys {
    fn get(&self, kind: TokenKind, version: i64, kid: &str) -> Option<Arc<SigningKey>> {
        let open = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (known, keys) = open.get(&kind)?;
        keys.get(kid).filter(|_| *known == version).cloned()
    }

    fn put(&self, kind: TokenKind, version: i64, key: &Arc<SigningKey>) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (known, keys) = open.entry(kind).or_default();
        // Of another list: its keys are read again when they are needed.
        if *known != version {
            keys.clear();
            *known = version;
        }
        keys.insert(key.kid.clone(), Arc::clone(key));
    }
}

/// Whether a value of the installation holds signing keys. A restore leaves them
/// out: a key that was withdrawn since must not sign again, and all sessions
/// have ended anyway.
pub(crate) fn is_key_value(name: &str) -> bool {
    TokenKind::ALL.iter().any(|kind| kind.value_name() == name)
}
