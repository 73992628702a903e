use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    storage::{InstallationRepository, InstallationValue},
};

use crate::{
    Columns, Connection, SqlUnit, Statement,
    statement::Table,
    stored::{Stored, one},
};

pub(crate) const VALUES: Table = Table {
    name: "installation",
    key: "name",
    columns: &["name", "value", "version"],
};

pub(crate) fn read(row: &impl Columns) -> Result<InstallationValue> {
    let row = Stored::new(row, "installation");
    Ok(InstallationValue {
        value: row.bytes("value")?,
        version: row.integer("version")?,
    })
}

#[async_trait]
impl<C: Connection> InstallationRepository for SqlUnit<C> {
    async fn value(&mut self, name: &str) -> Result<Option<InstallationValue>> {
        self.platform_read("installation.value")?;
        let statement = "SELECT value, version FROM installation WHERE name = $1";
        let row = self.fetch(Statement::new(statement).bind(name)).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn put(&mut self, name: &str, value: &[u8], version: i64) -> Result<i64> {
        self.platform_write("installation.put")?;
        let statement = if version == 0 {
            "INSERT INTO installation (name, value, version) VALUES ($1, $2, $3 + 1) \
             ON CONFLICT DO NOTHING"
        } else {
            "UPDATE installation SET value = $2, version = version + 1 \
             WHERE name = $1 AND version = $3"
        };
        let statement = Statement::new(statement)
            .bind(name)
            .bind(value)
            .bind(version);
        match self.execute(statement).await? {
            0 => Err(Error::stale("installation's value")),
            _ => self.done(version.saturating_add(1)),
        }
    }

    async fn delete(&mut self, name: &str, version: i64) -> Result<()> {
        self.platform_write("installation.delete")?;
        let statement = "DELETE FROM installation WHERE name = $1 AND version = $2";
        let statement = Statement::new(statement).bind(name).bind(version);
        if self.execute(statement).await? == 1 {
            return self.done(());
        }
        let statement = Statement::new("SELECT 1 FROM installation WHERE name = $1").bind(name);
        Err(match self.fetch(statement).await? {
            Some(_) => Error::stale("installation's value"),
            None => Error::not_found("value of the installation"),
        })
    }
}
