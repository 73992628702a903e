//! Users of a tenant: making, reading, changing, deleting, granting.

use super::{Listed, Offers, apply_effects, enrol_secret, forget_links, links::invitation};
use crate::{
    Error, Platform, Result,
    access::{Caller, Resource, action},
    messages,
    model::{
        DisplayName, Email, EndReason, Grant, MustChange, NameKey, TenantId, User, UserId,
        UserName, UserStatus,
    },
    platform::AuditEventExt,
    secret::Secret,
    storage::{Change, Changed, Page, Scope, SessionFilter, UnitOfWork},
};

/// Users of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Users<'a>(pub(super) &'a Platform);

/// A user to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The unique name for signing in.
    pub user_name: UserName,
    /// The name to show; the same if there is none.
    pub display_name: Option<DisplayName>,
    /// The e-mail address, not verified by this.
    pub email: Option<Email>,
    /// The first credential.
    pub credential: InitialCredential,
}

/// A user's first credential.
#[derive(Debug, Clone, Default)]
pub enum InitialCredential {
    /// None: the account cannot be signed in to yet.
    #[default]
    None,
    /// None: an invitation to choose one is mailed.
    Invited,
    /// A random password, told once to the caller, to be changed at first sign-in.
    Generated,
    /// A given password.
    Given {
        /// It.
        password: Secret,
        /// Whether it must be changed at first sign-in: yes, unless the user
        /// chose it and nobody else has seen it.
        must_change: bool,
    },
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    /// The unique name for signing in.
    pub user_name: Option<UserName>,
    /// The name to show.
    pub display_name: Option<DisplayName>,
    /// The e-mail address; `Some(None)` takes it away. A new one is unverified.
    pub email: Option<Option<Email>>,
    /// Whether the account is in use.
    pub status: Option<UserStatus>,
}

/// A user and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserDetails {
    /// The user.
    pub user: User,
    /// What the user is granted.
    pub grants: Vec<Grant>,
}

