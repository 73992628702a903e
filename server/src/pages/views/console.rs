//! The console: tenants and users.

use serde::Serialize;

use super::{
    DeviceRow, Field, FormCard, Frame, Link, Notice, Post, SessionsBlock, Shown, TenantLabel, Time,
};
use crate::pages::Page;

/// State of an account or tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Can be used.
    Active,
    /// Locked, with or without an end.
    Locked,
    /// Switched off.
    Deactivated,
}

/// A search field over a list, sent by GET as `q`.
#[derive(Debug, Clone, Serialize)]
pub struct Search {
    /// Address of the list.
    pub action: String,
    /// What was searched for; empty: everything.
    pub query: String,
}

/// The users of a tenant: `console/users.html`.
#[derive(Debug, Clone, Serialize)]
pub struct UsersView {
    /// Surroundings.
    pub frame: Frame,
    /// Whose users.
    pub tenant: TenantLabel,
    /// Search field.
    pub search: Search,
    /// This page of the list.
    pub users: Vec<UserRow>,
    /// How many there are, when known.
    pub total: Option<u64>,
    /// Address of the next page.
    pub next: Option<String>,
    /// Address of the first page, when this is not it.
    pub first: Option<String>,
    /// Form for a new user; none when the viewer may not. Open when it comes back with errors.
    pub create: Option<FormCard>,
    /// A word from us.
    pub notice: Option<Notice>,
}

impl Page for UsersView {
    const TEMPLATE: &'static str = "console/users.html";
}

/// A user in the list.
#[derive(Debug, Clone, Serialize)]
pub struct UserRow {
    /// Address of the user's page.
    pub href: String,
    /// Name to sign in with.
    pub user_name: String,
    /// Name shown.
    pub display_name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// State.
    pub state: State,
    /// When it was made.
    pub created: Time,
}

/// A user: `console/user.html`.
#[derive(Debug, Clone, Serialize)]
pub struct UserView {
    /// Surroundings.
    pub frame: Frame,
    /// The user's tenant.
    pub tenant: TenantLabel,
    /// Address of the list.
    pub back: String,
    /// Name to sign in with.
    pub user_name: String,
    /// Name shown.
    pub display_name: String,
    /// State.
    pub state: State,
    /// Facts: id, created, last sign-in.
    pub facts: Vec<Fact>,
    /// Forms that change the user, such as names and e-mail.
    pub forms: Vec<FormCard>,
    /// Lock; none when the viewer may not.
    pub lock: Option<LockBlock>,
    /// The second factors that are set up.
    pub factors: Vec<FactorRow>,
    /// The devices that stay signed in.
    pub devices: Vec<DeviceRow>,
    /// Open sessions.
    pub sessions: SessionsBlock,
    /// Deactivate, delete, new initial password.
    pub danger: Vec<DangerAction>,
    /// A word from us.
    pub notice: Option<Notice>,
    /// Why the last change was refused.
    pub error: Option<String>,
}

impl Page for UserView {
    const TEMPLATE: &'static str = "console/user.html";
}

/// A second factor of a user.
#[derive(Debug, Clone, Serialize)]
pub struct FactorRow {
    /// "Authenticator app".
    pub label: String,
    /// "Phone, set up 3 weeks ago".
    pub detail: String,
    /// Whether it only stands in for others.
    pub backup: bool,
    /// Asks whether to remove it; none when the viewer may not.
    pub remove: Option<Link>,
}

/// A line of an overview.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// Its value.
    pub value: String,
    /// The moment behind the value, when it is one.
    pub datetime: Option<String>,
    /// Whether it is an identifier, shown in a fixed-width type.
    pub code: bool,
}

impl Fact {
    /// A fact in words.
    pub fn text(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            value: value.into(),
            datetime: None,
            code: false,
        }
    }

    /// An identifier.
    pub fn code(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            code: true,
            ..Self::text(label, value)
        }
    }

    /// A moment.
    pub fn time(label: impl Into<String>, time: Time) -> Self {
        Self {
            datetime: Some(time.datetime),
            ..Self::text(label, time.text)
        }
    }
}

/// The lock of a user or tenant.
#[derive(Debug, Clone, Serialize)]
pub struct LockBlock {
    /// What to know before, in place of the general sentence.
    pub text: Option<String>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: LockState,
}

/// Whether something is locked.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LockState {
    /// Locked.
    Locked {
        /// Why, as the administrator wrote it.
        reason: Option<String>,
        /// Until when; none: until unlocked.
        until: Option<Time>,
        /// Unlocks; none when it is not the viewer's to unlock.
        unlock: Option<Post>,
    },
    /// Not locked.
    Unlocked {
        /// Form with reason and duration.
        form: FormCard,
    },
}

