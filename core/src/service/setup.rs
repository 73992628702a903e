//! The first administrator, made by a single-use link that the server prints.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Offers, apply_effects, enrol_secret};
use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Principal},
    environment::later,
    limits::Lanes,
    model::{
        ClientFacts, DisplayName, Grant, Tenant, TenantId, TenantName, User, UserId, UserName,
        UserStatus,
    },
    platform::AuditEventExt,
    provider::Effect,
    secret::{Secret, Token, TokenHash},
    storage::Scope,
};

const NAME: &str = "set_up";
/// A link that nobody followed for a day is dead; a restart prints a new one.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum State {
    Pending {
        token: TokenHash,
        expires_at: Timestamp,
    },
    Done {},
}

/// The first administrator.
#[derive(Debug, Clone, Copy)]
pub struct SetUp<'a>(&'a Platform);

/// Who the first administrator shall be.
#[derive(Debug, Clone)]
pub struct FirstAdministrator {
    /// The token of the set-up link.
    pub token: Secret,
    /// The name of the first tenant.
    pub tenant: TenantName,
    /// The administrator's name for signing in.
    pub user_name: UserName,
    /// The administrator's password.
    pub password: Secret,
}

impl<'a> SetUp<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// A new token for the set-up link, as long as nobody was made
    /// administrator by one; older tokens die.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn prepare(&self) -> Result<Option<Token>> {
        let token = Token::generate(self.0.environment());
        let pending = State::Pending {
            token: token.hash(),
            expires_at: later(self.0.now(), LIFETIME),
        };
        let is_pending = self.settle(&pending).await?;
        Ok(is_pending.then_some(token))
    }

    /// Declares the set-up done without a link, for an installation whose first
    /// administrator is made by the command line or as sample data.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn skip(&self) -> Result<()> {
        self.settle(&State::Done {}).await.map(|_| ())
    }

    /// Stores the state, unless the set-up is done; answers whether it was not.
    /// Of servers that start at once, all get their turn.
    async fn settle(&self, state: &State) -> Result<bool> {
        const TURNS: u32 = 20;
        for turn in 1.. {
            match self.try_settle(state).await {
                Err(error) if error.kind() == ErrorKind::Conflict && turn < TURNS => {}
                settled => return settled,
            }
        }
        Err(Error::internal("there is always a next turn"))
    }

    async fn try_settle(&self, state: &State) -> Result<bool> {
        let mut unit = self.0.write(Scope::Platform).await?;
        let stored = unit.installation().value(NAME).await?;
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        let stored = stored.map(|stored| parse(&stored.value)).transpose()?;
        if matches!(stored, Some(State::Done {})) {
            unit.rollback().await?;
            return Ok(false);
        }
        let value = encode(state)?;
        unit.installation().put(NAME, &value, version).await?;
        unit.commit().await?;
        Ok(true)
    }

    /// Whether a token would be accepted now. Nothing is used up.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it would not; what the storage says.
    pub async fn check(&self, token: &Secret) -> Result<()> {
        self.pending_version(token).await.map(|_| ())
    }

    async fn pending_version(&self, token: &Secret) -> Result<i64> {
        let mut unit = self.0.read(Scope::Platform).await?;
        let stored = unit.installation().value(NAME).await?;
        unit.rollback().await?;
        let stored = stored.ok_or_else(refused)?;
        match parse(&stored.value)? {
            State::Pending {
                token: hash,
                expires_at,
            } if hash.matches(&TokenHash::of(token.expose())) && self.0.now() < expires_at => {
                Ok(stored.version)
            }
            _ => Err(refused()),
        }
    }

    /// Makes the first tenant and its administrator, who administers the
    /// platform too. The token is used up by exactly one of racing calls.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a wrong, used or expired token;
    /// [`ErrorKind::Invalid`] for a password that is not good enough;
    /// [`ErrorKind::AlreadyExists`] for a taken tenant name;
    /// [`ErrorKind::Limited`] after too many wrong tokens.
    pub async fn complete(
        &self,
        new: FirstAdministrator,
        client: &ClientFacts,
    ) -> Result<(Tenant, User)> {
        let lanes = Lanes::network(client.network.as_deref());
        let mut unit = self.0.write(Scope::Platform).await?;
        lanes
            .reserve(unit.as_mut(), self.0.limits(), self.0.now())
            .await?;
        unit.commit().await?;

        let version = self.pending_version(&new.token).await?;
        // Whoever has the right token guesses nothing, however weak the password.
        let mut unit = self.0.write(Scope::Platform).await?;
        lanes.refund(unit.as_mut(), self.0.limits()).await?;
        unit.commit().await?;
        let (tenant, user) = self.first(&new)?;
        // It has no settings of its own yet.
        let offers = Offers::of(self.0, &tenant, self.0.default_settings().clone());
        let place = (&tenant, &offers);
        let (provider, effects) = enrol_secret(self.0, place, &user, &new.password).await?;
        let credential = (provider, effects);
        self.store(version, (&tenant, &user), &credential, client)
            .await?;
        Ok((tenant, user))
    }

    fn first(&self, new: &FirstAdministrator) -> Result<(Tenant, User)> {
        let now = self.0.now();
        let tenant = Tenant {
            id: TenantId::generate(self.0.environment()),
            display_name: DisplayName::new(new.tenant.as_str())?,
            name: new.tenant.clone(),
            master: None,
            lock: None,
            created_at: now,
            version: 1,
        };
        let user = User {
            id: UserId::generate(self.0.environment()),
            display_name: DisplayName::new(new.user_name.as_str())?,
            user_name: new.user_name.clone(),
            email: None,
            email_verified: false,
            status: UserStatus::Active,
            lock: None,
            must_change: None,
            credential_epoch: 1,
            created_at: now,
            version: 1,
        };
        Ok((tenant, user))
    }

    async fn store(
        &self,
        version: i64,
        (tenant, user): (&Tenant, &User),
        (provider, effects): &(crate::model::ProviderId, Vec<Effect>),
        client: &ClientFacts,
    ) -> Result<()> {
        let caller = Caller {
            principal: Principal::System,
            client: client.clone(),
        };
        let mut unit = self.0.write(Scope::Platform).await?;
        unit.installation()
            .put(NAME, &encode(&State::Done {})?, version)
            .await
            .map_err(|error| match error.kind() {
                ErrorKind::Conflict => refused(),
                _ => error,
            })?;
        unit.tenants().create(tenant).await?;
        unit.enter(tenant.id).await?;
        unit.users().create(user).await?;
        for grant in Grant::ALL {
            unit.users().set_grant(user.id, grant, true).await?;
        }
        let place = (tenant.id, Some(user.id));
        apply_effects(self.0, unit.as_mut(), provider, place, effects).await?;
        for (action, id) in [
            ("tenant.create", tenant.id.to_string()),
            ("user.create", user.id.to_string()),
        ] {
            let event = self.0.event(&caller, Some(tenant.id), action).about(id);
            let event = event.changing("by", None, Some("set_up_link".to_owned()));
            unit.audit().append(&event).await?;
        }
        self.0.commit(unit, &[]).await
    }
}

fn refused() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "this set-up link is wrong, used or expired; the server prints a new one when it starts",
    )
}

fn parse(value: &[u8]) -> Result<State> {
    serde_json::from_slice(value).map_err(|error| {
        Error::new(ErrorKind::Corrupt, "the set-up state cannot be read").because(error)
    })
}

fn encode(state: &State) -> Result<Vec<u8>> {
    serde_json::to_vec(state).map_err(|error| Error::internal("the set-up state").because(error))
}
