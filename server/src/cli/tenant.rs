//! `gatelodge tenant …`

use clap::{Args, Subcommand};
use gatelodge_core::{
    ErrorKind,
    model::{DisplayName, Tenant, TenantName},
    service::{DeleteTenant, NewTenant, TenantPatch},
};
use jiff::Timestamp;

use super::{
    administration::Administration,
    confirm::Deletion,
    document,
    failure::{Failure, code},
    lock::LockArguments,
    output::Shape,
    settings::{SettingsArguments, settings},
    text::{quoted, until},
};

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// List the tenants
    List(ListArguments),
    /// Make a tenant
    Create(CreateArguments),
    /// Show a tenant
    Show(ThisTenant),
    /// Change a tenant's names; users, sessions and references to its id stay
    Rename(RenameArguments),
    /// Lock a tenant: nobody in it can sign in, and open sessions end
    Lock(LockTenant),
    /// Unlock a tenant; the locks of single users in it stay
    Unlock(ThisTenant),
    /// Delete a tenant with its users and settings, for good
    ///
    /// Audit entries and the bare records of past sessions stay. A tenant with open sessions is only deleted with
    /// `--force`.
    Delete(DeleteArguments),
    /// Show or change a tenant's own settings
    Settings(SettingsArguments),
}

#[derive(Debug, Args)]
pub(super) struct ThisTenant {
    /// The tenant, by id or name
    #[arg(value_name = "TENANT")]
    pub(super) tenant: String,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only those whose name or display name contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    /// The name: 1 to 50 characters, unique on the platform whatever the case
    #[arg(value_parser = TenantName::new)]
    name: TenantName,
    /// The name to show [default: the name]
    #[arg(long, value_name = "TEXT", value_parser = DisplayName::new)]
    display_name: Option<DisplayName>,
}

#[derive(Debug, Args)]
pub(super) struct RenameArguments {
    #[command(flatten)]
    this: ThisTenant,
    /// The new name: 1 to 50 characters, unique on the platform whatever the case
    #[arg(value_parser = TenantName::new, required_unless_present = "display_name")]
    name: Option<TenantName>,
    /// The new name to show; it stays as it is without this
    #[arg(long, value_name = "TEXT", value_parser = DisplayName::new)]
    display_name: Option<DisplayName>,
}

