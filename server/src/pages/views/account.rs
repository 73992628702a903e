//! The start page of a signed-in person.

use serde::Serialize;

use super::{Frame, Link, MarkShape, Notice, Post, TenantLabel, Time};
use crate::pages::Page;

/// The account's start page: `account.html`.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView {
    /// Surroundings.
    pub frame: Frame,
    /// Name in the greeting.
    pub display_name: String,
    /// Name to sign in with.
    pub user_name: String,
    /// The person's tenant.
    pub tenant: TenantLabel,
    /// What protects the account, and what is missing.
    pub security: Vec<SecurityRow>,
    /// How this session came about and when it ends.
    pub current: CurrentSession,
    /// All own sessions, this one first.
    pub sessions: SessionsBlock,
    /// The devices that stay signed in.
    pub devices: Vec<DeviceRow>,
    /// The e-mail address, where it can be changed.
    pub mailbox: Option<SignInMethod>,
    /// Ways to sign in.
    pub methods: Vec<SignInMethod>,
    /// Third parties, and which accounts there are linked.
    pub connections: Vec<SignInMethod>,
    /// Accounts of the same person in other organisations.
    pub elsewhere: Vec<ElsewhereRow>,
    /// A word from us, such as the result of the last change.
    pub notice: Option<Notice>,
    /// Ways on, such as the console.
    pub links: Vec<Link>,
}

impl Page for AccountView {
    const TEMPLATE: &'static str = "account.html";
}

/// One thing that protects the account, or that is missing.
#[derive(Debug, Clone, Serialize)]
pub struct SecurityRow {
    /// Symbol.
    pub symbol: &'static str,
    /// What it is: "Password", "Second step".
    pub title: String,
    /// How it stands.
    pub detail: String,
    /// How good that is.
    pub state: SecurityState,
    /// The same in a word.
    pub badge: Option<String>,
    /// What to do about it.
    pub action: Option<Link>,
}

/// How good something is for the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityState {
    /// It protects the account.
    Good,
    /// Neither.
    Plain,
    /// It needs care.
    Care,
}

/// Facts of the session that asked for the page.
#[derive(Debug, Clone, Serialize)]
pub struct CurrentSession {
    /// What was used: "Password", "Password and authenticator app".
    pub signed_in_with: String,
    /// When it was proven.
    pub signed_in_at: Time,
    /// When it ends at the latest.
    pub ends: Time,
    /// How long it may be idle, in words: "30 minutes".
    pub idle: Option<String>,
}

/// A list of sessions with its buttons, on the account page and in the console.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SessionsBlock {
    /// The sessions.
    pub rows: Vec<SessionRow>,
    /// Ends all others (account) or all (console); none: no button.
    pub end_many: Option<Post>,
}

/// A session in a list.
#[derive(Debug, Clone, Serialize)]
pub struct SessionRow {
    /// Symbol.
    pub kind: DeviceKind,
    /// Browser and system: "Firefox on Linux".
    pub device: String,
    /// Network address.
    pub address: String,
    /// Application it was made for, if another than these pages.
    pub application: Option<String>,
    /// Start.
    pub started: Time,
    /// Last activity.
    pub last_active: Time,
    /// Whether it is the one that asked.
    pub current: bool,
    /// Ends it; none: no button.
    pub end: Option<Post>,
}

/// A device that stays signed in, in a list.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceRow {
    /// Symbol.
    pub kind: DeviceKind,
    /// Browser and system: "Firefox on Linux".
    pub device: String,
    /// When it was kept signed in.
    pub since: Time,
    /// When it last signed somebody in.
    pub last_used: Time,
    /// When it ends.
    pub until: Time,
    /// Whether it is the one that asked.
    pub current: bool,
    /// Forgets it; none: no button.
    pub forget: Option<Post>,
}

/// What a session runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A computer.
    Desktop,
    /// A phone or tablet.
    Phone,
    /// A program, or unknown.
    Program,
}

/// A way to sign in, as its owner sees it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SignInMethod {
    /// "Password", "Passkey".
    pub label: String,
    /// Its picture; empty: the usual one.
    pub mark: Vec<MarkShape>,
    /// "Changed 3 weeks ago", "Two keys".
    pub detail: Option<String>,
    /// Whether it is set up.
    pub enabled: bool,
    /// "Change", "Add", "Remove".
    pub actions: Vec<Link>,
    /// What is set up of it, where there are several and each can be removed.
    pub items: Vec<MethodItem>,
}

/// An account of the same person in another organisation.
#[derive(Debug, Clone, Serialize)]
pub struct ElsewhereRow {
    /// The organisation.
    pub tenant: TenantLabel,
    /// Goes there; none: by a link.
    pub post: Option<Post>,
    /// The way there, where it is on another host.
    pub way: Option<Link>,
    /// "Switch".
    pub label: String,
}

/// Something that is set up of a way to sign in.
#[derive(Debug, Clone, Serialize)]
pub struct MethodItem {
    /// "Phone, set up 3 weeks ago".
    pub label: String,
    /// Removes it.
    pub remove: Link,
}
