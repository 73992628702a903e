//! What follows when a mailbox was shown to be a user's.

use super::{answer::Attempt, write::Proven};
use crate::{
    ErrorKind, Result, messages,
    model::{Email, TenantId, User},
    platform::AuditEventExt,
    provider::Purpose,
    storage::{Change, Changed, UnitOfWork},
};

impl Attempt<'_> {
    /// Makes the address that was proven the user's, verified; a word for the
    /// audit log when that may not be.
    pub(super) async fn own_mailbox(
        &mut self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
        user: &mut User,
        proven: &Proven,
    ) -> Result<Option<&'static str>> {
        let Some(address) = &proven.mailbox else {
            return Ok(match proven.purpose {
                Purpose::Mailbox => Some("no_mailbox"),
                Purpose::SignIn | Purpose::NewCredential => None,
            });
        };
        let Ok(address) = Email::new(address) else {
            return Ok(Some("malformed_address"));
        };
        let is_stored = user.email.as_ref() == Some(&address);
        if is_stored && user.email_verified {
            return Ok(None);
        }
        if !is_stored && proven.purpose != Purpose::Mailbox {
            // Sent to an address that is not the user's any more.
            return Ok(Some("address_changed"));
        }
        let old = user.email.replace(address);
        if old != user.email {
            // Told where the person is reached as long as nothing is stored.
            messages::tell(self.platform, unit, (tenant, user), "address_changed").await?;
            self.told = true;
        }
        user.email_verified = true;
        match unit.users().update(user).await {
            // An error in between would leave the unit unusable, but this one ends it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Ok(Some("address_taken"));
            }
            updated => *user = updated?,
        }
        let shown = |email: &Option<Email>| email.as_ref().map(ToString::to_string);
        let event = self
            .platform
            .event(
                &self.caller(tenant, user.id),
                Some(tenant),
                "user.verify_email",
            )
            .about(user.id)
            .changing("email", shown(&old), shown(&user.email));
        unit.audit().append(&event).await?;
        self.changes.push(Change {
            tenant,
            what: Changed::User(user.id),
        });
        Ok(None)
    }
}
