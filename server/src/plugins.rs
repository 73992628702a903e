//! The one file that names concrete providers and backends. Nothing else in the
//! server knows which there are.

use std::sync::Arc;

use gatelodge_core::{model::ProviderId, provider::Registry, storage::Storage};

use crate::{
    app::StartError,
    config::{Config, Loaded},
};

/// Every kind of provider that was built in.
fn kinds() -> Registry {
    #[allow(unused_mut, reason = "a build without any provider changes nothing")]
    let mut registry = Registry::new();
    #[cfg(feature = "password")]
    gatelodge_provider_password::register(&mut registry);
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

/// Opens the backend that the storage's address chooses, and brings its schema
/// up to date.
pub(crate) async fn storage(loaded: &Loaded) -> Result<Arc<dyn Storage>, StartError> {
    let storage = &loaded.config.storage;
    let scheme = storage.url.as_ref().map_or("sqlite", |url| url.scheme());
    match scheme {
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let config = storage.decode::<gatelodge_storage_sqlite::SqliteConfig>()?;
            let opened = gatelodge_storage_sqlite::SqliteStorage::open(config).await?;
            Ok(Arc::new(opened))
        }
        other => Err(loaded
            .error(
                "storage.url",
                format!("names the backend `{other}`, which this program does not have"),
            )
            .into()),
    }
}

/// Whether the storage lies in files on this machine, and where.
pub(crate) fn embedded_file(loaded: &Loaded) -> Option<std::path::PathBuf> {
    let url = loaded.config.storage.url.as_ref()?.expose();
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let file = rest.split_once('?').map_or(rest, |(file, _)| file);
    Some(std::path::PathBuf::from(file))
}
