//! Sealing: secrets at rest under data keys, wrapped by a master key.
//!
//! A sealed value is `version (1 byte) | key id (4 bytes) | nonce (24 bytes) |
//! ciphertext and tag` of XChaCha20-Poly1305; its purpose and place are
//! authenticated with it, so it opens nowhere else. The key ring is stored as an
//! installation value, each data key wrapped by the master key, which never
//! leaves the server's memory and its own file. A value that names a key this
//! server does not know was sealed by another one that rotated: see
//! [`KeyRing::learn`].

use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    Environment, Error, ErrorKind, Result,
    secret::TokenHash,
    storage::{Mode, Scope, Storage, UnitOfWork},
};

const VERSION: u8 = 1;
const HEADER: usize = 1 + 4 + 24;
/// The name under which the key ring is stored.
pub(crate) const NAME: &str = "data_keys";
/// Values with made-up key ids make a server read the key ring this often at most.
const LEARN_EVERY: Duration = Duration::from_secs(1);

/// The key that wraps the data keys: 32 bytes from the host.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Wraps the bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// The data keys. Sealing uses the newest; opening uses the one named in the value.
pub struct KeyRing {
    environment: Environment,
    master: MasterKey,
    keys: RwLock<Keys>,
    /// When an unknown key was last looked for. Who looks holds it, so that the
    /// others wait for the answer.
    learned_at: tokio::sync::Mutex<Option<Duration>>,
}

#[derive(Default)]
struct Keys {
    active: u32,
    ciphers: BTreeMap<u32, XChaCha20Poly1305>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    id: u32,
    wrapped: String,
    created_at: Timestamp,
}

impl KeyRing {
    /// Reads the key ring, and makes one where there is none yet.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the master key is not the one that wrapped it.
    pub async fn open(
        storage: &dyn Storage,
        environment: Environment,
        master: MasterKey,
    ) -> Result<Self> {
        let ring = Self {
            environment,
            master,
            keys: RwLock::default(),
            learned_at: tokio::sync::Mutex::default(),
        };
        if !ring.reload(storage).await? {
            // Of servers that start at once, one makes the first key.
            match ring.make(storage, true).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    ring.reload(storage).await?;
                }
                other => other?,
            }
        }
        Ok(ring)
    }

    /// Whether an installation has data keys already, so that only the master
    /// key that wrapped them will do.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn exists(storage: &dyn Storage) -> Result<bool> {
        let mut unit = storage.begin(Scope::Platform, Mode::Read).await?;
        let stored = unit.installation().value(NAME).await?;
        unit.rollback().await?;
        Ok(stored.is_some())
    }

    /// Whether a value of an installation is its key ring, and if so, that
    /// `master` opens it: asked of a backup before anything is made of it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the master key is not the one that wrapped it.
    pub fn check(name: &str, value: &[u8], master: &MasterKey) -> Result<bool> {
        if name != NAME {
            return Ok(false);
        }
        ciphers(master, &parse(value)?).map(|_| true)
    }

    /// Reads the stored keys again, for keys that another node made; answers
    /// whether there were any.
    ///
    /// # Errors
    /// As [`KeyRing::open`].
    pub async fn reload(&self, storage: &dyn Storage) -> Result<bool> {
        let mut unit = storage.begin(Scope::Platform, Mode::Read).await?;
        let stored = unit.installation().value(NAME).await?;
        unit.rollback().await?;
        let Some(stored) = stored else {
            return Ok(false);
        };
        self.adopt(&parse(&stored.value)?)?;
        Ok(true)
    }

    /// Makes sure that the key that a value was sealed under is known, if there
    /// is such a key: after another server has rotated, the stored keys are read
    /// once. It opens a unit of work, so none may be open meanwhile.
    ///
    /// # Errors
    /// * [`ErrorKind::Unavailable`] for an unknown key so soon after the keys
    ///   were read for another one that nobody knows whether it is there.
    /// * What the storage says.
    pub async fn learn(&self, storage: &dyn Storage, sealed: &[u8]) -> Result<()> {
        let Some(id) = key_id(sealed).filter(|id| !self.knows(*id)) else {
            return Ok(());
        };
        let mut learned_at = self.learned_at.lock().await;
        if self.knows(id) {
            return Ok(());
        }
        let now = self.environment.running();
        if learned_at.is_some_and(|at| now.saturating_sub(at) < LEARN_EVERY) {
            let message = "a value's key is not known yet; try again";
            return Err(Error::new(ErrorKind::Unavailable, message).retry_in(LEARN_EVERY));
        }
        self.reload(storage).await?;
        *learned_at = Some(now);
        Ok(())
    }

    fn knows(&self, id: u32) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.ciphers.contains_key(&id)
    }

    /// Makes a new data key, which seals from now on; older ones go on opening.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when another node rotated at the same time.
    pub async fn rotate(&self, storage: &dyn Storage) -> Result<()> {
        self.make(storage, false).await
    }

    /// Makes a data key, or adopts those that are there if it is to be the first.
    async fn make(&self, storage: &dyn Storage, first: bool) -> Result<()> {
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await?;
        crate::archive::check_whole(unit.as_mut()).await?;
        let stored = unit.installation().value(NAME).await?;
        if let Some(stored) = stored.as_ref().filter(|_| first) {
            unit.rollback().await?;
            return self.adopt(&parse(&stored.value)?);
        }
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        let mut keys = stored.map_or_else(|| Ok(Vec::new()), |stored| parse(&stored.value))?;
        let id = keys.iter().map(|key| key.id).max().unwrap_or(0) + 1;
        let key = Zeroizing::new(self.environment.bytes::<32>());
        let wrapped = encrypt(
            &cipher(&self.master.0),
            &self.environment.bytes(),
            &wrap_context(id),
            key.as_slice(),
        )?;
        keys.push(StoredKey {
            id,
            wrapped: STANDARD.encode(wrapped),
            created_at: self.environment.now(),
        });
        let value = serde_json::to_vec(&keys).map_err(|e| Error::internal("keys").because(e))?;
        unit.installation().put(NAME, &value, version).await?;
        unit.commit().await?;
        self.adopt(&keys)
    }

    fn adopt(&self, stored: &[StoredKey]) -> Result<()> {
        let ciphers = ciphers(&self.master, stored)?;
        let active = ciphers.keys().next_back().copied().ok_or_else(corrupt)?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        // Of two that read at once, the one with fewer keys must not come last.
        if active >= keys.active {
            *keys = Keys { active, ciphers };
        }
        Ok(())
    }

    /// Seals `plain` for a purpose and place; both are needed to open it.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the cipher refuses, which it does only for
    /// values of many gigabytes.
    pub fn seal(&self, context: &SealContext<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let cipher = keys.ciphers.get(&keys.active).ok_or_else(corrupt)?;
        let body = encrypt(cipher, &self.environment.bytes(), &context.bytes(), plain)?;
        let mut sealed = Vec::with_capacity(5 + body.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&keys.active.to_be_bytes());
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for the same purpose and place.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when it was not, was changed, or its key is gone.
    pub fn open_sealed(&self, context: &SealContext<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        let id = key_id(sealed).ok_or_else(corrupt)?;
        let (_, body) = sealed.split_at_checked(5).ok_or_else(corrupt)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let cipher = keys.ciphers.get(&id).ok_or_else(corrupt)?;
        decrypt(cipher, body, &context.bytes()).ok_or_else(corrupt)
    }

    /// The greatest number of bytes that sealing adds.
    pub const OVERHEAD: usize = HEADER + 16;
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")
    }
}