/// Something far-reaching, behind a page that says what it will do.
#[derive(Debug, Clone, Serialize)]
pub struct DangerAction {
    /// "Delete this user".
    pub title: String,
    /// What it does, in a sentence.
    pub text: String,
    /// To the confirmation page.
    pub link: Link,
}

/// What was made, with a secret that is shown once: `console/created.html`.
#[derive(Debug, Clone, Serialize)]
pub struct CreatedView {
    /// Surroundings.
    pub frame: Frame,
    /// "Ada Lovelace can sign in now".
    pub title: String,
    /// A sentence below it.
    pub text: Option<String>,
    /// Name to sign in with.
    pub user_name: String,
    /// What the secret is: "Initial password".
    pub secret_label: String,
    /// The secret.
    pub secret: Shown,
    /// Where the person signs in.
    pub sign_in_address: Option<String>,
    /// When the secret stops working.
    pub expires: Option<Time>,
    /// Whether it has to be changed at the first sign-in.
    pub must_change: bool,
    /// Ways on: to the user, another one.
    pub links: Vec<Link>,
}

impl Page for CreatedView {
    const TEMPLATE: &'static str = "console/created.html";
}

/// The tenants the viewer may see: `console/tenants.html`.
#[derive(Debug, Clone, Serialize)]
pub struct TenantsView {
    /// Surroundings.
    pub frame: Frame,
    /// Search field.
    pub search: Search,
    /// This page of the list.
    pub tenants: Vec<TenantRow>,
    /// How many there are, when known.
    pub total: Option<u64>,
    /// Address of the next page.
    pub next: Option<String>,
    /// Address of the first page, when this is not it.
    pub first: Option<String>,
    /// Form for a new tenant; none when the viewer may not.
    pub create: Option<FormCard>,
    /// A word from us.
    pub notice: Option<Notice>,
}

impl Page for TenantsView {
    const TEMPLATE: &'static str = "console/tenants.html";
}

/// A tenant in the list.
#[derive(Debug, Clone, Serialize)]
pub struct TenantRow {
    /// Address of the tenant's page.
    pub href: String,
    /// Unique name.
    pub name: String,
    /// Name shown.
    pub display_name: String,
    /// State.
    pub state: State,
    /// Number of users, in words or digits, when known.
    pub users: Option<String>,
    /// When it was made.
    pub created: Time,
    /// Whether it is the viewer's own.
    pub own: bool,
}

/// A tenant: `console/tenant.html`.
#[derive(Debug, Clone, Serialize)]
pub struct TenantView {
    /// Surroundings.
    pub frame: Frame,
    /// The tenant.
    pub tenant: TenantLabel,
    /// Address of the list; none for an administrator of this tenant alone.
    pub back: Option<String>,
    /// State.
    pub state: State,
    /// Facts: id, created, sign-in address.
    pub facts: Vec<Fact>,
    /// Ways on: its users.
    pub links: Vec<Link>,
    /// Forms: names, registration, session times.
    pub forms: Vec<FormCard>,
    /// The rules that the ways to sign in hold people to.
    pub rules: Vec<RulesBlock>,
    /// Lock; none when the viewer may not, as for the own tenant.
    pub lock: Option<LockBlock>,
    /// Delete.
    pub danger: Vec<DangerAction>,
    /// A word from us.
    pub notice: Option<Notice>,
    /// Why the last change was refused.
    pub error: Option<String>,
}

impl Page for TenantView {
    const TEMPLATE: &'static str = "console/tenant.html";
}

/// The rules of one way to sign in.
#[derive(Debug, Clone, Serialize)]
pub struct RulesBlock {
    /// "Password".
    pub label: String,
    /// Its rules, in order.
    pub rules: Vec<RuleRow>,
}

/// A rule in force.
#[derive(Debug, Clone, Serialize)]
pub struct RuleRow {
    /// What it says: a sentence.
    pub text: String,
    /// "Falls short of OWASP ASVS 5.0.0, 6.2.5: …", for each requirement.
    pub breaks: Vec<String>,
}

/// Asks before something destructive: `confirm.html`.
#[derive(Debug, Clone, Serialize)]
pub struct ConfirmView {
    /// Surroundings.
    pub frame: Frame,
    /// "Delete Ada Lovelace?"
    pub title: String,
    /// What will happen.
    pub text: String,
    /// One by one, with numbers: "3 sessions end now".
    pub consequences: Vec<String>,
    /// Target.
    pub post: Post,
    /// Something to type or choose before, such as the name.
    pub fields: Vec<Field>,
    /// "Delete user".
    pub confirm: String,
    /// Whether the button is red.
    pub danger: bool,
    /// Back without change.
    pub cancel: Link,
    /// Why the last try was refused.
    pub error: Option<String>,
}

impl Page for ConfirmView {
    const TEMPLATE: &'static str = "confirm.html";
}
