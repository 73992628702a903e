//! Sealing: secrets at rest under data keys, wrapped by a master key.
//!
//! A sealed value is `version (1 byte) | key id (4 bytes) | nonce (24 bytes) |
//! ciphertext and tag` of XChaCha20-Poly1305; its purpose and place are
//! authenticated with it, so it opens nowhere else. The key ring is stored as an
//! installation value, each data key wrapped by the master key, which never
//! leaves the server's memory and its own file.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock},
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
    storage::{Mode, Scope, Storage},
};

const VERSION: u8 = 1;
const HEADER: usize = 1 + 4 + 24;
const NAME: &str = "data_keys";

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
        let master = cipher(&self.master.0);
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
        let (head, body) = sealed.split_at_checked(5).ok_or_else(corrupt)?;
        let (version, id) = head.split_first().ok_or_else(corrupt)?;
        let id = u32::from_be_bytes(id.try_into().map_err(|_| corrupt())?);
        if *version != VERSION {
            return Err(corrupt());
        }
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

fn parse(value: &[u8]) -> Result<Vec<StoredKey>> {
    serde_json::from_slice(value).map_err(|_| corrupt())
}

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "a sealed value cannot be opened")
}
