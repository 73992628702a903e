//! `gatelodge user …`: what can be asked for, reading, locking and deleting.

use clap::{Args, Subcommand};
use gatelodge_core::{
    model::{Session, Tenant, User, UserId, UserStatus},
    service::{UserDetails, UserPatch},
};
use jiff::Timestamp;

use super::{
    administration::Administration,
    confirm::Deletion,
    document,
    failure::Failure,
    lock::LockArguments,
    output::Shape,
    text::{counted, quoted, until},
    user_change::{CreateArguments, GrantArguments, UpdateArguments, create, set_grant, update},
    user_device::{ForgetDeviceArguments, devices, forget_device},
    user_factor::{RemoveFactorArguments, factors, remove_factor},
    user_link::{LinkArguments, link},
    user_require::{RequireArguments, require_change},
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// List the users of a tenant
    List(ListArguments),
    /// Make a user; without further options with a random password, which is printed once
    Create(CreateArguments),
    /// Show a user and what the user is granted
    Show(ThisUser),
    /// Change a user's names or e-mail address
    Update(UpdateArguments),
    /// Lock a user: signing in is refused, and open sessions end
    Lock(LockUser),
    /// Unlock a user
    Unlock(ThisUser),
    /// Take an account out of use until it is activated again; open sessions end
    Deactivate(ThisUser),
    /// Take an account into use again
    Activate(ThisUser),
    /// Delete a user with everything that belongs to the account, for good
    ///
    /// Audit entries and the bare records of past sessions stay.
    Delete(DeleteArguments),
    /// Make a user an administrator
    Grant(GrantArguments),
    /// Take away what a user was granted
    Revoke(GrantArguments),
    /// List a user's open sessions
    Sessions(SessionsArguments),
    /// End all sessions of a user; the user can sign in again
    EndSessions(ThisUser),
    /// List the second factors that a user has set up
    Factors(ThisUser),
    /// Remove a second factor that a user has lost; open sessions end
    RemoveFactor(RemoveFactorArguments),
    /// List the devices that a user stays signed in on
    Devices(ThisUser),
    /// Forget one of them; its sessions end
    ForgetDevice(ForgetDeviceArguments),
    /// Let a user choose a new password at the next sign-in; nobody else sees or chooses it
    RequireChange(RequireArguments),
    /// Make a link for a user: an invitation, a reset, a way to one page
    Link(LinkArguments),
}

#[derive(Debug, Args)]
pub(super) struct InTenant {
    /// The tenant, by id or name
    #[arg(short, long, value_name = "TENANT")]
    pub(super) tenant: String,
}

