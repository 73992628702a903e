//! What the system knows: tenants, users, applications, sessions, audit events, and the
//! names and ids they carry. Everything here is plain data that is valid by
//! construction; the rules that change it live in [`crate::service`].

mod application;
mod audit;
mod id;
mod lock;
mod name;
mod session;
mod settings;
mod tenant;
mod user;

pub use application::{Application, Audience, ReturnAddress, WebOrigin};
pub use audit::{Actor, AuditEvent, AuditFilter, Change as FieldChange, ClientFacts, Outcome};
pub use id::{
    ApplicationId, AuditEventId, ConnectionId, FlowId, MessageId, ParseIdError, ProviderId,
    RecordId, SessionId, TenantId, UserId,
};
pub use lock::Lock;
pub(crate) use name::is_unprintable;
pub use name::{
    ApplicationName, DisplayName, Email, NameKey, Normalised, TenantName, UserName, fold, nfc,
};
pub use session::{EndReason, Factor, FactorClass, Session, SessionEnd};
pub use settings::{
    AtLimit, EffectiveSettings, RegistrationSettings, SecondFactorRule, SecondFactorSettings,
    SessionSettings, SignInSettings, TenantSettings,
};
pub use tenant::Tenant;
pub use user::{Grant, MustChange, User, UserStatus};