impl<'a> Users<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// Makes a user; answers it and, if one was generated, its password, which
    /// is never told again.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] for a taken name;
    /// [`crate::ErrorKind::Invalid`] for a password that is not good enough, or an
    /// invitation without an e-mail address; [`crate::ErrorKind::Unsupported`] for
    /// an invitation where none can be mailed.
    pub async fn create(
        &self,
        caller: &Caller,
        tenant: TenantId,
        new: NewUser,
    ) -> Result<(User, Option<Secret>)> {
        self.0
            .authorise(caller, action::USER_CREATE, &Resource::tenant(tenant))?;
        let invited = matches!(new.credential, InitialCredential::Invited);
        if invited && new.email.is_none() {
            let message = "an invitation needs an e-mail address";
            return Err(Error::invalid("email", message));
        }
        let (password, must_change, generated) = match new.credential {
            InitialCredential::None | InitialCredential::Invited => (None, None, None),
            InitialCredential::Generated => {
                let password = generated_password(self.0);
                let change = Some(MustChange::Administrator);
                (Some(password.clone()), change, Some(password))
            }
            InitialCredential::Given {
                password,
                must_change,
            } => (
                Some(password),
                must_change.then_some(MustChange::Administrator),
                None,
            ),
        };
        let display_name = match new.display_name {
            Some(name) => name,
            None => DisplayName::new(new.user_name.as_str())?,
        };
        let user = User {
            id: UserId::generate(self.0.environment()),
            user_name: new.user_name,
            display_name,
            email: new.email,
            email_verified: false,
            status: UserStatus::Active,
            lock: None,
            must_change,
            credential_epoch: 1,
            created_at: self.0.now(),
            version: 1,
        };
        let first = match (&password, invited) {
            (Some(password), _) => First::Password(password),
            (None, true) => First::Invitation,
            (None, false) => First::Nothing,
        };
        self.store_new(caller, tenant, &user, first).await?;
        Ok((user, generated))
    }

    async fn store_new(
        &self,
        caller: &Caller,
        tenant: TenantId,
        user: &User,
        first: First<'_>,
    ) -> Result<()> {
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let found = unit.tenants().by_id(tenant).await?;
        // A taken name is told before any work is done for a password.
        let namesake = unit.users().by_login(&user.user_name.key()).await?;
        let offers = Offers::within(self.0, unit.as_mut()).await?;
        unit.rollback().await?;
        let found = found.ok_or_else(|| Error::not_found("tenant"))?;
        if namesake.is_some_and(|other| other.user_name.key() == user.user_name.key()) {
            return Err(taken_name());
        }
        let credential = match first {
            First::Password(password) => {
                let place = (&found, &offers);
                Some(enrol_secret(self.0, place, user, password).await?)
            }
            First::Invitation => Some(invitation(self.0, &found, user).await?),
            First::Nothing => None,
        };
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        unit.users().create(user).await.map_err(taken)?;
        if let Some((provider, effects)) = &credential {
            let place = (tenant, Some(user.id));
            apply_effects(self.0, unit.as_mut(), provider, place, effects).await?;
        }
        let is_set = matches!(first, First::Password(_));
        let set = is_set.then(|| "set".to_owned());
        let is_sent = matches!(first, First::Invitation);
        let sent = is_sent.then(|| "sent".to_owned());
        let event = self
            .0
            .event(caller, Some(tenant), action::USER_CREATE)
            .about(user.id)
            .changing("user_name", None, Some(user.user_name.to_string()))
            .changing("password", None, set)
            .changing("invitation", None, sent)
            .changing(
                "must_change",
                None,
                user.must_change.map(|reason| reason.as_str().to_owned()),
            );
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[]).await?;
        let effects = credential.map_or_else(Vec::new, |(_, effects)| effects);
        self.0.wake_sender_after(&effects);
        Ok(())
    }

    /// A user and what it is granted.
    ///
    /// # Errors
    /// As [`Platform::authorise`]; [`crate::ErrorKind::NotFound`].
    pub async fn read(&self, caller: &Caller, tenant: TenantId, id: UserId) -> Result<UserDetails> {
        self.0
            .authorise(caller, action::USER_READ, &Resource::tenant(tenant))?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let details = details(unit.as_mut(), id).await?;
        unit.rollback().await?;
        Ok(details)
    }

    /// A user by what it signs in with.
    ///
    /// # Errors
    /// As [`Users::read`].
    pub async fn by_login(
        &self,
        caller: &Caller,
        tenant: TenantId,
        login: &str,
    ) -> Result<UserDetails> {
        self.0
            .authorise(caller, action::USER_READ, &Resource::tenant(tenant))?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let user = unit.users().by_login(&NameKey::of(login)).await?;
        let id = user.ok_or_else(|| Error::not_found("user"))?.id;
        let details = details(unit.as_mut(), id).await?;
        unit.rollback().await?;
        Ok(details)
    }

    /// A tenant's users.
    ///
    /// # Errors
    /// As [`Platform::authorise`].
    pub async fn list(
        &self,
        caller: &Caller,
        tenant: TenantId,
        search: Option<&str>,
        page: Page<UserId>,
    ) -> Result<Listed<User, UserId>> {
        self.0
            .authorise(caller, action::USER_LIST, &Resource::tenant(tenant))?;
        let search = search.filter(|text| !text.is_empty()).map(NameKey::of);
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let items = unit
            .users()
            .list(search.as_ref(), Listed::<User, _>::page(page))
            .await?;
        unit.rollback().await?;
        Ok(Listed::cut(items, page, |user| user.id))
    }

    /// Changes a user. Deactivating ends the user's sessions.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Conflict`] for a stale version,
    /// [`crate::ErrorKind::AlreadyExists`] for a taken name,
    /// [`crate::ErrorKind::Refused`] to deactivate oneself or the last
    /// administrator of the platform.
    pub async fn update(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        version: Option<i64>,
        patch: UserPatch,
    ) -> Result<User> {
        self.authorise_for(caller, action::USER_UPDATE, tenant, id)
            .await?;
        let deactivates = patch.status == Some(UserStatus::Deactivated);
        if deactivates {
            refuse_self(caller, tenant, id, "deactivates")?;
        }
        let remains = self
            .0
            .administrator_remains(|t, u| deactivates && (t, u) == (tenant, id))
            .await?;
        let mut unit = self.0.write(Scope::Platform).await?;
        remains.hold(unit.as_mut()).await?;
        unit.enter(tenant).await?;
        let place = (tenant, id);
        let old = held(unit.as_mut(), place, version).await?;
        let grants = self
            .still_allowed(caller, action::USER_UPDATE, unit.as_mut(), place)
            .await?;
        if deactivates {
            remains.confirm(&grants)?;
        }
        let new = patched(&old, patch);
        if new == old {
            unit.rollback().await?;
            return Ok(old);
        }
        if new.email != old.email {
            // Told where the person is reached as long as nothing is stored.
            messages::tell(self.0, unit.as_mut(), (tenant, &old), "address_changed").await?;
        }
        let new = unit.users().update(&new).await.map_err(taken)?;
        if deactivates {
            end_all(self.0, unit.as_mut(), id).await?;
        }
        if new.email != old.email {
            forget_links(self.0, unit.as_mut(), id, None).await?;
        }
        let text = |text: &dyn ToString| Some(text.to_string());
        let email = |user: &User| user.email.as_ref().map(ToString::to_string);
        let event = self
            .0
            .event(caller, Some(tenant), action::USER_UPDATE)
            .about(id)
            .changing("user_name", text(&old.user_name), text(&new.user_name))
            .changing(
                "display_name",
                text(&old.display_name),
                text(&new.display_name),
            )
            .changing("email", email(&old), email(&new))
            .changing(
                "status",
                Some(old.status.as_str().to_owned()),
                Some(new.status.as_str().to_owned()),
            );
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(tenant, id)]).await?;
        if new.email != old.email {
            self.0.wake_sender();
        }
        Ok(new)
    }

    /// Deletes a user with all that is its own; session rows and audit events stay.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] for oneself or the last administrator of
    /// the platform; [`crate::ErrorKind::Conflict`] for a stale version.
    pub async fn delete(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        version: Option<i64>,
    ) -> Result<()> {
        self.authorise_for(caller, action::USER_DELETE, tenant, id)
            .await?;
        refuse_self(caller, tenant, id, "deletes")?;
        let remains = self
            .0
            .administrator_remains(|t, u| (t, u) == (tenant, id))
            .await?;
        let mut unit = self.0.write(Scope::Platform).await?;
        remains.hold(unit.as_mut()).await?;
        unit.enter(tenant).await?;
        let place = (tenant, id);
        let user = held(unit.as_mut(), place, version).await?;
        let grants = self
            .still_allowed(caller, action::USER_DELETE, unit.as_mut(), place)
            .await?;
        remains.confirm(&grants)?;
        end_all(self.0, unit.as_mut(), id).await?;
        unit.users().delete(id, user.version).await?;
        let event = self
            .0
            .event(caller, Some(tenant), action::USER_DELETE)
            .about(id);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(tenant, id)]).await
    }

    /// Gives or takes a grant; answers what the user is then granted. Giving
    /// twice and taking what is absent change nothing and succeed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Denied`] for a grant that the caller does not hold;
    /// [`crate::ErrorKind::Refused`] to take the last platform administrator's.
    pub async fn set_grant(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, UserId),
        grant: Grant,
        given: bool,
    ) -> Result<Vec<Grant>> {
        let resource = self
            .authorise_for(caller, action::USER_GRANT, tenant, id)
            .await?;
        let resource = Resource {
            grant: Some(grant),
            ..resource
        };
        self.0.authorise(caller, action::USER_GRANT, &resource)?;
        let takes = !given && grant == Grant::PlatformAdministrator;
        let remains = self
            .0
            .administrator_remains(|t, u| takes && (t, u) == (tenant, id))
            .await?;
        let mut unit = self.0.write(Scope::Platform).await?;
        remains.hold(unit.as_mut()).await?;
        unit.enter(tenant).await?;
        let place = (tenant, id);
        held(unit.as_mut(), place, None).await?;
        let grants = self
            .still_allowed(caller, action::USER_GRANT, unit.as_mut(), place)
            .await?;
        if takes {
            remains.confirm(&grants)?;
        }
        let changes = unit.users().set_grant(id, grant, given).await?;
        let grants = unit.users().grants(id).await?;
        if !changes {
            unit.rollback().await?;
            return Ok(grants);
        }
        let name = Some(grant.as_str().to_owned());
        let (old, new) = if given { (None, name) } else { (name, None) };
        let event = self
            .0
            .event(caller, Some(tenant), action::USER_GRANT)
            .about(id)
            .changing("grant", old, new);
        unit.audit().append(&event).await?;
        self.0.commit(unit, &[changed(tenant, id)]).await?;
        Ok(grants)
    }

    /// Permission to act on one user: what the user is granted counts.
    pub(super) async fn authorise_for(
        &self,
        caller: &Caller,
        action: &str,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Resource> {
        self.0
            .authorise(caller, action, &Resource::tenant(tenant))?;
        let mut unit = self.0.read(Scope::Tenant(tenant)).await?;
        let known = unit.users().by_id(id).await?.is_some();
        let grants = unit.users().grants(id).await?;
        unit.rollback().await?;
        if !known {
            return Err(Error::not_found("user"));
        }
        let resource = Resource::user(tenant, id).with_grants(grants);
        self.0.authorise(caller, action, &resource)?;
        Ok(resource)
    }

    /// The same once more while the user's row is held: somebody may have been
    /// granted more since. Answers what the user is granted.
    pub(super) async fn still_allowed(
        &self,
        caller: &Caller,
        action: &str,
        unit: &mut dyn UnitOfWork,
        (tenant, id): (TenantId, UserId),
    ) -> Result<Vec<Grant>> {
        let grants = unit.users().grants(id).await?;
        let resource = Resource::user(tenant, id).with_grants(grants.clone());
        self.0.authorise(caller, action, &resource)?;
        Ok(grants)
    }
}

