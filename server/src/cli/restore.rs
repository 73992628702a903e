//! `gatelodge restore`

use clap::Args;
use gatelodge_core::{
    Environment, ErrorKind,
    archive::{
        BackupReader, BackupTenant, Entry, Header, RestoreTenant, Restored, restore_tenant,
        restore_whole,
    },
    seal::{KeyRing, MasterKey},
    service::TenantRef,
    storage::{Row, RowKind, Scope},
};
use serde_json::json;

use super::{
    administration::{Administration, administer},
    arguments::GlobalOptions,
    backup::{ThisBackup, about_file, rows},
    confirm::Deletion,
    failure::{Failure, code},
    output::Output,
    progress::Progress,
    surroundings::Surroundings,
    text::{counted, quoted, thousands},
};
use crate::{
    app::key_for_restore,
    backup::BackupOnDisk,
    config::{self, Loaded},
    plugins,
};

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    #[command(flatten)]
    file: ThisBackup,
    /// Only this tenant of the backup, by its id or its name of then, into an installation that is in use
    #[arg(short, long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Put a tenant in the place of the one that is there now, with all its users; sessions and audit entries stay
    #[arg(long)]
    replace: bool,
    /// Replace without asking
    #[arg(long)]
    yes: bool,
}

impl RestoreArguments {
    pub(super) async fn run(
        &self,
        options: &GlobalOptions,
        surroundings: &Surroundings,
    ) -> Result<(), Failure> {
        let file = self.file.open(surroundings)?;
        if let Some((header, tenant)) = self.look(&file).await? {
            return administer(options, surroundings, async |on| {
                self.one(on, &file, &header, &tenant).await
            })
            .await;
        }
        if self.replace {
            return Err(Failure::usage(
                "`--replace` is for one tenant: name it with `--tenant`; everything is restored into an empty database only",
            ));
        }
        let environment = surroundings.environment.iter().cloned();
        let loaded = config::load(&options.overrides(), environment)?;
        let progress = Progress::new(surroundings);
        let (header, restored) = progress.watch(whole(&loaded, &file, &progress)).await?;
        let output = Output::new(surroundings, options.json);
        answer(output, &header, None, &restored)
    }

    /// The first line and the tenant that is meant, if one is.
    async fn look(&self, file: &BackupOnDisk) -> Result<Option<(Header, BackupTenant)>, Failure> {
        let failed = |error| about_file(file.path(), &error);
        let mut reader = BackupReader::open(file).await.map_err(failed)?;
        let Some(Entry::Header(header)) = reader.entry().await.map_err(failed)? else {
            return Err(self.no_such_tenant(file));
        };
        if let Some(tenant) = header.tenant.clone() {
            return match self.is_meant(&tenant) {
                true => Ok(Some((header, tenant))),
                false => Err(self.no_such_tenant(file)),
            };
        }
        if self.tenant.is_none() {
            return Ok(None);
        }
        while let Some(entry) = reader.entry().await.map_err(failed)? {
            if let Entry::Row(Scope::Platform, row) = entry
                && let Row::Tenant(tenant) = *row
            {
                let (id, name) = (tenant.id, tenant.name);
                let tenant = BackupTenant { id, name };
                if self.is_meant(&tenant) {
                    return Ok(Some((header, tenant)));
                }
            }
        }
        Err(self.no_such_tenant(file))
    }

    fn is_meant(&self, tenant: &BackupTenant) -> bool {
        match self.tenant.as_deref().map(TenantRef::parse) {
            None => true,
            Some(TenantRef::Id(id)) => tenant.id == id,
            Some(TenantRef::Name(name)) => tenant.name.key() == name,
        }
    }

    fn no_such_tenant(&self, file: &BackupOnDisk) -> Failure {
        let named = self.tenant.as_deref().unwrap_or_default();
        let file = quoted(file.path().display());
        let message = format!("there is no tenant {} in the backup {file}", quoted(named));
        Failure::new(code(ErrorKind::NotFound), message)
    }

    /// Brings one tenant back.
    async fn one(
        &self,
        on: &Administration<'_>,
        file: &BackupOnDisk,
        header: &Header,
        tenant: &BackupTenant,
    ) -> Result<(), Failure> {
        self.check_present(on, tenant).await?;
        let which = RestoreTenant {
            tenant: Some(TenantRef::Id(tenant.id)),
            replace: self.replace,
        };
        let (storage, environment) = (on.platform.storage(), on.platform.environment());
        let restored = on
            .progress
            .follow("restoring", async |report| {
                restore_tenant(file, storage, environment, &which, report).await
            })
            .await
            .map_err(|error| not_restored(file, error))?;
        answer(on.output, header, Some(tenant), &restored)
    }

