//! The one file that names concrete providers and backends. Nothing else in the
//! server knows which there are.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use gatelodge_core::{model::ProviderId, provider::Registry, storage::Storage};
use serde::Serialize;

use crate::{
    app::StartError,
    config::{Config, StorageConfig, StorageUrl},
};

/// The providers there are when none is configured, in this order: all that work
/// without a setting and were built in.
pub(crate) const DEFAULT_KINDS: &[&str] = &[
    #[cfg(feature = "password")]
    "password",
    #[cfg(feature = "one-time-token")]
    "one-time-token",
    #[cfg(feature = "totp")]
    "totp",
    #[cfg(feature = "recovery-code")]
    "recovery-code",
    #[cfg(feature = "remember-device")]
    "remember-device",
];

/// Every kind of provider that was built in.
fn kinds() -> Registry {
    #[allow(unused_mut, reason = "a build without any provider changes nothing")]
    let mut registry = Registry::new();
    #[cfg(feature = "oauth2")]
    gatelodge_provider_oauth2::register(&mut registry);
    #[cfg(feature = "oidc")]
    gatelodge_provider_oidc::register(&mut registry);
    #[cfg(feature = "one-time-code")]
    gatelodge_provider_one_time_code::register(&mut registry);
    #[cfg(feature = "one-time-token")]
    gatelodge_provider_one_time_token::register(&mut registry);
    #[cfg(feature = "password")]
    gatelodge_provider_password::register(&mut registry);
    #[cfg(feature = "recovery-code")]
    gatelodge_provider_recovery_code::register(&mut registry);
    #[cfg(feature = "remember-device")]
    gatelodge_provider_remember_device::register(&mut registry);
    #[cfg(feature = "totp")]
    gatelodge_provider_totp::register(&mut registry);
    registry
}

/// The configured providers, in the configured order.
pub(crate) fn providers(config: &Config) -> Result<Registry, StartError> {
    let mut registry = kinds();
    for provider in config.providers.iter().filter(|provider| provider.enabled) {
        let id = ProviderId::new(provider.id()).map_err(|error| provider.error("id", error))?;
        registry
            .configure(id, &provider.kind, provider.table()?)
            .map_err(|error| provider.error(error.field().unwrap_or_default(), error))?;
    }
    Ok(registry)
}

/// A kind of backend that was built in.
struct Backend {
    /// The first words of its addresses.
    schemes: &'static [&'static str],
    open: for<'a> fn(&'a StorageConfig) -> Doing<'a, Arc<dyn Storage>>,
    plan: for<'a> fn(&'a StorageConfig) -> Doing<'a, Vec<PlannedMigration>>,
}

type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, StartError>> + Send + 'a>>;

/// A step of a schema, and whether the database has it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PlannedMigration {
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) is_applied: bool,
}

/// Every backend has a configuration, and opens and plans by it.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! backend {
    ($schemes:expr, $config:ty, $storage:ty) => {
        Backend {
            schemes: &$schemes,
            open: |storage| {
                Box::pin(async move {
                    let opened = <$storage>::open(storage.decode::<$config>()?).await?;
                    Ok(Arc::new(opened) as Arc<dyn Storage>)
                })
            },
            plan: |storage| {
                Box::pin(async move {
                    let planned = <$storage>::plan(&storage.decode::<$config>()?).await?;
                    let migrations = planned.into_iter().map(|step| PlannedMigration {
                        version: step.version,
                        name: step.name,
                        is_applied: step.is_applied,
                    });
                    Ok(migrations.collect())
                })
            },
        }
    };
}

/// Every kind of backend that was built in.
fn backends() -> Vec<Backend> {
    vec![
        #[cfg(feature = "sqlite")]
        backend!(
            ["sqlite"],
            gatelodge_storage_sqlite::SqliteConfig,
            gatelodge_storage_sqlite::SqliteStorage
        ),
        #[cfg(feature = "postgres")]
        backend!(
            ["postgres", "postgresql"],
            gatelodge_storage_postgres::PostgresConfig,
            gatelodge_storage_postgres::PostgresStorage
        ),
    ]
}

/// The backend that an address chooses.
fn backend(storage: &StorageConfig) -> Result<Backend, StartError> {
    let scheme = storage.url.as_ref().map_or("sqlite", |url| url.scheme());
    let found = backends()
        .into_iter()
        .find(|backend| backend.schemes.contains(&scheme));
    found.ok_or_else(|| {
        let message = format!("names the backend `{scheme}`, which this program does not have");
        storage.settings.error("url", message).into()
    })
}

/// Whether there is a backend for an address.
pub(crate) fn is_address(url: &StorageUrl) -> bool {
    let scheme = url.scheme();
    let mut backends = backends().into_iter();
    backends.any(|backend| backend.schemes.contains(&scheme))
}

/// Opens the backend that the storage's address chooses, and brings its schema
/// up to date.
pub(crate) async fn storage(storage: &StorageConfig) -> Result<Arc<dyn Storage>, StartError> {
    (backend(storage)?.open)(storage).await
}

/// What opening would do to the schema; nothing is done.
pub(crate) async fn plan(storage: &StorageConfig) -> Result<Vec<PlannedMigration>, StartError> {
    (backend(storage)?.plan)(storage).await
}

/// Where the storage lies, if it lies in files on this machine.
pub(crate) fn embedded_file(storage: &StorageConfig) -> Option<PathBuf> {
    let url = storage.url.as_ref()?.expose();
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let file = rest.split_once('?').map_or(rest, |(file, _)| file);
    Some(PathBuf::from(file))
}