/// What a new account begins with.
#[derive(Clone, Copy)]
enum First<'a> {
    Nothing,
    Password(&'a Secret),
    Invitation,
}

pub(super) fn refuse_self(caller: &Caller, tenant: TenantId, id: UserId, verb: &str) -> Result<()> {
    let own = caller
        .signed_in()
        .is_some_and(|user| (user.tenant, user.user) == (tenant, id));
    if own {
        return Err(Error::refused(format!("nobody {verb} the own account")));
    }
    Ok(())
}

fn patched(old: &User, patch: UserPatch) -> User {
    let mut new = old.clone();
    new.user_name = patch.user_name.unwrap_or(new.user_name);
    new.display_name = patch.display_name.unwrap_or(new.display_name);
    new.status = patch.status.unwrap_or(new.status);
    if let Some(email) = patch.email
        && email != new.email
    {
        new.email = email;
        new.email_verified = false;
    }
    new
}

/// The user with its row held, and the tenant's, so that what else is read of
/// them stays true.
pub(super) async fn held(
    unit: &mut dyn UnitOfWork,
    (tenant, id): (TenantId, UserId),
    version: Option<i64>,
) -> Result<User> {
    let tenant = unit.tenants().hold(tenant).await?;
    tenant.ok_or_else(|| Error::not_found("user"))?;
    unit.users().lock_row(id).await?;
    let user = unit.users().by_id(id).await?;
    let user = user.ok_or_else(|| Error::not_found("user"))?;
    if version.is_some_and(|version| version != user.version) {
        return Err(Error::stale("user"));
    }
    Ok(user)
}

