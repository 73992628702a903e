//! Links that administrators make for users: invitations, resets and the like.

use jiff::Timestamp;

use super::{
    Offers, ProviderCall, Users, apply_effects,
    users::{changed, held},
};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, action},
    engine::local_path,
    model::{ProviderId, Tenant, TenantId, User, UserId},
    platform::AuditEventExt,
    provider::{Delivery, Effect, Intent, Issued, Link, LinkPurpose, LinkRequest, MessageChannel},
    secret::Secret,
    storage::Scope,
};

/// The longest path of a page that a link leads to: it is the session's scope.
const MAX_PAGE: usize = 500;

impl Users<'_> {
    /// Makes a link for a user, and sends it to the stored address or tells it,
    /// once, to the caller. An older link of that purpose no longer opens.
    ///
    /// # Errors
    /// * [`ErrorKind::Unsupported`] when nothing makes such links here, or no mail
    ///   is sent.
    /// * [`ErrorKind::Refused`] to mail somebody who has no address, or for
    ///   anything but an invitation or a verification an address that is not
    ///   verified.
    /// * [`ErrorKind::Invalid`] about `page` for a page that is missing, unasked
    ///   for, or no path of this server.
    pub async fn make_link(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        mut request: LinkRequest,
    ) -> Result<MadeLink> {
        let platform = self.0;
        let action = match request.delivery {
            Delivery::Mail => action::USER_SEND_LINK,
            Delivery::Told => action::USER_MAKE_LINK,
        };
        self.authorise_for(caller, action, tenant, id).await?;
        request.page = page(&request)?;
        let mut unit = platform.read(Scope::Tenant(tenant)).await?;
        let found = unit.tenants().by_id(tenant).await?;
        let user = unit.users().by_id(id).await?;
        unit.rollback().await?;
        let (found, user) = found.zip(user).ok_or_else(|| Error::not_found("user"))?;
        if request.delivery == Delivery::Mail {
            ensure_mailbox(request.purpose, user.email.is_some(), user.email_verified)?;
        }
        let (linker, issued) = issue(platform, (&found, &user), &request).await?;

        let mut unit = platform.write(Scope::Tenant(tenant)).await?;
        let place = (tenant, id);
        held(unit.as_mut(), place, Some(user.version)).await?;
        self.still_allowed(caller, action, unit.as_mut(), place)
            .await?;
        let of = (tenant, Some(id));
        apply_effects(platform, unit.as_mut(), &linker, of, &issued.effects).await?;
        let event = platform
            .event(caller, Some(tenant), action)
            .about(id)
            .changing("purpose", None, Some(request.purpose.as_str().to_owned()))
            .changing("expires_at", None, Some(issued.expires_at.to_string()));
        unit.audit().append(&event).await?;
        platform.commit(unit, &[changed(tenant, id)]).await?;
        platform.wake_sender_after(&issued.effects);
        let link = issued.token.map(|token| Link {
            purpose: request.purpose,
            token,
        });
        Ok(MadeLink {
            address: link.map(|link| link.address(&platform.origins().base(&found))),
            expires_at: issued.expires_at,
        })
    }
}

/// A link that was made for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeLink {
    /// Its address, for [`Delivery::Told`]: told here and nowhere else.
    pub address: Option<Secret>,
    /// The first moment at which it no longer opens.
    pub expires_at: Timestamp,
}

/// An invitation by mail to somebody who is about to be made, as the effects of
/// the provider that makes it.
pub(super) async fn invitation(
    platform: &Platform,
    tenant: &Tenant,
    user: &User,
) -> Result<(ProviderId, Vec<Effect>)> {
    let request = LinkRequest {
        purpose: LinkPurpose::Invite,
        page: None,
        delivery: Delivery::Mail,
    };
    let (linker, issued) = issue(platform, (tenant, user), &request).await?;
    Ok((linker, issued.effects))
}

async fn issue(
    platform: &Platform,
    (tenant, user): (&Tenant, &User),
    request: &LinkRequest,
) -> Result<(ProviderId, Issued)> {
    let unsupported = || {
        let purpose = request.purpose.as_str();
        let message = format!("nothing that is offered here makes `{purpose}` links");
        Error::new(ErrorKind::Unsupported, message)
    };
    let offers = Offers::read(platform, Some(tenant.id)).await?;
    let linker = offers.linker(request.purpose).ok_or_else(unsupported)?;
    let links = linker.provider.links().ok_or_else(unsupported)?;
    let call = ProviderCall::new(platform, &linker.id, Intent::Recover)
        .in_tenant(Some(tenant))
        .of_user(user);
    let issued = links.issue(&call.context(), request).await?;
    Ok((linker.id.clone(), issued))
}

impl Platform {
    /// Whether links for a purpose can be mailed to people of a tenant; where none is
    /// known, whether to those of all.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn mails_links(
        &self,
        purpose: LinkPurpose,
        tenant: Option<TenantId>,
    ) -> Result<bool> {
        if !self.channels().contains(&MessageChannel::Mail) {
            return Ok(false);
        }
        let offers = Offers::read(self, tenant).await?;
        Ok(offers.linker(purpose).is_some())
    }
}

/// The page that is asked for, in the form that every browser reads alike.
fn page(request: &LinkRequest) -> Result<Option<String>> {
    match (request.purpose, &request.page) {
        (LinkPurpose::Page, None) => Err(Error::invalid("page", "name the page to lead to")),
        (LinkPurpose::Page, Some(page)) if page.len() > MAX_PAGE => Err(Error::invalid(
            "page",
            format!("expected a path of at most {MAX_PAGE} characters"),
        )),
        (LinkPurpose::Page, Some(page)) => local_path(page)
            .map(Some)
            .map_err(|error| Error::invalid("page", error.message().to_owned())),
        (_, None) => Ok(None),
        (_, Some(_)) => Err(Error::invalid("page", "only a `page` link leads to a page")),
    }
}

fn ensure_mailbox(purpose: LinkPurpose, has_address: bool, is_verified: bool) -> Result<()> {
    let proves = matches!(purpose, LinkPurpose::Invite | LinkPurpose::Verify);
    match (has_address, is_verified || proves) {
        (false, _) => Err(Error::refused("the user has no e-mail address")),
        (true, false) => Err(Error::refused(
            "the user's e-mail address is not verified; send an invitation, which verifies it",
        )),
        (true, true) => Ok(()),
    }
}