#[derive(Debug, Args)]
pub(super) struct ThisUser {
    #[command(flatten)]
    place: InTenant,
    /// The user, by id, user name or verified e-mail address
    #[arg(value_name = "USER")]
    user: String,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    place: InTenant,
    /// Only those whose user name, display name or e-mail address contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct LockUser {
    #[command(flatten)]
    this: ThisUser,
    #[command(flatten)]
    lock: LockArguments,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArguments {
    #[command(flatten)]
    this: ThisUser,
    /// Delete without asking
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct SessionsArguments {
    #[command(flatten)]
    this: ThisUser,
    /// Also those that have ended
    #[arg(long)]
    all: bool,
}

impl UserCommand {
    pub(super) async fn run(&self, on: &Administration<'_>) -> Result<(), Failure> {
        match self {
            Self::List(arguments) => list(on, arguments).await,
            Self::Create(arguments) => create(on, arguments).await,
            Self::Show(this) => show(on, this).await,
            Self::Update(arguments) => update(on, arguments).await,
            Self::Lock(arguments) => lock(on, arguments).await,
            Self::Unlock(this) => unlock(on, this).await,
            Self::Deactivate(this) => set_status(on, this, UserStatus::Deactivated).await,
            Self::Activate(this) => set_status(on, this, UserStatus::Active).await,
            Self::Delete(arguments) => delete(on, arguments).await,
            Self::Grant(arguments) => set_grant(on, arguments, true).await,
            Self::Revoke(arguments) => set_grant(on, arguments, false).await,
            Self::Sessions(arguments) => sessions(on, arguments).await,
            Self::EndSessions(this) => end_sessions(on, this).await,
            Self::Factors(this) => factors(on, this).await,
            Self::RemoveFactor(arguments) => remove_factor(on, arguments).await,
            Self::Devices(this) => devices(on, this).await,
            Self::ForgetDevice(arguments) => forget_device(on, arguments).await,
            Self::RequireChange(arguments) => require_change(on, arguments).await,
            Self::Link(arguments) => link(on, arguments).await,
        }
    }
}

/// A user that was found, and the words for it.
pub(super) struct Found {
    pub(super) tenant: Tenant,
    pub(super) details: UserDetails,
}

impl Found {
    pub(super) fn id(&self) -> (gatelodge_core::model::TenantId, UserId) {
        (self.tenant.id, self.details.user.id)
    }

    /// "user `ada` of tenant `acme`".
    pub(super) fn words(&self) -> String {
        in_words(&self.tenant, &self.details.user)
    }
}

/// "user `ada` of tenant `acme`".
pub(super) fn in_words(tenant: &Tenant, user: &User) -> String {
    format!(
        "user {} of tenant {}",
        quoted(&user.user_name),
        quoted(&tenant.name)
    )
}

impl ThisUser {
    pub(super) async fn find(&self, on: &Administration<'_>) -> Result<Found, Failure> {
        let tenant = on.tenant(&self.place.tenant).await?;
        let details = on.user(&tenant, &self.user).await?;
        Ok(Found { tenant, details })
    }
}

async fn list(on: &Administration<'_>, arguments: &ListArguments) -> Result<(), Failure> {
    let tenant = on.tenant(&arguments.place.tenant).await?;
    let now = on.now();
    let search = arguments.search.as_deref();
    let nothing = match search {
        None => format!("Tenant {} has no users yet.", quoted(&tenant.name)),
        Some(search) => format!(
            "No user of tenant {} has {} in a name or address.",
            quoted(&tenant.name),
            quoted(search)
        ),
    };
    let shape = Shape {
        nothing: &nothing,
        headers: &[
            "USER NAME",
            "ID",
            "STATE",
            "CREATED",
            "E-MAIL",
            "DISPLAY NAME",
        ],
        row: &|user: &User| {
            vec![
                user.user_name.to_string(),
                user.id.to_string(),
                state(user, now),
                user.created_at.to_string(),
                email(user),
                user.display_name.to_string(),
            ]
        },
        json: &|user| document::user(user, &tenant, now),
    };
    let users = on.platform.users();
    let read = async |page| users.list(&on.caller, tenant.id, search, page).await;
    on.print_list("users", shape, read).await
}

async fn show(on: &Administration<'_>, this: &ThisUser) -> Result<(), Failure> {
    let Found { tenant, details } = this.find(on).await?;
    let now = on.now();
    let user = &details.user;
    let grants: Vec<_> = details.grants.iter().map(|grant| grant.as_str()).collect();
    let mut fields = vec![
        ("user name", user.user_name.to_string()),
        ("display name", user.display_name.to_string()),
        ("e-mail", email(user)),
        ("id", user.id.to_string()),
        ("tenant", tenant.name.to_string()),
        ("state", state(user, now)),
        ("granted", grants.join(", ")),
        ("created", user.created_at.to_string()),
    ];
    if let Some(lock) = user.lock.as_ref().filter(|lock| lock.holds_at(now)) {
        fields.push(("locked since", lock.since.to_string()));
        fields.push(("reason", lock.reason.clone().unwrap_or_default()));
    }
    if let Some(reason) = user.must_change {
        let words = format!("the password, at the next sign-in ({})", reason.as_str());
        fields.push(("must change", words));
    }
    let document = document::user_with_grants(&tenant, user, &details.grants, now);
    on.output.answer_fields(&document, &fields)
}

async fn lock(on: &Administration<'_>, arguments: &LockUser) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let lock = arguments.lock.lock_at(on.now());
    let users = on.platform.users();
    let user = users.lock(&on.caller, found.id(), lock).await?;
    let sessions = if arguments.lock.keep_sessions {
        "Open sessions go on"
    } else {
        "Open sessions have ended"
    };
    let end = user.lock.as_ref().and_then(|lock| lock.until);
    let words = format!("Locked {} {}. {sessions}.", found.words(), until(end));
    answer_changed(on, &found, &user, &words)
}

async fn unlock(on: &Administration<'_>, this: &ThisUser) -> Result<(), Failure> {
    let found = this.find(on).await?;
    let (tenant, id) = found.id();
    let user = on.platform.users().unlock(&on.caller, tenant, id).await?;
    let words = if found.details.user.is_locked_at(on.now()) {
        format!("Unlocked {}.", found.words())
    } else {
        format!("The {} is not locked.", found.words())
    };
    answer_changed(on, &found, &user, &words)
}

async fn set_status(
    on: &Administration<'_>,
    this: &ThisUser,
    status: UserStatus,
) -> Result<(), Failure> {
    let found = this.find(on).await?;
    let patch = UserPatch {
        status: Some(status),
        ..UserPatch::default()
    };
    let users = on.platform.users();
    let user = users.update(&on.caller, found.id(), None, patch).await?;
    let words = match (found.details.user.status == status, status) {
        (true, _) => format!("The {} is {} already.", found.words(), status.as_str()),
        (false, UserStatus::Active) => format!("Activated {}.", found.words()),
        (false, UserStatus::Deactivated) => {
            format!("Deactivated {}. Open sessions have ended.", found.words())
        }
    };
    answer_changed(on, &found, &user, &words)
}

async fn delete(on: &Administration<'_>, arguments: &DeleteArguments) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let (tenant, id) = found.id();
    let sessions = on.platform.sessions();
    let read = async |page| {
        sessions
            .list(&on.caller, tenant, Some(id), true, page)
            .await
    };
    let sessions = on.count("open session", read).await?;
    let deletion = Deletion {
        what: found.words(),
        consequences: format!("with {sessions}; audit entries stay"),
        name: None,
    };
    on.confirm(arguments.yes, &deletion)?;
    let version = Some(found.details.user.version);
    let users = on.platform.users();
    users.delete(&on.caller, (tenant, id), version).await?;
    let user = &found.details.user;
    on.output.answer(
        &serde_json::json!({
            "deleted": { "id": id, "user_name": user.user_name, "tenant": tenant },
            "ended": sessions.number,
        }),
        &format!("Deleted {} with {sessions}.", found.words()),
    )
}

async fn sessions(on: &Administration<'_>, arguments: &SessionsArguments) -> Result<(), Failure> {
    let found = arguments.this.find(on).await?;
    let (tenant, id) = found.id();
    let now = on.now();
    let kind = if arguments.all { "" } else { "open " };
    let shape = Shape {
        nothing: &format!("The {} has no {kind}sessions.", found.words()),
        headers: &[
            "ID",
            "STATE",
            "STARTED",
            "LAST ACTIVE",
            "BY",
            "ADDRESS",
            "BROWSER",
        ],
        row: &|session: &Session| session_row(session, now),
        json: &|session| document::session(session, now),
    };
    let sessions = on.platform.sessions();
    let read = async |page| {
        sessions
            .list(&on.caller, tenant, Some(id), !arguments.all, page)
            .await
    };
    on.print_list("sessions", shape, read).await
}

fn session_row(session: &Session, now: Timestamp) -> Vec<String> {
    let state = match &session.ended {
        Some(end) => format!("ended {} ({})", end.at, end.reason.as_str()),
        None if session.is_valid_at(now) => format!("open until {}", session.ends_at()),
        None => format!("ended {}", session.ends_at()),
    };
    vec![
        session.id.to_string(),
        state,
        session.started_at.to_string(),
        session.last_active_at.to_string(),
        session.amr().join(" "),
        session.client.address.clone().unwrap_or_default(),
        session.client.user_agent.clone().unwrap_or_default(),
    ]
}

async fn end_sessions(on: &Administration<'_>, this: &ThisUser) -> Result<(), Failure> {
    let found = this.find(on).await?;
    let (tenant, id) = found.id();
    let sessions = on.platform.sessions();
    let ended = sessions.end_of_user(&on.caller, tenant, id).await?;
    on.output.answer(
        &document::ended(ended),
        &format!("Ended {} of {}.", counted(ended, "session"), found.words()),
    )
}

/// Answers a change of a user that leaves the grants as they were.
pub(super) fn answer_changed(
    on: &Administration<'_>,
    found: &Found,
    user: &User,
    words: &str,
) -> Result<(), Failure> {
    let grants = &found.details.grants;
    let document = document::user_with_grants(&found.tenant, user, grants, on.now());
    on.output.answer(&document, words)
}

fn state(user: &User, now: Timestamp) -> String {
    let lock = user.lock.as_ref().filter(|lock| lock.holds_at(now));
    match (user.status, lock) {
        (UserStatus::Deactivated, None) => "deactivated".to_owned(),
        (UserStatus::Deactivated, Some(_)) => "deactivated and locked".to_owned(),
        (UserStatus::Active, Some(lock)) => format!("locked {}", until(lock.until)),
        (UserStatus::Active, None) => "active".to_owned(),
    }
}

fn email(user: &User) -> String {
    match &user.email {
        Some(email) if user.email_verified => email.to_string(),
        Some(email) => format!("{email} (not verified)"),
        None => String::new(),
    }
}
