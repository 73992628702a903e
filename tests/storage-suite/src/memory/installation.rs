use async_trait::async_trait;
use gatelodge_core::{
    Result,
    storage::{InstallationRepository, InstallationValue},
};

use super::{tenants::missing, unit::MemoryUnit};

#[async_trait]
impl InstallationRepository for MemoryUnit {
    async fn value(&mut self, name: &str) -> Result<Option<InstallationValue>> {
        self.read(|state, view| {
            view.platform()?;
            Ok(state.installation.get(name).cloned())
        })
        .await
    }

    async fn put(&mut self, name: &str, value: &[u8], version: i64) -> Result<i64> {
        self.write(|state, view| {
            view.platform()?;
            let stored = state
                .installation
                .get(name)
                .map_or(0, |value| value.version);
            let version = view.next_version(stored, version, "value")?;
            let value = InstallationValue {
                value: view.bytes(value),
                version,
            };
            state.installation.insert(name.to_owned(), value);
            Ok(version)
        })
        .await
    }

    async fn delete(&mut self, name: &str, version: i64) -> Result<()> {
        self.write(|state, view| {
            view.platform()?;
            let Some(stored) = state.installation.get(name) else {
                return missing("value", view);
            };
            view.next_version(stored.version, version, "value")?;
            state.installation.remove(name);
            Ok(())
        })
        .await
    }
}