/// What a sealed value is for and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    /// What it is for: a constant of the code.
    pub purpose: &'static str,
    /// Where it stands: ids, so that it cannot be moved.
    pub place: &'a [&'a [u8]],
}

impl SealContext<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in std::iter::once(&self.purpose.as_bytes()).chain(self.place) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// The stored data keys, opened.
fn ciphers(master: &MasterKey, stored: &[StoredKey]) -> Result<BTreeMap<u32, XChaCha20Poly1305>> {
    let master = cipher(&master.0);
    let mut ciphers = BTreeMap::new();
    for key in stored {
        let wrapped = STANDARD.decode(&key.wrapped).map_err(|_| corrupt())?;
        let opened = Zeroizing::new(
            decrypt(&master, &wrapped, &wrap_context(key.id)).ok_or_else(|| {
                Error::new(
                    ErrorKind::Corrupt,
                    "the master key is not the one that this installation's data keys were made with",
                )
            })?,
        );
        let bytes: &[u8; 32] = opened.as_slice().try_into().map_err(|_| corrupt())?;
        ciphers.insert(key.id, cipher(bytes));
    }
    Ok(ciphers)
}

/// The id of the key that a value says it was sealed under.
fn key_id(sealed: &[u8]) -> Option<u32> {
    let (version, rest) = sealed.split_first()?;
    let id = rest.first_chunk::<4>()?;
    (*version == VERSION).then(|| u32::from_be_bytes(*id))
}

fn wrap_context(id: u32) -> Vec<u8> {
    SealContext {
        purpose: "data key",
        place: &[&id.to_be_bytes()],
    }
    .bytes()
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*key))
}

fn encrypt(
    cipher: &XChaCha20Poly1305,
    nonce: &[u8; 24],
    context: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>> {
    let payload = Payload {
        msg: plain,
        aad: context,
    };
    let sealed = cipher
        .encrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| Error::internal("a value could not be sealed"))?;
    Ok(nonce.iter().copied().chain(sealed).collect())
}

fn decrypt(cipher: &XChaCha20Poly1305, body: &[u8], context: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = body.split_at_checked(24)?;
    let nonce: [u8; 24] = nonce.try_into().ok()?;
    let payload = Payload {
        msg: sealed,
        aad: context,
    };
    cipher.decrypt(&XNonce::from(nonce), payload).ok()
}

/// A fingerprint of each stored data key, the first one's first; none when there
/// are no keys. That of the first stands for the installation: rotation only adds.
pub(crate) async fn stored_fingerprints(unit: &mut dyn UnitOfWork) -> Result<Vec<String>> {
    let stored = unit.installation().value(NAME).await?;
    stored.map_or_else(|| Ok(Vec::new()), |stored| fingerprints(&stored.value))
}

/// The same of a stored value.
pub(crate) fn fingerprints(value: &[u8]) -> Result<Vec<String>> {
    let mut keys = parse(value)?;
    keys.sort_by_key(|key| key.id);
    let fingerprint = |key: &StoredKey| {
        let id = key.id.to_be_bytes();
        let parts = [id.as_slice(), key.wrapped.as_bytes()];
        STANDARD.encode(TokenHash::of_parts(parts).as_bytes())
    };
    Ok(keys.iter().map(fingerprint).collect())
}

fn parse(value: &[u8]) -> Result<Vec<StoredKey>> {
    serde_json::from_slice(value).map_err(|_| corrupt())
}

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "a sealed value cannot be opened")
}
