//! What the pages show, as plain data. Handlers fill these; nothing here knows HTTP, storage or a kind of provider.
//!
//! Every view is `Serialize` and has a `new` that takes what it cannot do without; the rest is optional, by field.
//! Times come in already worded ([`Time`]), addresses as paths of this server.

mod account;
mod console;
mod flow;
mod form;
mod message;

pub use account::{
    AccountView, CurrentSession, DeviceKind, DeviceRow, ElsewhereRow, MethodItem, SecurityRow,
    SecurityState, SessionRow, SessionsBlock, SignInMethod,
};
pub use console::{
    ConfirmView, CreatedView, DangerAction, Fact, FactorRow, LockBlock, LockState, RuleRow,
    RulesBlock, Search, State, TenantRow, TenantView, TenantsView, UserRow, UserView, UsersView,
};
pub use flow::{DisplayItem, FlowView, Instead, MarkShape, Method, MethodKind, QrCode};
pub use form::{Action, ActionStyle, Choice, Field, FieldKind, FormCard, Hidden, Post, StepForm};
pub use message::{MessageKind, MessageView, SetupView, SignedOutView};

use serde::Serialize;

/// What surrounds the content of a page.
#[derive(Debug, Clone, Serialize)]
pub struct Frame {
    /// Language of the page (BCP 47), for the `lang` attribute.
    pub lang: String,
    /// Who is signed in, if anybody.
    pub viewer: Option<Viewer>,
    /// Main navigation of a signed-in page.
    pub nav: Vec<NavItem>,
    /// Links at the foot, such as privacy and imprint.
    pub footer: Vec<Link>,
    /// Where the brand mark leads.
    pub home: String,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            lang: "en".to_owned(),
            viewer: None,
            nav: Vec::new(),
            footer: Vec::new(),
            home: "/".to_owned(),
        }
    }
}

/// The signed-in person, for the head of the page.
#[derive(Debug, Clone, Serialize)]
pub struct Viewer {
    /// Name shown.
    pub display_name: String,
    /// The organisation's display name.
    pub tenant: String,
    /// Address of the account page.
    pub account_href: String,
    /// Where the sign-out button posts to.
    pub sign_out: Post,
}

/// An entry of the main navigation.
#[derive(Debug, Clone, Serialize)]
pub struct NavItem {
    /// Text.
    pub label: String,
    /// Address.
    pub href: String,
    /// Whether this is where the person is.
    pub current: bool,
}

/// A link.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    /// Address on this server.
    pub href: String,
    /// Text.
    pub label: String,
}

impl Link {
    /// A link to `href` called `label`.
    pub fn new(href: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            href: href.into(),
            label: label.into(),
        }
    }
}

/// A moment, for `<time>`.
#[derive(Debug, Clone, Serialize)]
pub struct Time {
    /// RFC 3339, for machines.
    pub datetime: String,
    /// As people read it: "two minutes ago", "today at 14:05".
    pub text: String,
}

impl Time {
    /// A moment with its wording.
    pub fn new(datetime: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            datetime: datetime.into(),
            text: text.into(),
        }
    }
}

/// How a tenant is called.
#[derive(Debug, Clone, Serialize)]
pub struct TenantLabel {
    /// Unique name, as in addresses.
    pub name: String,
    /// Name shown.
    pub display_name: String,
}

impl TenantLabel {
    /// A tenant's two names.
    pub fn new(name: impl Into<String>, display_name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            display_name: display_name.into(),
        }
    }
}

/// A word from us on a page that otherwise works as usual.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// Its colour and symbol.
    pub tone: Tone,
    /// What it says.
    pub text: String,
}

impl Notice {
    /// Something succeeded.
    pub fn success(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Success,
            text: text.into(),
        }
    }

    /// Something to know.
    pub fn info(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Info,
            text: text.into(),
        }
    }

    /// Something to take care of.
    pub fn warning(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Warning,
            text: text.into(),
        }
    }
}

/// How serious a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// It worked.
    Success,
    /// Good to know.
    Info,
    /// Take care.
    Warning,
}

/// A secret that a page shows on purpose: serialised as it is, never printed by `Debug`.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Shown(String);

impl Shown {
    /// A secret to be shown.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[shown once]")
    }
}
