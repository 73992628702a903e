use async_trait::async_trait;

use crate::Result;

/// One of the installation's own values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallationValue {
    /// The value, at most 64 KiB; secrets in it are sealed or hashed.
    pub value: Vec<u8>,
    /// Rises with every change.
    pub version: i64,
}

/// The installation's own values, by name: the set-up token, data keys. All
/// methods are *platform*.
#[async_trait]
pub trait InstallationRepository: Send {
    /// The value of this name.
    async fn value(&mut self, name: &str) -> Result<Option<InstallationValue>>;

    /// Stores a value over `version` (0: there is none yet); answers its new
    /// version. A different stored version, or one that appeared, is a
    /// `Conflict`: of two units that store over one version, exactly one succeeds.
    async fn put(&mut self, name: &str, value: &[u8], version: i64) -> Result<i64>;

    /// Removes it where its version is `version`; else `Conflict`, or `NotFound`.
    async fn delete(&mut self, name: &str, version: i64) -> Result<()>;
}
