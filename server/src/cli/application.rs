//! `gatelodge application …`

use clap::{Args, Subcommand};
use gatelodge_core::{
    ErrorKind,
    model::{
        Application, ApplicationId, ApplicationName, Audience, ReturnAddress, Tenant, WebOrigin,
    },
    service::{ApplicationPatch, NewApplication},
};

use super::{
    administration::Administration,
    confirm::Deletion,
    document,
    failure::{Failure, code},
    output::Shape,
    text::quoted,
    user::InTenant,
};

#[derive(Debug, Subcommand)]
pub(super) enum ApplicationCommand {
    /// List the applications of a tenant
    List(InTenant),
    /// Register an application
    Create(CreateArguments),
    /// Show an application
    Show(ThisApplication),
    /// Change an application; what is not named stays
    Update(UpdateArguments),
    /// Delete an application, for good; access tokens that it got end within five minutes
    Delete(DeleteArguments),
}

#[derive(Debug, Args)]
pub(super) struct ThisApplication {
    #[command(flatten)]
    place: InTenant,
    /// The application, by id or name
    #[arg(value_name = "APPLICATION")]
    application: String,
}

#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    #[command(flatten)]
    place: InTenant,
    /// The name: 1 to 50 characters, unique in the tenant whatever the case
    #[arg(value_parser = ApplicationName::new)]
    name: ApplicationName,
    /// Whom its access tokens are meant for: a URI or a word, unique on the platform
    #[arg(long, value_name = "AUDIENCE", value_parser = Audience::new)]
    audience: Audience,
    /// From which pages it may call in a browser, such as `https://app.example.org`; may be given again
    #[arg(long = "origin", value_name = "ORIGIN", value_parser = WebOrigin::new)]
    origins: Vec<WebOrigin>,
    /// Where a browser may be sent back to, such as `https://app.example.org/callback`; may be given again
    #[arg(long, value_name = "URL", value_parser = ReturnAddress::new)]
    return_to: Vec<ReturnAddress>,
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true)]
pub(super) struct Changes {
    /// The new name: 1 to 50 characters, unique in the tenant whatever the case
    #[arg(long, value_name = "TEXT", value_parser = ApplicationName::new)]
    name: Option<ApplicationName>,
    /// Whom its access tokens are meant for from now on
    #[arg(long, value_name = "AUDIENCE", value_parser = Audience::new)]
    audience: Option<Audience>,
    /// From which pages it may call in a browser, in place of those it has; may be given again
    #[arg(long = "origin", value_name = "ORIGIN", value_parser = WebOrigin::new)]
    origins: Vec<WebOrigin>,
    /// From no page any more
    #[arg(long, conflicts_with = "origins")]
    no_origins: bool,
    /// Where a browser may be sent back to, in place of what it has; may be given again
    #[arg(long, value_name = "URL", value_parser = ReturnAddress::new)]
    return_to: Vec<ReturnAddress>,
    /// To nowhere any more
    #[arg(long, conflicts_with = "return_to")]
    no_return_to: bool,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArguments {
    #[command(flatten)]
    this: ThisApplication,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArguments {
    #[command(flatten)]
    this: ThisApplication,
    /// Delete without asking
    #[arg(long)]
    yes: bool,
}

impl ApplicationCommand {
    pub(super) async fn run(&self, on: &Administration<'_>) -> Result<(), Failure> {
        match self {
            Self::List(place) => list(on, place).await,
            Self::Create(arguments) => create(on, arguments).await,
            Self::Show(this) => show(on, this).await,
            Self::Update(arguments) => update(on, arguments).await,
            Self::Delete(arguments) => delete(on, arguments).await,
        }
    }
}

impl ThisApplication {
    async fn find(&self, on: &Administration<'_>) -> Result<(Tenant, Application), Failure> {
        let tenant = on.tenant(&self.place.tenant).await?;
        let applications = on.platform.applications();
        let named = self.application.as_str();
        if let Ok(id) = named.parse::<ApplicationId>() {
            match applications.read(&on.caller, tenant.id, id).await {
                // A name may look like an id.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                read => return Ok((tenant, read?)),
            }
        }
        match applications.by_name(&on.caller, tenant.id, named).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::new(
                code(error.kind()),
                format!(
                    "there is no application {} in tenant {}; `gatelodge application list --tenant {}` shows those there are",
                    quoted(named),
                    quoted(&tenant.name),
                    tenant.id
                ),
            )),
            found => Ok((tenant, found?)),
        }
    }
}

