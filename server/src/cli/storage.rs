//! `gatelodge storage …`

use std::{fs, path::Path, sync::Arc};

use clap::{Args, Subcommand};
use gatelodge_core::{
    Environment,
    archive::{Copied, CopyOptions, Verification, copy, verify},
    storage::{Scope, Storage},
};
use serde_json::json;

use super::{
    arguments::GlobalOptions,
    failure::Failure,
    interrupt::or_interrupted,
    output::{Output, Shape},
    progress::Progress,
    surroundings::Surroundings,
    text::{counted, quoted, thousands},
};
use crate::{
    config::{self, Loaded, StorageConfig, StorageUrl},
    plugins::{self, PlannedMigration},
};

/// Differences that are told one by one.
const TOLD: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum StorageCommand {
    /// Bring the database's schema up to date, as `serve` does when it starts
    ///
    /// Each migration is one transaction: interrupted at any point, it is undone and can be begun again. Servers that run
    /// meanwhile go on, unless a migration says that it needs a newer program; then they refuse, in words.
    Migrate(MigrateArguments),
    /// Copy everything into another, new database, also from SQLite to Postgres and back
    ///
    /// Interrupted, the same command goes on. Run again, it writes only what has changed: copy with `--more-to-come` while
    /// the servers run, stop them, copy once more. Until a copy is finished nothing else opens the new database. Give the
    /// new one the same master key. Of a Postgres with two accounts, name the owner's address.
    Copy(CopyArguments),
    /// Compare two databases, row by row
    ///
    /// Answers whether they hold the same, and where they differ; then the exit code is 1. While servers use one of them
    /// they will differ.
    Verify(BothDatabases),
}

#[derive(Debug, Args)]
pub(super) struct MigrateArguments {
    /// Only show which migrations there are and which would be applied
    #[arg(long)]
    plan: bool,
}

#[derive(Debug, Args)]
pub(super) struct BothDatabases {
    /// The one database: an address, or `@FILE` for a file that holds it [default: the configured one]
    #[arg(long, value_name = "URL", value_parser = parse_address)]
    from: Option<Address>,
    /// The other one: an address, or `@FILE` for a file that holds it, so that a password is in no list of processes
    #[arg(long, value_name = "URL", value_parser = parse_address)]
    to: Address,
}

#[derive(Debug, Args)]
pub(super) struct CopyArguments {
    #[command(flatten)]
    both: BothDatabases,
    /// The old database is still in use: leave the new one closed, for another copy to catch up
    #[arg(long)]
    more_to_come: bool,
}

/// An address from the command line. It prints itself without its password.
#[derive(Debug, Clone)]
struct Address(StorageUrl);

fn parse_address(text: &str) -> Result<Address, String> {
    let read = |path: &str| {
        let text = fs::read_to_string(Path::new(path));
        text.map_err(|error| format!("the file {} cannot be read: {error}", quoted(path)))
    };
    let text = match text.strip_prefix('@') {
        Some(path) => read(path)?,
        None => text.to_owned(),
    };
    // The text itself is not repeated: it may hold a password.
    let url: StorageUrl = text.trim().parse().map_err(|_| {
        "expected an address such as `sqlite:gatelodge-data/gatelodge.db` or \
         `postgres://account@host/database`"
            .to_owned()
    })?;
    if !plugins::is_address(&url) {
        return Err(format!(
            "this program has no backend for addresses that begin with `{}:`",
            url.scheme()
        ));
    }
    Ok(Address(url))
}

