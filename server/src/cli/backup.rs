//! `gatelodge backup …`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gatelodge_core::{
    Environment,
    archive::{Contents, Header, What, read_backup},
    storage::RowKind,
};
use serde_json::{Map, Value, json};

use super::{
    administration::{Administration, administer},
    arguments::GlobalOptions,
    failure::Failure,
    interrupt::or_interrupted,
    output::{Output, Shape},
    progress::Progress,
    surroundings::Surroundings,
    text::{plain, quoted, size, thousands},
};
use crate::{
    backup::{
        BackupOnDisk, Found, Identities, Made, Order, Place, found, make, make_identity_file,
        schedule::noted,
    },
    config::{self, BackupRecipient, Config},
};

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Make a backup of everything or of one tenant, also while servers run
    ///
    /// It holds one state of the database: names, addresses, sealed and hashed credentials, the audit log. Sign-ins under
    /// way, counters of tries and messages still to be sent are left out. The master key is not in it: keep a copy of that somewhere else.
    Create(CreateArguments),
    /// List the backups in the folder for backups, by their names; none is opened
    List,
    /// Read a backup to its end, and say what is in it or what is wrong with it
    Verify(VerifyArguments),
    /// Make a key that opens backups, and print its recipient, which goes into the configuration
    ///
    /// The key is an identity of age (https://age-encryption.org). Whoever has it can open every backup that is encrypted
    /// for it, and nobody else can: keep it where the backups are not, and not on the server.
    Key(KeyArguments),
}

#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    /// The file to write, which must not be there [default: a name with the time, in the folder for backups]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only this tenant, by id or name, without those below it [default: everything]
    #[arg(short, long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Encrypt for this recipient of age, instead of those of the configuration; may be repeated
    #[arg(long, value_name = "RECIPIENT", value_parser = parse_recipient)]
    recipient: Vec<BackupRecipient>,
    /// Do not encrypt: whoever gets the file reads names, addresses and the audit log
    #[arg(long, conflicts_with = "recipient")]
    unencrypted: bool,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    pub(super) file: ThisBackup,
}

/// A backup, and what opens it.
#[derive(Debug, Args)]
pub(super) struct ThisBackup {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file of age identities that opens it, if it is encrypted
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct KeyArguments {
    /// The file to write the key to, which must not be there
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn parse_recipient(text: &str) -> Result<BackupRecipient, &'static str> {
    text.parse()
}

impl BackupCommand {
    pub(super) async fn run(
        &self,
        options: &GlobalOptions,
        surroundings: &Surroundings,
    ) -> Result<(), Failure> {
        let output = Output::new(surroundings, options.json);
        match self {
            Self::Create(arguments) => {
                let work = administer(options, surroundings, async |on| {
                    create(on, arguments).await
                });
                or_interrupted(work, "the backup was given up").await
            }
            Self::List => list(options, surroundings, output).await,
            Self::Verify(arguments) => verify(arguments, surroundings, output).await,
            Self::Key(arguments) => key(arguments, output),
        }
    }
}

async fn create(on: &Administration<'_>, arguments: &CreateArguments) -> Result<(), Failure> {
    let recipients = recipients(on.config, arguments)?;
    let what = match &arguments.tenant {
        Some(named) => What::Tenant(on.tenant(named).await?.id),
        None => What::Whole,
    };
    on.platform.backups().authorise(&on.caller)?;
    let order = Order {
        what,
        now: on.now(),
        place: match &arguments.output {
            Some(file) => Place::File(file.clone()),
            None => Place::Folder(on.config.backup_folder()),
        },
        recipients,
    };
    let made = on
        .progress
        .follow("backing up", async |report| {
            make(on.platform.storage(), order, report).await
        })
        .await?;
    let recorded = on.platform.backups();
    let recorded = recorded
        .record(&on.caller, noted(&made, &made.file_name()))
        .await;
    if let Err(error) = recorded {
        let file = quoted(made.path.display());
        let why =
            format!("the backup {file} is complete, but the audit log does not say so: {error}");
        return Err(Failure::new("not_recorded", why));
    }
    answer_made(on, &made, !recipients.is_empty())
}

/// For whom it is encrypted: for nobody only when that is meant.
fn recipients<'a>(
    config: &'a Config,
    arguments: &'a CreateArguments,
) -> Result<&'a [BackupRecipient], Failure> {
    let configured = &config.backup.recipients;
    match (arguments.unencrypted, arguments.recipient.as_slice()) {
        (true, _) => Ok(&[]),
        (false, []) if configured.is_empty() => Err(Failure::usage(
            "nothing was written: nobody is named to encrypt the backup for; name a recipient in the configuration \
             (`backup.recipients`; `gatelodge backup key --output FILE` makes a key and prints its recipient), or here \
             with `--recipient age1…`, or add `--unencrypted` if everybody who gets the file may read it",
        )),
        (false, []) => Ok(configured),
        (false, named) => Ok(named),
    }
}

fn answer_made(on: &Administration<'_>, made: &Made, is_encrypted: bool) -> Result<(), Failure> {
    let contents = &made.contents;
    let sealed = if is_encrypted {
        "encrypted"
    } else {
        "not encrypted"
    };
    let mut document = described(contents);
    document.insert("file".to_owned(), json!(made.path));
    document.insert("bytes".to_owned(), json!(made.bytes));
    document.insert("encrypted".to_owned(), json!(is_encrypted));
    let words = format!(
        "Made a backup of {} in {}: {} rows, {}, {sealed}.",
        of_what(&contents.header),
        quoted(made.path.display()),
        thousands(made.rows()),
        size(made.bytes)
    );
    on.output.answer(&document, &words)
}