async fn details(unit: &mut dyn UnitOfWork, id: UserId) -> Result<UserDetails> {
    let user = unit.users().by_id(id).await?;
    let user = user.ok_or_else(|| Error::not_found("user"))?;
    let grants = unit.users().grants(id).await?;
    Ok(UserDetails { user, grants })
}

/// Ends all of a user's sessions, and what could begin new ones.
pub(super) async fn end_all(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
) -> Result<u64> {
    let filter = SessionFilter {
        user: Some(user),
        ..SessionFilter::default()
    };
    super::forget_devices(platform, unit, user).await?;
    super::end_sessions(platform, unit, &filter, EndReason::Locked).await
}

pub(super) fn changed(tenant: TenantId, user: UserId) -> Change {
    Change {
        tenant,
        what: Changed::User(user),
    }
}

pub(super) fn taken_name() -> Error {
    Error::new(
        crate::ErrorKind::AlreadyExists,
        "this user name is already taken in the tenant",
    )
}

fn taken(error: Error) -> Error {
    match error.kind() {
        crate::ErrorKind::AlreadyExists => taken_name(),
        _ => error,
    }
}

/// 20 characters out of 32 that are not mistaken for one another: 100 bits. A
/// capital letter and a digit follow, since some rules demand every kind.
fn generated_password(platform: &Platform) -> Secret {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789L";
    const TAIL: &str = "-K7";
    let bytes = platform.environment().bytes::<20>();
    let mut text = String::with_capacity(23 + TAIL.len());
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            text.push('-');
        }
        if let Some(letter) = ALPHABET.get(usize::from(byte & 31)) {
            text.push(char::from(*letter));
        }
    }
    text.push_str(TAIL);
    Secret::new(text)
}