    /// Asks, when something that is there would go.
    async fn check_present(
        &self,
        on: &Administration<'_>,
        tenant: &BackupTenant,
    ) -> Result<(), Failure> {
        let tenants = on.platform.tenants();
        let present = match tenants.resolve(&on.caller, &TenantRef::Id(tenant.id)).await {
            Ok(present) => present,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let name = quoted(&present.name);
        if !self.replace {
            let message = format!(
                "tenant {name} is there; add `--replace` to put the one of the backup in its place, with all its users"
            );
            return Err(Failure::new(code(ErrorKind::Refused), message));
        }
        let (sessions, users) = (on.platform.sessions(), on.platform.users());
        let read = async |page| {
            sessions
                .list(&on.caller, present.id, None, true, page)
                .await
        };
        let sessions = on.count("open session", read).await?;
        let read = async |page| users.list(&on.caller, present.id, None, page).await;
        let users = on.count("user", read).await?;
        let deletion = Deletion {
            what: format!("tenant {name} as it is now"),
            consequences: format!(
                "with {users} and {sessions}, and puts the one of the backup in its place; audit entries stay"
            ),
            name: Some(present.name.as_str()),
        };
        on.confirm(self.yes, &deletion)?;
        on.progress.begin("restoring");
        Ok(())
    }
}

/// Makes an installation of a backup.
async fn whole(
    loaded: &Loaded,
    file: &BackupOnDisk,
    progress: &Progress<'_>,
) -> Result<(Header, Restored), Failure> {
    let key = key_for_restore(loaded)?;
    progress.begin("reading the backup");
    let header = checked(file, &key).await?;
    progress.begin("opening the database");
    // Nothing was made up to here.
    let storage = plugins::storage(&loaded.config.storage).await?;
    progress.begin("restoring");
    let environment = Environment::system();
    let restored = progress
        .follow("restoring", async |report| {
            restore_whole(file, storage.as_ref(), &environment, report).await
        })
        .await;
    storage.close().await;
    let restored = restored.map_err(|error| not_restored(file, error))?;
    Ok((header, restored))
}

/// Reads all of it, and makes sure that the master key opens what is sealed in it.
async fn checked(file: &BackupOnDisk, key: &MasterKey) -> Result<Header, Failure> {
    let failed = |error| about_file(file.path(), &error);
    let mut reader = BackupReader::open(file).await.map_err(failed)?;
    while let Some(entry) = reader.entry().await.map_err(failed)? {
        if let Entry::Row(Scope::Platform, row) = entry
            && let Row::Value { name, value, .. } = *row
            && KeyRing::check(&name, &value, key).is_err()
        {
            return Err(Failure::new(
                "wrong_master_key",
                format!(
                    "the master key is not that of the installation {} was made of: put the file of that one in its \
                     place, or nothing sealed in the backup can ever be opened; nothing was written",
                    quoted(file.path().display())
                ),
            ));
        }
    }
    Ok(reader.contents().map_err(failed)?.header)
}

fn not_restored(file: &BackupOnDisk, error: gatelodge_core::Error) -> Failure {
    if error.kind() != ErrorKind::Refused {
        return error.into();
    }
    let path = file.path().display();
    let message = error.message();
    let advice = if message.contains("is not empty") {
        "; everything is restored into a new, empty database only, so name another in `storage.url` or `--data-dir`"
    } else {
        ""
    };
    let message = format!("{} was not restored: {message}{advice}", quoted(path));
    Failure::new(code(error.kind()), message)
}

fn answer(
    output: Output<'_>,
    header: &Header,
    tenant: Option<&BackupTenant>,
    restored: &Restored,
) -> Result<(), Failure> {
    let document = json!({
        "made_at": header.made_at,
        "program": header.program,
        "installation": header.installation,
        "tenant": tenant,
        "rows": rows(&restored.rows),
        "left_out": restored.left_out,
        "sessions_ended": restored.sessions_ended,
    });
    output.answer(&document, &words(header, tenant, restored))
}

fn words(header: &Header, tenant: Option<&BackupTenant>, restored: &Restored) -> String {
    let number = |kind| restored.rows.get(&kind).copied().unwrap_or_default();
    let all = thousands(restored.rows.values().sum());
    let users = counted(number(RowKind::User), "user");
    let what = match tenant {
        Some(tenant) => format!("tenant {} with {users}", quoted(&tenant.name)),
        None => format!(
            "everything, {} with {users}",
            counted(number(RowKind::Tenant), "tenant")
        ),
    };
    let next = match tenant {
        Some(_) => "Servers that run on this database know of it already.",
        None => {
            "Start the server with `gatelodge serve`, and make a backup of this database with `gatelodge backup create`."
        }
    };
    format!(
        "Restored {what} as it was at {}: {all} rows.\n\
         Left out on purpose: {} (what lets somebody in once or for a while, and what is there already).\n\
         Ended: {}; everybody signs in again.\n\
         What happened after that time is not in it: repeat the locks, deletions and changes of passwords since.\n\
         {next}",
        header.made_at,
        counted(restored.left_out, "row"),
        counted(restored.sessions_ended, "open session"),
    )
}