async fn list(
    options: &GlobalOptions,
    surroundings: &Surroundings,
    output: Output<'_>,
) -> Result<(), Failure> {
    let environment = surroundings.environment.iter().cloned();
    let loaded = config::load(&options.overrides(), environment)?;
    let folder = loaded.config.backup_folder();
    let nothing = format!(
        "There are no backups in {} yet; `gatelodge backup create` makes one.",
        quoted(folder.display())
    );
    let shape = Shape {
        nothing: &nothing,
        headers: &["NAME", "MADE", "SIZE", "ENCRYPTED", "OF"],
        row: &|found: &Found| {
            vec![
                found.name.to_string(),
                found.name.at.to_string(),
                size(found.bytes),
                if found.name.is_encrypted { "yes" } else { "no" }.to_owned(),
                found.name.tenant.map_or_else(
                    || "everything".to_owned(),
                    |tenant| format!("tenant {tenant}"),
                ),
            ]
        },
        json: &|found| {
            json!({
                "name": found.name.to_string(),
                "made_at": found.name.at,
                "bytes": found.bytes,
                "encrypted": found.name.is_encrypted,
                "tenant": found.name.tenant,
            })
        },
    };
    let backups = found(&folder).await?;
    let mut list = output.list(shape);
    list.piece(&backups)?;
    list.finish()
}

async fn verify(
    arguments: &VerifyArguments,
    surroundings: &Surroundings,
    output: Output<'_>,
) -> Result<(), Failure> {
    let file = arguments.file.open(surroundings)?;
    let progress = Progress::new(surroundings);
    progress.begin("reading the backup");
    let read = progress.watch(read_backup(&file)).await;
    let contents = read.map_err(|error| about_file(file.path(), &error))?;
    let header = &contents.header;
    let mut fields = vec![
        ("made", header.made_at.to_string()),
        ("by version", header.program.clone()),
        ("of installation", short(&header.installation).to_owned()),
        ("holds", of_what(header)),
    ];
    let counts: Vec<_> = contents
        .rows
        .iter()
        .map(|(kind, rows)| (format!("{} rows", kind.as_str()), thousands(*rows)))
        .collect();
    fields.extend(
        counts
            .iter()
            .map(|(name, rows)| (name.as_str(), rows.clone())),
    );
    fields.push(("sha-256", contents.sha256.clone()));
    let mut document = described(&contents);
    document.insert("file".to_owned(), json!(file.path()));
    output.answer_fields(&document, &fields)
}

fn key(arguments: &KeyArguments, output: Output<'_>) -> Result<(), Failure> {
    let path = &arguments.output;
    let recipient = make_identity_file(path, Environment::system().now())?;
    let words = format!(
        "Made a key in {}. Keep it where the backups are not: without it nobody can open them.\n\
         Its recipient, for the configuration:\n\n[backup]\nrecipients = [\"{recipient}\"]",
        quoted(path.display())
    );
    let document = json!({ "file": path, "recipient": recipient.to_string() });
    output.answer(&document, &words)
}

impl ThisBackup {
    /// The file, with what opens it.
    pub(super) fn open(&self, surroundings: &Surroundings) -> Result<BackupOnDisk, Failure> {
        let identities = self.identity.as_deref().map(Identities::read).transpose()?;
        let warning = identities.as_ref().and_then(|file| file.warning.as_ref());
        if let Some(warning) = warning {
            surroundings.tell(&format!("warning: {}\n", plain(warning)));
        }
        Ok(BackupOnDisk::new(&self.file, identities))
    }
}

/// What is wrong with a backup, with its name.
pub(super) fn about_file(path: &Path, error: &gatelodge_core::Error) -> Failure {
    let name = path.display().to_string();
    let message = error.message();
    if message.contains(&format!("`{name}`")) {
        return Failure::new(super::failure::code(error.kind()), message);
    }
    let message = format!("{} is no backup that can be used: {message}", quoted(name));
    Failure::new(super::failure::code(error.kind()), message)
}

/// "everything", or the tenant.
pub(super) fn of_what(header: &Header) -> String {
    match &header.tenant {
        None => "everything".to_owned(),
        Some(tenant) => format!("tenant {} ({})", quoted(&tenant.name), tenant.id),
    }
}

/// What a backup says of itself.
pub(super) fn described(contents: &Contents) -> Map<String, Value> {
    let header = &contents.header;
    let mut object = Map::new();
    let members = [
        ("made_at", json!(header.made_at)),
        ("program", json!(header.program)),
        ("installation", json!(header.installation)),
        ("tenant", json!(header.tenant)),
        ("rows", rows(&contents.rows)),
        ("sha256", json!(contents.sha256)),
    ];
    object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    object
}

/// How many rows of each kind.
pub(super) fn rows(rows: &std::collections::BTreeMap<RowKind, u64>) -> Value {
    let rows = rows.iter();
    Value::Object(
        rows.map(|(kind, rows)| (kind.as_str().to_owned(), json!(rows)))
            .collect(),
    )
}

/// Enough of a fingerprint to compare it by eye.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}
