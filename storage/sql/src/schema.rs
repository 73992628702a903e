//! What both backends do with their migrations: know them again, find those
//! that are missing, and refuse what a newer program has made.

use gatelodge_core::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

/// A step of the schema. Once released it never changes: its checksum is kept.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Rises by one.
    pub version: i64,
    /// What it is about, in a word or two.
    pub name: &'static str,
    /// Its statements.
    pub sql: &'static str,
}

impl Migration {
    /// SHA-256 of its statements.
    pub fn checksum(&self) -> Vec<u8> {
        Sha256::digest(self.sql.as_bytes()).to_vec()
    }
}

/// A migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedMigration {
    /// Rises by one.
    pub version: i64,
    /// What it is about, in a word or two.
    pub name: String,
    /// Whether it was applied already.
    pub is_applied: bool,
}

/// What a database says of its schema.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// The version of the oldest program that may use it.
    pub min_binary: Option<String>,
    /// Version and checksum of each applied migration, sorted.
    pub migrations: Vec<(i64, Vec<u8>)>,
}

/// What has to be done, in order.
///
/// # Errors
/// * [`ErrorKind::Unsupported`] when a newer program is needed.
/// * [`ErrorKind::Corrupt`] when a known migration is another one, or is missing
///   below an applied one.
pub fn pending(
    known: &'static [Migration],
    applied: &Applied,
    program: &str,
    database: &str,
) -> Result<Vec<&'static Migration>> {
    if applied.migrations.is_empty() {
        return Ok(known.iter().collect());
    }
    check_min_binary(applied.min_binary.as_deref(), program, database)?;
    let mut pending = Vec::new();
    for migration in known {
        let found = applied
            .migrations
            .iter()
            .find(|(version, _)| *version == migration.version);
        match found {
            None => pending.push(migration),
            Some(_) if !pending.is_empty() => {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    format!(
                        "the schema of `{database}` is half migrated: migration {} is there and an earlier one is not; \
                         restore it from a backup",
                        migration.version
                    ),
                ));
            }
            Some((_, checksum)) if *checksum == migration.checksum() => {}
            Some(_) => {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    format!(
                        "migration {} of `{database}` is not the one that this program knows",
                        migration.version
                    ),
                ));
            }
        }
    }
    Ok(pending)
}

/// Refuses a database that asks for a newer program.
///
/// # Errors
/// [`ErrorKind::Unsupported`], and [`ErrorKind::Corrupt`] when it does not say.
pub fn check_min_binary(needed: Option<&str>, program: &str, database: &str) -> Result<()> {
    let Some(needed) = needed else {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!("the table schema_info of `{database}` is empty"),
        ));
    };
    if numbers(program) >= numbers(needed) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("the database `{database}` needs gatelodge {needed} or newer, this is {program}"),
    ))
}

/// All known migrations, and which are applied.
pub fn plan(known: &'static [Migration], pending: &[&'static Migration]) -> Vec<PlannedMigration> {
    known
        .iter()
        .map(|migration| PlannedMigration {
            version: migration.version,
            name: migration.name.to_owned(),
            is_applied: !pending
                .iter()
                .any(|pending| pending.version == migration.version),
        })
        .collect()
}

/// A version as it compares; what is no number is later than any.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(u64::MAX))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: [Migration; 2] = [
        Migration {
            version: 1,
            name: "first",
            sql: "a",
        },
        Migration {
            version: 2,
            name: "second",
            sql: "b",
        },
    ];

    fn applied(versions: &[i64]) -> Applied {
        Applied {
            min_binary: Some("0.1.0".to_owned()),
            migrations: KNOWN
                .iter()
                .filter(|migration| versions.contains(&migration.version))
                .map(|migration| (migration.version, migration.checksum()))
                .collect(),
        }
    }

    fn versions(applied: &Applied) -> Result<Vec<i64>> {
        let pending = pending(&KNOWN, applied, "0.1.0", "db")?;
        Ok(pending.iter().map(|migration| migration.version).collect())
    }

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(numbers("0.10.0") > numbers("0.9.9"));
        assert!(numbers("1.0.0") >= numbers("1.0.0"));
        assert!(numbers("1.0.0") < numbers("no version"));
    }

    #[test]
    fn what_is_missing_is_pending_in_order() {
        assert_eq!(versions(&Applied::default()).unwrap(), [1, 2]);
        assert_eq!(versions(&applied(&[1])).unwrap(), [2]);
        assert_eq!(versions(&applied(&[1, 2])).unwrap(), [0; 0]);
    }

    #[test]
    fn a_gap_and_another_migration_are_refused() {
        let error = versions(&applied(&[2])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains("half migrated"), "{error}");
        let mut other = applied(&[1, 2]);
        other.migrations[0].1 = vec![0; 32];
        assert_eq!(versions(&other).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_migration_of_a_newer_program_is_no_obstacle_unless_it_says_so() {
        let mut newer = applied(&[1, 2]);
        newer.migrations.push((3, vec![3; 32]));
        assert_eq!(versions(&newer).unwrap(), [0; 0]);
        newer.min_binary = Some("0.2.0".to_owned());
        let error = versions(&newer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("needs gatelodge 0.2.0"), "{error}");
    }
}
