//! The marker of a database that is not whole: a copy or a restore writes it
//! first and removes it last, and every unit between looks whether it is still
//! its own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{PROGRAM, pages};
use crate::{
    Error, ErrorKind, Result,
    storage::{Mode, RowKind, Scope, Storage, UnitOfWork},
};

/// What was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Copy,
    Restore,
}

impl Task {
    const ALL: [Self; 2] = [Self::Copy, Self::Restore];

    /// The name of its marker among the installation's values.
    fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Restore => "restore",
        }
    }

    fn unfinished(self) -> Error {
        Error::refused(match self {
            Self::Copy => {
                "a copy into this database was not finished; run the same `gatelodge storage copy` again"
            }
            Self::Restore => {
                "a restore into this database was not finished; run the same `gatelodge restore` again"
            }
        })
    }
}

/// Whether a value belongs to one database only and is in no copy of it.
pub(super) fn is_marker(name: &str) -> bool {
    Task::ALL.iter().any(|task| task.name() == name)
}

#[derive(Serialize, Deserialize)]
struct Marker {
    source: String,
    started_at: Timestamp,
    program: String,
}

/// Answers when no copy or restore into this database is unfinished.
///
/// # Errors
/// [`ErrorKind::Refused`] when one is, in words that say what to do; what the
/// storage says.
pub async fn ensure_whole(storage: &dyn Storage) -> Result<()> {
    let mut unit = storage.begin(Scope::Platform, Mode::Read).await?;
    check(unit.as_mut()).await?;
    unit.rollback().await
}

/// The same in a platform unit.
pub(crate) async fn check(unit: &mut dyn UnitOfWork) -> Result<()> {
    for task in Task::ALL {
        if unit.installation().value(task.name()).await?.is_some() {
            return Err(task.unfinished());
        }
    }
    Ok(())
}

/// A database under this program's marker.
pub(super) struct Target<'a> {
    storage: &'a dyn Storage,
    task: Task,
    version: i64,
}

impl<'a> Target<'a> {
    /// Puts the marker: into an empty database, or over the marker of an earlier
    /// try, which ends if it still runs.
    ///
    /// It goes on from the same source only: audit events that another one left
    /// could not be removed.
    pub(super) async fn claim(
        storage: &'a dyn Storage,
        task: Task,
        source: &str,
        now: Timestamp,
    ) -> Result<Self> {
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await?;
        let stored = unit.installation().value(task.name()).await?;
        match &stored {
            Some(stored) => check_source(task, &stored.value, source)?,
            None => {
                check(unit.as_mut()).await?;
                check_empty(unit.as_mut()).await?;
            }
        }
        let marker = Marker {
            source: source.to_owned(),
            started_at: now,
            program: PROGRAM.to_owned(),
        };
        let value = serde_json::to_vec(&marker)
            .map_err(|error| Error::internal("a marker").because(error))?;
        let version = stored.map_or(0, |stored| stored.version);
        let version = unit
            .installation()
            .put(task.name(), &value, version)
            .await?;
        unit.commit().await?;
        Ok(Self {
            storage,
            task,
            version,
        })
    }

    /// A read unit.
    pub(super) async fn read(&self, scope: Scope) -> Result<Box<dyn UnitOfWork>> {
        self.storage.begin(scope, Mode::Read).await
    }

    /// A write unit, if the marker is still this one.
    pub(super) async fn write(&self, scope: Scope) -> Result<Box<dyn UnitOfWork>> {
        let mut unit = self.storage.begin(Scope::Platform, Mode::Write).await?;
        let stored = unit.installation().value(self.task.name()).await?;
        if stored.is_none_or(|stored| stored.version != self.version) {
            let message = format!("another {} into this database has begun", self.task.name());
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if let Scope::Tenant(tenant) = scope {
            unit.enter(tenant).await?;
        }
        Ok(unit)
    }

    /// Removes the marker in a platform unit that [`Target::write`] began, and
    /// commits it: the database is whole.
    pub(super) async fn finish(&self, mut unit: Box<dyn UnitOfWork>) -> Result<()> {
        let installation = unit.installation();
        installation.delete(self.task.name(), self.version).await?;
        unit.commit().await
    }
}

fn check_source(task: Task, stored: &[u8], source: &str) -> Result<()> {
    let is_same = serde_json::from_slice::<Marker>(stored).is_ok_and(|m| m.source == source);
    if is_same {
        return Ok(());
    }
    Err(Error::refused(match task {
        Task::Copy => {
            "the target holds an unfinished copy of another installation; begin with a new, empty database"
        }
        Task::Restore => {
            "the target holds an unfinished restore of another backup; begin with a new, empty database"
        }
    }))
}

async fn check_empty(unit: &mut dyn UnitOfWork) -> Result<()> {
    let mut is_empty = pages::first_tenant(unit).await?.is_none();
    for kind in RowKind::PLATFORM {
        is_empty = is_empty && unit.archive().rows(kind, None, 1).await?.is_empty();
    }
    if is_empty {
        return Ok(());
    }
    Err(Error::refused("the target is not empty"))
}
