//! What can be done with the model: each function asks for permission, checks
//! the rules, changes the storage in one transaction together with the audit
//! event, and tells the other nodes. HTTP and the command line are two front
//! ends of the same functions.

mod accounts;
mod administrators;
mod applications;
mod audit;
mod backups;
mod connections;
mod credentials;
mod devices;
mod duties;
mod elsewhere;
mod entries;
mod factors;
mod identities;
mod links;
mod offers;
mod recheck;
mod rules;
mod second_factor;
mod sessions;
mod setup;
mod tenants;
mod user_locks;
mod users;

pub use accounts::{Accounts, OwnRule, SignInMethod};
pub use applications::{ApplicationPatch, ApplicationRef, Applications, NewApplication};
pub use audit::AuditLog;
pub use backups::{BackupSchedule, BackupTurn, Backups, MadeBackup};
pub use connections::Connections;
pub use devices::OwnDevice;
pub use elsewhere::OtherTenant;
pub use entries::{Entered, Entries, Entry};
pub use identities::LinkedIdentity;
pub use links::MadeLink;
pub use rules::ProviderRules;
pub use sessions::Sessions;
pub use setup::{FirstAdministrator, SetUp};
pub use tenants::{DeleteTenant, NewTenant, TenantPatch, TenantRef, Tenants};
pub use users::{InitialCredential, NewUser, UserDetails, UserPatch, Users};

pub(crate) use credentials::{
    ProviderCall, apply_effects, enrol_secret, forget_links, is_lost_effect,
};
pub(crate) use devices::{end_device, forget_devices};
pub(crate) use elsewhere::{WayElsewhere, valid_session, ways_elsewhere};
pub(crate) use factors::{Factor, ensure_removable, find_factor, in_the_way, no_factor};
pub(crate) use identities::{
    MAX_KEEP, bar, identity_key, identity_name, link_record, linked_users,
};
pub(crate) use offers::{Offers, not_offered};
pub(crate) use recheck::Rechecks;
pub(crate) use second_factor::{demanded_from, ensure_offered, has_set_up};
pub(crate) use sessions::{NewSession, end_sessions, start_session};

use crate::storage::Page;

/// How a lock is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewLock {
    /// Shown to administrators, at most 500 characters.
    pub reason: Option<String>,
    /// The first moment at which it no longer holds.
    pub until: Option<jiff::Timestamp>,
    /// Whether open sessions go on.
    pub keep_sessions: bool,
}

/// A piece of a list and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T, Id> {
    /// The piece.
    pub items: Vec<T>,
    /// The id to go on after, if there is more.
    pub next: Option<Id>,
}

impl<T, Id: Copy> Listed<T, Id> {
    /// The greatest size of a piece.
    pub const MAX: u32 = 200;

    /// One more than asked for is read, to see whether there is more.
    pub(crate) fn page(page: Page<Id>) -> Page<Id> {
        Page {
            after: page.after,
            limit: page.limit.clamp(1, Self::MAX) + 1,
        }
    }

    pub(crate) fn cut(mut items: Vec<T>, page: Page<Id>, id: impl Fn(&T) -> Id) -> Self {
        let limit = page.limit.clamp(1, Self::MAX) as usize;
        let next = if items.len() > limit {
            items.truncate(limit);
            items.last().map(id)
        } else {
            None
        };
        Self { items, next }
    }
}