#[derive(Debug, Args)]
pub(super) struct LockTenant {
    #[command(flatten)]
    this: ThisTenant,
    #[command(flatten)]
    lock: LockArguments,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArguments {
    #[command(flatten)]
    this: ThisTenant,
    /// Also if there are open sessions, which then end
    #[arg(long)]
    force: bool,
    /// Delete without asking
    #[arg(long)]
    yes: bool,
}

impl TenantCommand {
    pub(super) async fn run(&self, on: &Administration<'_>) -> Result<(), Failure> {
        match self {
            Self::List(arguments) => list(on, arguments).await,
            Self::Create(arguments) => create(on, arguments).await,
            Self::Show(this) => show(on, this).await,
            Self::Rename(arguments) => rename(on, arguments).await,
            Self::Lock(arguments) => lock(on, arguments).await,
            Self::Unlock(this) => unlock(on, this).await,
            Self::Delete(arguments) => delete(on, arguments).await,
            Self::Settings(arguments) => settings(on, arguments).await,
        }
    }
}

async fn list(on: &Administration<'_>, arguments: &ListArguments) -> Result<(), Failure> {
    let now = on.now();
    let search = arguments.search.as_deref();
    let nothing = match search {
        None => "There are no tenants yet; `gatelodge tenant create` makes one.".to_owned(),
        Some(search) => format!("No tenant's name contains {}.", quoted(search)),
    };
    let shape = Shape {
        nothing: &nothing,
        headers: &["NAME", "ID", "STATE", "CREATED", "DISPLAY NAME"],
        row: &|tenant: &Tenant| {
            vec![
                tenant.name.to_string(),
                tenant.id.to_string(),
                state(tenant, now),
                tenant.created_at.to_string(),
                tenant.display_name.to_string(),
            ]
        },
        json: &|tenant| document::tenant(tenant, now),
    };
    let tenants = on.platform.tenants();
    let read = async |page| tenants.list(&on.caller, search, page).await;
    on.print_list("tenants", shape, read).await
}

async fn create(on: &Administration<'_>, arguments: &CreateArguments) -> Result<(), Failure> {
    let new = NewTenant {
        name: arguments.name.clone(),
        display_name: arguments.display_name.clone(),
    };
    let tenant = on.platform.tenants().create(&on.caller, new).await;
    let tenant = tenant.map_err(|error| taken(error, &arguments.name))?;
    on.output.answer(
        &document::tenant(&tenant, on.now()),
        &format!(
            "Made tenant {} with the id {}.",
            quoted(&tenant.name),
            tenant.id
        ),
    )
}

async fn show(on: &Administration<'_>, this: &ThisTenant) -> Result<(), Failure> {
    let tenant = on.tenant(&this.tenant).await?;
    let now = on.now();
    let lock = tenant.lock.as_ref().filter(|lock| lock.holds_at(now));
    let mut fields = vec![
        ("name", tenant.name.to_string()),
        ("display name", tenant.display_name.to_string()),
        ("id", tenant.id.to_string()),
        ("state", state(&tenant, now)),
        ("created", tenant.created_at.to_string()),
    ];
    if let Some(lock) = lock {
        fields.push(("locked since", lock.since.to_string()));
        fields.push(("reason", lock.reason.clone().unwrap_or_default()));
    }
    on.output
        .answer_fields(&document::tenant(&tenant, now), &fields)
}

async fn rename(on: &Administration<'_>, arguments: &RenameArguments) -> Result<(), Failure> {
    let old = on.tenant(&arguments.this.tenant).await?;
    let patch = TenantPatch {
        name: arguments.name.clone(),
        display_name: arguments.display_name.clone(),
    };
    let tenants = on.platform.tenants();
    let new = tenants
        .update(&on.caller, old.id, Some(old.version), patch)
        .await;
    let new = new.map_err(|error| match &arguments.name {
        Some(name) => taken(error, name),
        None => error.into(),
    })?;
    let words = if new == old {
        format!("Tenant {} has these names already.", quoted(&old.name))
    } else {
        format!(
            "Renamed tenant {} to {}, shown as {}.",
            quoted(&old.name),
            quoted(&new.name),
            quoted(&new.display_name)
        )
    };
    on.output.answer(&document::tenant(&new, on.now()), &words)
}

async fn lock(on: &Administration<'_>, arguments: &LockTenant) -> Result<(), Failure> {
    let tenant = on.tenant(&arguments.this.tenant).await?;
    let lock = arguments.lock.lock_at(on.now());
    let tenants = on.platform.tenants();
    let tenant = tenants.lock(&on.caller, tenant.id, lock).await?;
    let sessions = if arguments.lock.keep_sessions {
        "Open sessions go on"
    } else {
        "Open sessions have ended"
    };
    let end = tenant.lock.as_ref().and_then(|lock| lock.until);
    on.output.answer(
        &document::tenant(&tenant, on.now()),
        &format!(
            "Locked tenant {} {}. {sessions}.",
            quoted(&tenant.name),
            until(end)
        ),
    )
}

async fn unlock(on: &Administration<'_>, this: &ThisTenant) -> Result<(), Failure> {
    let before = on.tenant(&this.tenant).await?;
    let tenants = on.platform.tenants();
    let tenant = tenants.unlock(&on.caller, before.id).await?;
    let name = quoted(&tenant.name);
    let words = if before.is_locked_at(on.now()) {
        format!("Unlocked tenant {name}.")
    } else {
        format!("Tenant {name} is not locked.")
    };
    on.output
        .answer(&document::tenant(&tenant, on.now()), &words)
}

async fn delete(on: &Administration<'_>, arguments: &DeleteArguments) -> Result<(), Failure> {
    let tenant = on.tenant(&arguments.this.tenant).await?;
    let name = quoted(&tenant.name);
    let (sessions, users) = (on.platform.sessions(), on.platform.users());
    let read = async |page| sessions.list(&on.caller, tenant.id, None, true, page).await;
    let sessions = on.count("open session", read).await?;
    if sessions.number > 0 && !arguments.force {
        return Err(Failure::new(
            "refused",
            format!(
                "tenant {name} has {sessions}; end them first, or add `--force` to end them now"
            ),
        ));
    }
    let read = async |page| users.list(&on.caller, tenant.id, None, page).await;
    let users = on.count("user", read).await?;
    let deletion = Deletion {
        what: format!("tenant {name}"),
        consequences: format!("with {users} and {sessions}; audit entries stay"),
        name: Some(tenant.name.as_str()),
    };
    on.confirm(arguments.yes, &deletion)?;
    let how = DeleteTenant {
        force: arguments.force,
        version: Some(tenant.version),
    };
    on.platform
        .tenants()
        .delete(&on.caller, tenant.id, how)
        .await?;
    on.output.answer(
        &serde_json::json!({
            "deleted": { "id": tenant.id, "name": tenant.name },
            "users": users.number,
            "ended": sessions.number,
        }),
        &format!("Deleted tenant {name} with {users} and {sessions}."),
    )
}

fn state(tenant: &Tenant, now: Timestamp) -> String {
    match tenant.lock.as_ref().filter(|lock| lock.holds_at(now)) {
        Some(lock) => format!("locked {}", until(lock.until)),
        None => "active".to_owned(),
    }
}

fn taken(error: gatelodge_core::Error, name: &TenantName) -> Failure {
    match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(
            code(error.kind()),
            format!(
                "the tenant name {} is already taken; choose another",
                quoted(name)
            ),
        ),
        _ => error.into(),
    }
}