impl StorageCommand {
    pub(super) async fn run(
        &self,
        options: &GlobalOptions,
        surroundings: &Surroundings,
    ) -> Result<(), Failure> {
        let environment = surroundings.environment.iter().cloned();
        let loaded = config::load(&options.overrides(), environment)?;
        let output = Output::new(surroundings, options.json);
        let progress = Progress::new(surroundings);
        let work = async {
            match self {
                Self::Migrate(arguments) if arguments.plan => plan(&loaded, output).await,
                Self::Migrate(_) => migrate(&loaded, output).await,
                Self::Copy(arguments) => {
                    let left = "the copy is not finished, and nothing opens the new database; the same command goes on";
                    let work = copy_all(&loaded, arguments, output, &progress);
                    or_interrupted(work, left).await
                }
                Self::Verify(both) => compare(&loaded, both, output, &progress).await,
            }
        };
        progress.watch(work).await
    }
}

async fn plan(loaded: &Loaded, output: Output<'_>) -> Result<(), Failure> {
    let planned = plugins::plan(&loaded.config.storage).await?;
    let mut list = output.list(Shape {
        nothing: "There are no migrations.",
        headers: &["MIGRATION", "NAME", "STATE"],
        row: &|step: &PlannedMigration| {
            let state = if step.is_applied {
                "applied"
            } else {
                "would be applied"
            };
            vec![
                step.version.to_string(),
                step.name.clone(),
                state.to_owned(),
            ]
        },
        json: &|step| json!(step),
    });
    list.piece(&planned)?;
    list.finish()
}

