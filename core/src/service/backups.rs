//! Whose turn it is to make the next backup, and what backups were made. The
//! backup itself is [`archive::write_backup`](crate::archive::write_backup).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Principal, Resource, action},
    archive::Contents,
    environment::later,
    model::{AuditEvent, ClientFacts},
    platform::AuditEventExt,
    storage::{InstallationValue, Mode, Scope, UnitOfWork},
};

const NAME: &str = "backup";
/// A turn that is not extended ends after this, and another may be taken: by
/// another server when this one died, by the same after a failure.
const TURN: Duration = Duration::from_secs(600);
/// So many names of files are remembered: more than can be kept.
const NAMES: usize = 1_200;

/// Backups that are made.
#[derive(Debug, Clone, Copy)]
pub struct Backups<'a>(&'a Platform);

/// A backup that is complete.
#[derive(Debug, Clone, Copy)]
pub struct MadeBackup<'a> {
    /// The name of its file.
    pub file: &'a str,
    /// The size of its file.
    pub bytes: u64,
    /// What is in it.
    pub contents: &'a Contents,
}

/// What is known of the scheduled backups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupSchedule {
    /// When the last one succeeded.
    pub last_success: Option<Timestamp>,
    /// The names of the files that the schedule made, or began to make, oldest
    /// first.
    pub files: Vec<String>,
}

/// The turn to make the next scheduled backup: nobody else has it meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupTurn(Uuid);

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    last_success: Option<Timestamp>,
    turn: Option<Turn>,
    files: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Turn {
    id: Uuid,
    until: Timestamp,
}

impl<'a> Backups<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// What is known of the scheduled backups.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn schedule(&self) -> Result<BackupSchedule> {
        let (unit, note, _) = self.read(Mode::Read).await?;
        unit.rollback().await?;
        Ok(BackupSchedule {
            last_success: note.last_success,
            files: note.files,
        })
    }

    /// Takes the turn to make a scheduled backup in `file`, if one is due `every`
    /// so often and nobody else has the turn. Of servers that ask at once, one
    /// gets it.
    ///
    /// It ends after ten minutes: extend it earlier.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn take_turn(&self, every: Duration, file: &str) -> Result<Option<BackupTurn>> {
        let now = self.0.now();
        // Mostly nothing is due, and looking costs no write.
        let (unit, note, _) = self.read(Mode::Read).await?;
        unit.rollback().await?;
        if !note.is_due(now, every) {
            return Ok(None);
        }
        let (mut unit, mut note, version) = self.read(Mode::Write).await?;
        if !note.is_due(now, every) {
            unit.rollback().await?;
            return Ok(None);
        }
        let turn = Turn {
            id: self.0.environment().uuid(),
            until: later(now, TURN),
        };
        note.turn = Some(turn);
        note.remember(file);
        match put(unit.as_mut(), &note, version).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error),
            Ok(()) => match unit.commit().await {
                Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
                committed => committed.map(|()| Some(BackupTurn(turn.id))),
            },
        }
    }

    /// Makes a turn last for ten minutes from now.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when it is another's turn already; what the storage
    /// says.
    pub async fn extend_turn(&self, turn: BackupTurn) -> Result<()> {
        let until = later(self.0.now(), TURN);
        self.change(None, |note| {
            note.own_turn(turn)?.until = until;
            Ok(())
        })
        .await
    }

    /// Notes that the backup of a turn was made, in one unit with its audit event.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when it is another's turn already; what the storage
    /// says.
    pub async fn end_turn(&self, turn: BackupTurn, made: MadeBackup<'_>) -> Result<()> {
        let caller = Caller {
            principal: Principal::System,
            client: ClientFacts::default(),
        };
        let event = self.event(&caller, made)?;
        self.change(Some(&event), |note| {
            note.own_turn(turn)?;
            note.turn = None;
            note.last_success = Some(made.contents.header.made_at);
            note.remember(made.file);
            Ok(())
        })
        .await
    }

    /// Records that somebody made a backup. It changes nothing about when the
    /// next scheduled one is due.
    ///
    /// # Errors
    /// As [`Platform::authorise`], and what the storage says.
    pub async fn record(&self, caller: &Caller, made: MadeBackup<'_>) -> Result<()> {
        let event = self.event(caller, made)?;
        let mut unit = self.0.write(Scope::Platform).await?;
        unit.audit().append(&event).await?;
        unit.commit().await
    }

    /// Whether a caller may make backups.
    ///
    /// # Errors
    /// As [`Platform::authorise`].
    pub fn authorise(&self, caller: &Caller) -> Result<()> {
        let resource = Resource::platform();
        self.0.authorise(caller, action::BACKUP_CREATE, &resource)
    }

    fn event(&self, caller: &Caller, made: MadeBackup<'_>) -> Result<AuditEvent> {
        self.authorise(caller)?;
        let header = &made.contents.header;
        let event = self.0.event(caller, None, action::BACKUP_CREATE);
        let mut event = event.about(&made.contents.sha256);
        let tenant = header.tenant.as_ref().map(|tenant| tenant.id.to_string());
        let counts = made.contents.rows.iter();
        let counts = counts.map(|(kind, rows)| (kind.as_str(), Some(rows.to_string())));
        let fields = [
            ("file", Some(made.file.to_owned())),
            ("bytes", Some(made.bytes.to_string())),
            ("made_at", Some(header.made_at.to_string())),
            ("of_tenant", tenant),
        ];
        for (field, new) in fields.into_iter().chain(counts) {
            event = event.changing(field, None, new);
        }
        Ok(event)
    }

    /// Changes the note, over whatever others change in it meanwhile.
    async fn change(
        &self,
        event: Option<&AuditEvent>,
        change: impl Fn(&mut Note) -> Result<()>,
    ) -> Result<()> {
        const TRIES: u32 = 20;
        for number in 1.. {
            let (mut unit, mut note, version) = self.read(Mode::Write).await?;
            change(&mut note)?;
            let stored = async {
                put(unit.as_mut(), &note, version).await?;
                if let Some(event) = event {
                    unit.audit().append(event).await?;
                }
                unit.commit().await
            };
            match stored.await {
                Err(error) if error.kind() == ErrorKind::Conflict && number < TRIES => {}
                stored => return stored,
            }
        }
        Err(Error::internal("there is always a next try"))
    }

    async fn read(&self, mode: Mode) -> Result<(Box<dyn UnitOfWork>, Note, i64)> {
        let mut unit = match mode {
            Mode::Read => self.0.read(Scope::Platform).await?,
            Mode::Write => self.0.write(Scope::Platform).await?,
        };
        let stored = unit.installation().value(NAME).await?;
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        let note = stored.map_or_else(|| Ok(Note::default()), |stored| parse(&stored))?;
        Ok((unit, note, version))
    }
}