async fn list(on: &Administration<'_>, place: &InTenant) -> Result<(), Failure> {
    let tenant = on.tenant(&place.tenant).await?;
    let nothing = format!(
        "Tenant {} has no applications yet; `gatelodge application create` registers one.",
        quoted(&tenant.name)
    );
    let shape = Shape {
        nothing: &nothing,
        headers: &["NAME", "ID", "AUDIENCE", "CREATED"],
        row: &|application: &Application| {
            vec![
                application.name.to_string(),
                application.id.to_string(),
                application.audience.to_string(),
                application.created_at.to_string(),
            ]
        },
        json: &document::application,
    };
    let applications = on.platform.applications();
    let read = async |page| applications.list(&on.caller, tenant.id, page).await;
    on.print_list("applications", shape, read).await
}

async fn create(on: &Administration<'_>, arguments: &CreateArguments) -> Result<(), Failure> {
    let tenant = on.tenant(&arguments.place.tenant).await?;
    let new = NewApplication {
        name: arguments.name.clone(),
        audience: arguments.audience.clone(),
        origins: arguments.origins.clone(),
        return_to: arguments.return_to.clone(),
    };
    let applications = on.platform.applications();
    let made = applications.create(&on.caller, tenant.id, new).await?;
    on.output.answer(
        &document::application(&made),
        &format!(
            "Registered application {} with the id {}.",
            quoted(&made.name),
            made.id
        ),
    )
}

async fn show(on: &Administration<'_>, this: &ThisApplication) -> Result<(), Failure> {
    let (tenant, application) = this.find(on).await?;
    let mut fields = vec![
        ("name", application.name.to_string()),
        ("audience", application.audience.to_string()),
        ("id", application.id.to_string()),
        ("tenant", tenant.name.to_string()),
        ("created", application.created_at.to_string()),
    ];
    let origins = application.origins.iter();
    fields.extend(origins.map(|origin| ("origin", origin.to_string())));
    let addresses = application.return_to.iter();
    fields.extend(addresses.map(|address| ("returns to", address.to_string())));
    on.output
        .answer_fields(&document::application(&application), &fields)
}

async fn update(on: &Administration<'_>, arguments: &UpdateArguments) -> Result<(), Failure> {
    let (tenant, old) = arguments.this.find(on).await?;
    let changes = &arguments.changes;
    let origins =
        (changes.no_origins || !changes.origins.is_empty()).then(|| changes.origins.clone());
    let return_to =
        (changes.no_return_to || !changes.return_to.is_empty()).then(|| changes.return_to.clone());
    let patch = ApplicationPatch {
        name: changes.name.clone(),
        audience: changes.audience.clone(),
        origins,
        return_to,
    };
    let applications = on.platform.applications();
    let place = (tenant.id, old.id);
    let new = applications
        .update(&on.caller, place, Some(old.version), patch)
        .await?;
    let words = if new == old {
        format!("Application {} is like that already.", quoted(&old.name))
    } else {
        format!("Changed application {}.", quoted(&new.name))
    };
    on.output.answer(&document::application(&new), &words)
}

async fn delete(on: &Administration<'_>, arguments: &DeleteArguments) -> Result<(), Failure> {
    let (tenant, application) = arguments.this.find(on).await?;
    let name = quoted(&application.name);
    let deletion = Deletion {
        what: format!("application {name} of tenant {}", quoted(&tenant.name)),
        consequences: "nobody gets access tokens for it any more; audit entries stay".to_owned(),
        name: None,
    };
    on.confirm(arguments.yes, &deletion)?;
    let applications = on.platform.applications();
    let version = Some(application.version);
    applications
        .delete(&on.caller, tenant.id, application.id, version)
        .await?;
    on.output.answer(
        &serde_json::json!({
            "deleted": { "id": application.id, "name": application.name },
        }),
        &format!("Deleted application {name}."),
    )
}