async fn migrate(loaded: &Loaded, output: Output<'_>) -> Result<(), Failure> {
    let storage = &loaded.config.storage;
    let planned = plugins::plan(storage).await?;
    plugins::storage(storage).await?.close().await;
    let done: Vec<_> = planned.iter().filter(|step| !step.is_applied).collect();
    let words = match done.as_slice() {
        [] => "The schema is up to date.".to_owned(),
        done => format!(
            "Applied {}. The schema is up to date.",
            done.iter()
                .map(|step| format!("migration {} ({})", step.version, step.name))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    output.answer(&json!({ "applied": done }), &words)
}

/// Both databases, opened.
struct Pair {
    from: Arc<dyn Storage>,
    to: Arc<dyn Storage>,
    /// The other one's address, for people.
    place: String,
}

impl BothDatabases {
    async fn open(&self, loaded: &Loaded, makes_other: bool) -> Result<Pair, Failure> {
        let at = |address: &Address| StorageConfig {
            url: Some(address.0.clone()),
            ..StorageConfig::default()
        };
        let from = match &self.from {
            Some(address) => at(address),
            None => loaded.config.storage.clone(),
        };
        let to = at(&self.to);
        let text =
            |storage: &StorageConfig| storage.url.as_ref().map(|url| url.expose().to_owned());
        if text(&from) == text(&to) {
            return Err(Failure::usage("`--from` and `--to` are the same database"));
        }
        must_exist(&from)?;
        if !makes_other {
            must_exist(&to)?;
        }
        let place = self.to.0.redacted();
        let from = plugins::storage(&from).await?;
        match plugins::storage(&to).await {
            Ok(to) => Ok(Pair { from, to, place }),
            Err(error) => {
                from.close().await;
                Err(error.into())
            }
        }
    }
}

/// A file that is not there would be made, and be empty.
fn must_exist(storage: &StorageConfig) -> Result<(), Failure> {
    match plugins::embedded_file(storage) {
        Some(file) if !file.exists() => {
            let message = format!("there is no database at {}", quoted(file.display()));
            Err(Failure::new("not_found", message))
        }
        _ => Ok(()),
    }
}

impl Pair {
    async fn close(self) {
        self.from.close().await;
        self.to.close().await;
    }
}

async fn copy_all(
    loaded: &Loaded,
    arguments: &CopyArguments,
    output: Output<'_>,
    progress: &Progress<'_>,
) -> Result<(), Failure> {
    progress.begin("opening both databases");
    let pair = arguments.both.open(loaded, true).await?;
    let options = CopyOptions {
        more_to_come: arguments.more_to_come,
        ..CopyOptions::at(Environment::system().now())
    };
    progress.begin("copying");
    let copied = progress
        .follow("copying", async |report| {
            copy(pair.from.as_ref(), pair.to.as_ref(), &options, report).await
        })
        .await;
    let place = pair.place.clone();
    pair.close().await;
    let copied = copied?;
    let document = json!({
        "rows": copied.rows,
        "written": copied.written,
        "removed": copied.removed,
        "tenants": copied.tenants,
        "finished": !arguments.more_to_come,
    });
    output.answer(&document, &copied_words(&copied, arguments, &place))
}

fn copied_words(copied: &Copied, arguments: &CopyArguments, place: &str) -> String {
    let done = format!(
        "{} rows of {} are in {}; {} were written and {} removed.",
        thousands(copied.rows),
        counted(copied.tenants, "tenant"),
        quoted(place),
        thousands(copied.written),
        thousands(copied.removed)
    );
    let next = if arguments.more_to_come {
        "It stays closed. Stop the servers, and run the same command without `--more-to-come`."
    } else {
        "Compare the two with `gatelodge storage verify`, then name the new one in `storage.url`, beside the same master \
         key."
    };
    format!("{done}\n{next}")
}

async fn compare(
    loaded: &Loaded,
    both: &BothDatabases,
    output: Output<'_>,
    progress: &Progress<'_>,
) -> Result<(), Failure> {
    progress.begin("opening both databases");
    let pair = both.open(loaded, false).await?;
    progress.begin("comparing");
    let found = progress
        .follow("comparing", async |report| {
            verify(pair.from.as_ref(), pair.to.as_ref(), report).await
        })
        .await;
    pair.close().await;
    let found = found?;
    output.answer(&verified_document(&found), &verified_words(&found))?;
    if found.is_same() {
        return Ok(());
    }
    Err(Failure::new(
        "different",
        "the two databases do not hold the same",
    ))
}

fn verified_document(found: &Verification) -> serde_json::Value {
    let difference = |difference: &gatelodge_core::archive::Difference| {
        json!({
            "tenant": match difference.scope {
                Scope::Platform => None,
                Scope::Tenant(tenant) => Some(tenant),
            },
            "kind": difference.kind,
            "rows": difference.rows,
        })
    };
    json!({
        "same": found.is_same(),
        "rows": found.rows,
        "tenants": found.tenants,
        "sha256": found.digests,
        "differences": found.differences.iter().map(difference).collect::<Vec<_>>(),
    })
}

fn verified_words(found: &Verification) -> String {
    let [one, other] = &found.digests;
    if found.is_same() {
        return format!(
            "Both hold the same: {} rows of {}.\nSHA-256 {one}",
            thousands(found.rows),
            counted(found.tenants, "tenant")
        );
    }
    let mut words = format!("SHA-256 {one} is not {other}");
    for difference in found.differences.iter().take(TOLD) {
        let place = match difference.scope {
            Scope::Platform => "the platform".to_owned(),
            Scope::Tenant(tenant) => format!("tenant {tenant}"),
        };
        let [one, other] = difference.rows;
        let kind = difference.kind.as_str();
        words.push_str(&format!(
            "\n{place}: rows of the kind `{kind}` differ ({one} here, {other} there)"
        ));
    }
    if let Some(more) = found
        .differences
        .len()
        .checked_sub(TOLD)
        .filter(|more| *more > 0)
    {
        words.push_str(&format!("\nand {more} more; `--json` tells all"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password_and_a_wrong_one_not_at_all() {
        let address = parse_address("postgres://lodge:hunter2@db.example/x").unwrap();
        assert!(!format!("{address:?}").contains("hunter2"));
        let error = parse_address("hunter2").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_address_can_lie_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        fs::write(&file, "sqlite:x.db\n").unwrap();
        let address = parse_address(&format!("@{}", file.display())).unwrap();
        assert_eq!(address.0.expose(), "sqlite:x.db");
        let error = parse_address("@/nowhere/url").unwrap_err();
        assert!(error.contains("/nowhere/url"), "{error}");
    }
}