impl Note {
    /// Whether nobody has the turn, and the last backup is long enough ago; one
    /// from the future was noted while the clock was wrong.
    fn is_due(&self, now: Timestamp, every: Duration) -> bool {
        let is_taken = self
            .turn
            .is_some_and(|turn| now < turn.until && turn.until <= later(now, 2 * TURN));
        let is_recent = self.last_success.is_some_and(|last| {
            let ago = now.duration_since(last);
            ago > -SignedDuration::from_hours(1)
                && ago < SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX)
        });
        !is_taken && !is_recent
    }

    fn own_turn(&mut self, own: BackupTurn) -> Result<&mut Turn> {
        let turn = self.turn.as_mut().filter(|turn| turn.id == own.0);
        turn.ok_or_else(|| Error::refused("another server makes the backup now"))
    }

    fn remember(&mut self, file: &str) {
        if self.files.iter().any(|name| name == file) {
            return;
        }
        self.files.push(file.to_owned());
        let surplus = self.files.len().saturating_sub(NAMES);
        self.files.drain(..surplus);
    }
}

async fn put(unit: &mut dyn UnitOfWork, note: &Note, version: i64) -> Result<()> {
    let value = serde_json::to_vec(note)
        .map_err(|error| Error::internal("the note of backups").because(error))?;
    let installation = unit.installation();
    installation.put(NAME, &value, version).await.map(|_| ())
}

fn parse(stored: &InstallationValue) -> Result<Note> {
    serde_json::from_slice(&stored.value)
        .map_err(|_| Error::new(ErrorKind::Corrupt, "the note of backups cannot be read"))
}
