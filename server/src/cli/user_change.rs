//! `gatelodge user create`, `update`, `grant`, `revoke`

use clap::{
    ArgGroup, Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use gatelodge_core::{
    ErrorKind,
    model::{DisplayName, Email, Grant, UserName},
    secret::Secret,
    service::{InitialCredential, NewUser, UserPatch},
};
use serde_json::json;

use super::{
    administration::Administration,
    document,
    failure::{Failure, code},
    text::quoted,
    user::{InTenant, ThisUser, answer_changed, in_words},
};

#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    #[command(flatten)]
    place: InTenant,
    /// The name for signing in: 1 to 254 characters, unique in the tenant whatever the case
    #[arg(long, value_name = "NAME", value_parser = UserName::new)]
    user_name: UserName,
    /// The name to show [default: the user name]
    #[arg(long, value_name = "TEXT", value_parser = DisplayName::new)]
    display_name: Option<DisplayName>,
    /// The e-mail address; it counts as not verified
    #[arg(long, value_name = "ADDRESS", value_parser = Email::new)]
    email: Option<Email>,
    /// Read the password from standard input instead of making one; at a terminal it is typed unseen
    #[arg(long, conflicts_with = "no_password")]
    password_stdin: bool,
    /// Do not ask for another password at the first sign-in; only if nobody but the user knows this one
    #[arg(long, requires = "password_stdin")]
    permanent: bool,
    /// Make the account without a password; nobody can sign in to it yet
    #[arg(long)]
    no_password: bool,
    /// Mail an invitation to choose a password instead of making one
    #[arg(long, requires = "email", conflicts_with_all = ["password_stdin", "no_password"])]
    invite: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct UpdateArguments {
    #[command(flatten)]
    this: ThisUser,
    /// The new name for signing in: 1 to 254 characters, unique in the tenant whatever the case
    #[arg(long, value_name = "NAME", group = "change", value_parser = UserName::new)]
    user_name: Option<UserName>,
    /// The new name to show
    #[arg(long, value_name = "TEXT", group = "change", value_parser = DisplayName::new)]
    display_name: Option<DisplayName>,
    /// The new e-mail address; it counts as not verified
    #[arg(long, value_name = "ADDRESS", group = "change", value_parser = Email::new)]
    email: Option<Email>,
    /// Take the e-mail address away
    #[arg(long, group = "change", conflicts_with = "email")]
    no_email: bool,
}

#[derive(Debug, Args)]
pub(super) struct GrantArguments {
    #[command(flatten)]
    this: ThisUser,
    /// What is granted
    #[arg(value_name = "GRANT", value_parser = grant_parser())]
    grant: Grant,
}

fn grant_parser() -> impl TypedValueParser<Value = Grant> {
    let values = Grant::ALL.map(|grant| {
        PossibleValue::new(grant.as_str()).help(match grant {
            Grant::PlatformAdministrator => "Administers all tenants and the platform itself",
            Grant::TenantAdministrator => "Administers the own tenant and its users",
        })
    });
    PossibleValuesParser::new(values)
        .try_map(|name| Grant::parse(&name).ok_or("expected one of the grants there are"))
}

pub(super) async fn create(
    on: &Administration<'_>,
    arguments: &CreateArguments,
) -> Result<(), Failure> {
    let tenant = on.tenant(&arguments.place.tenant).await?;
    let credential = if arguments.no_password {
        InitialCredential::None
    } else if arguments.invite {
        InitialCredential::Invited
    } else if arguments.password_stdin {
        InitialCredential::Given {
            password: on.password()?,
            must_change: !arguments.permanent,
        }
    } else {
        InitialCredential::Generated
    };
    let new = NewUser {
        user_name: arguments.user_name.clone(),
        display_name: arguments.display_name.clone(),
        email: arguments.email.clone(),
        credential,
    };
    let users = on.platform.users();
    let made = users.create(&on.caller, tenant.id, new).await;
    let (user, password) = made.map_err(|error| taken(error, Some(&arguments.user_name)))?;
    let mut document = document::user_with_grants(&tenant, &user, &[], on.now());
    if let Some(password) = &password {
        document = document::with(document, "initial_password", json!(password.expose()));
    }
    let words = format!(
        "Made {} with the id {}.{}",
        in_words(&tenant, &user),
        user.id,
        next_step(arguments, password.as_ref())
    );
    on.output.answer(&document, &words)
}

/// What whoever made the account has to know about signing in to it.
fn next_step(arguments: &CreateArguments, generated: Option<&Secret>) -> String {
    match generated {
        Some(password) => format!(
            "\nPassword: {}\nThis password is shown only now. It must be changed at the first sign-in.",
            password.expose()
        ),
        None if arguments.no_password => {
            "\nThe account has no password: nobody can sign in to it yet.".to_owned()
        }
        None if arguments.invite => {
            "\nAn invitation is on its way to the e-mail address.".to_owned()
        }
        None if arguments.permanent => String::new(),
        None => "\nThe password must be changed at the first sign-in.".to_owned(),
    }
}

pub(super) async fn update(
    on: &Administration<'_>,
    arguments: &UpdateArguments,
) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let email = match (&arguments.email, arguments.no_email) {
        (Some(email), _) => Some(Some(email.clone())),
        (None, true) => Some(None),
        (None, false) => None,
    };
    let patch = UserPatch {
        user_name: arguments.user_name.clone(),
        display_name: arguments.display_name.clone(),
        email,
        status: None,
    };
    let version = Some(found.details.user.version);
    let users = on.platform.users();
    let user = users.update(&on.caller, found.id(), version, patch).await;
    let user = user.map_err(|error| taken(error, arguments.user_name.as_ref()))?;
    let words = if user == found.details.user {
        format!("The {} is like that already.", found.words())
    } else {
        format!("Changed {}.", in_words(&found.tenant, &user))
    };
    answer_changed(on, &found, &user, &words)
}

pub(super) async fn set_grant(
    on: &Administration<'_>,
    arguments: &GrantArguments,
    given: bool,
) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let grant = arguments.grant;
    let users = on.platform.users();
    let grants = users
        .set_grant(&on.caller, found.id(), grant, given)
        .await?;
    let held_before = found.details.grants.contains(&grant);
    let words = match (held_before, given) {
        (false, true) => format!("Granted `{}` to {}.", grant.as_str(), found.words()),
        (true, false) => format!("Took `{}` from {}.", grant.as_str(), found.words()),
        (true, true) => format!("The {} holds `{}` already.", found.words(), grant.as_str()),
        (false, false) => format!("The {} does not hold `{}`.", found.words(), grant.as_str()),
    };
    let user = &found.details.user;
    let document = document::user_with_grants(&found.tenant, user, &grants, on.now());
    on.output.answer(&document, &words)
}

fn taken(error: gatelodge_core::Error, name: Option<&UserName>) -> Failure {
    match (error.kind(), name) {
        (ErrorKind::AlreadyExists, Some(name)) => Failure::new(
            code(error.kind()),
            format!(
                "the user name {} is already taken in this tenant; choose another",
                quoted(name)
            ),
        ),
        _ => error.into(),
    }
}
