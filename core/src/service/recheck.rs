//! Asking third parties anew whether those may still come in whom they let in before.
//!
//! A link is due an hour after it was made, renewed or asked about, as long as its
//! connection gave something to ask with and its owner is signed in somewhere, or kept
//! signed in. Of several servers one asks: whoever notes it in the link first.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    ProviderCall, bar,
    identities::{KeptLink, MAX_KEEP, linked_users, open_link, reseal, third_parties},
    users::held,
};
use crate::{
    ErrorKind, Platform, Result,
    access::{Caller, Principal},
    environment::{later, span_between},
    model::{ClientFacts, Tenant, TenantId, User, UserId},
    provider::{Configured, Intent, Rechecked, State},
    secret::TokenHash,
    storage::{KeyOwner, Page, Record, Scope, SessionFilter, UnitOfWork},
};

/// After how long a third party is asked about somebody again.
const DUE: Duration = Duration::from_secs(60 * 60);
/// How long after the last round over all links began the next one does.
const ROUND: Duration = Duration::from_secs(5 * 60);
/// As many are asked about in one call.
const ASKED: usize = 20;
/// As many links are looked at in one call.
const LOOKED_AT: usize = 500;
const PIECE: u32 = 50;

/// How far this server has come with asking.
#[derive(Default)]
pub(crate) struct Rechecks(Mutex<Round>);

#[derive(Clone, Copy, Default)]
struct Round {
    begun: Option<Timestamp>,
    at: Option<Place>,
}

/// A connection, and the last of its links that was looked at.
#[derive(Clone, Copy, Default)]
struct Place {
    connection: usize,
    after: Option<(TokenHash, TenantId)>,
}

impl Rechecks {
    /// Where to go on, or to begin; `None` until the next round is due.
    fn next(&self, now: Timestamp) -> Option<Place> {
        let mut round = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if round.at.is_none() {
            let begun = round.begun.filter(|begun| *begun <= now);
            if begun.is_some_and(|begun| span_between(begun, now) < ROUND) {
                return None;
            }
            round.begun = Some(now);
        }
        Some(round.at.unwrap_or_default())
    }

    fn stop_at(&self, place: Option<Place>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).at = place;
    }
}

impl Platform {
    /// Asks third parties about some of those whom they let in, as far as that is due;
    /// answers whether there may be more to do at once. Sessions and devices of whom
    /// they bar end. The server calls this every minute; several servers may do it at
    /// once.
    ///
    /// # Errors
    /// What the storage says. A third party that gives no answer is asked again an hour
    /// later, and nobody is barred for that.
    pub async fn recheck_identities(&self) -> Result<bool> {
        let Some(place) = self.rechecks().next(self.now()) else {
            return Ok(false);
        };
        let mut walk = Walk {
            platform: self,
            place,
            asked: 0,
            looked_at: 0,
        };
        let walked = walk.go_on().await;
        // Also after an error: what it was at comes again in the next round.
        let is_over = matches!(walked, Ok(true));
        self.rechecks().stop_at((!is_over).then_some(walk.place));
        walked.map(|is_over| !is_over)
    }
}

/// One call's way over the links.
struct Walk<'a> {
    platform: &'a Platform,
    place: Place,
    asked: usize,
    looked_at: usize,
}

/// What became of a link that was looked at.
enum Looked {
    NotDue,
    Asked,
    /// The third party gave no answer.
    Silent,
}

impl Walk<'_> {
    /// Goes on until it has done enough, or has been everywhere: then it is over.
    async fn go_on(&mut self) -> Result<bool> {
        let connections: Vec<_> = third_parties(self.platform).collect();
        while let Some(connection) = connections.get(self.place.connection) {
            if !self.look_at(connection).await? {
                return Ok(false);
            }
            self.place = Place {
                connection: self.place.connection + 1,
                after: None,
            };
        }
        Ok(true)
    }

    /// Looks at the links of a connection; answers whether it is done with them.
    async fn look_at(&mut self, connection: &Configured) -> Result<bool> {
        loop {
            let page = Page {
                after: self.place.after,
                limit: PIECE,
            };
            let mut unit = self.platform.read(Scope::Platform).await?;
            let links = unit.records().keyed(&connection.id, page).await?;
            unit.rollback().await?;
            for link in &links {
                if self.asked >= ASKED || self.looked_at >= LOOKED_AT {
                    return Ok(false);
                }
                self.place.after = Some((link.key, link.tenant));
                self.looked_at += 1;
                match recheck(self.platform, connection, link).await? {
                    Looked::NotDue => {}
                    Looked::Asked => self.asked += 1,
                    // It would be waited for once more for each of its people.
                    Looked::Silent => return Ok(true),
                }
            }
            if links.len() < PIECE as usize {
                return Ok(true);
            }
        }
    }
}

/// Asks about one link, if that is due. No unit of work is open meanwhile.
async fn recheck(platform: &Platform, connection: &Configured, link: &KeyOwner) -> Result<Looked> {
    let Some(third_party) = connection.third_party() else {
        return Ok(Looked::NotDue);
    };
    let Some(due) = Due::find(platform, connection, link).await? else {
        return Ok(Looked::NotDue);
    };
    let Some(due) = due.claim(platform).await? else {
        return Ok(Looked::NotDue);
    };
    let call = ProviderCall::new(platform, &connection.id, Intent::SignIn)
        .in_tenant(Some(&due.tenant))
        .of_user(&due.user);
    match third_party.recheck(&call.context(), &due.kept.keep).await {
        Ok(Rechecked::Welcome { keep }) if keep.0.len() > MAX_KEEP => {
            tracing::error!(connection = %connection.id, "a third party wants too much kept");
        }
        Ok(Rechecked::Welcome { keep }) => due.keep(platform, keep).await?,
        Ok(Rechecked::Barred { reason }) => due.bar(platform, &reason).await?,
        Ok(Rechecked::Unknown {}) => {}
        Err(error) => {
            tracing::warn!(connection = %connection.id, ?error, "a third party gives no answer");
            return Ok(Looked::Silent);
        }
    }
    Ok(Looked::Asked)
}

/// A link that is to be asked about.
struct Due {
    tenant: Tenant,
    user: User,
    record: Record,
    kept: KeptLink,
}

impl Due {
    async fn find(
        platform: &Platform,
        connection: &Configured,
        link: &KeyOwner,
    ) -> Result<Option<Self>> {
        let scope = Scope::Tenant(link.tenant);
        let mut unit = platform.read(scope).await?;
        let record = unit.records().by_key(&connection.id, &link.key).await?;
        unit.rollback().await?;
        let Some(record) = record.filter(|record| record.user == Some(link.user)) else {
            return Ok(None);
        };
        let kept = open_link(platform, link.tenant, &record).await?;
        let since = kept.checked_at.unwrap_or(record.created_at);
        if kept.keep.0.is_empty() || platform.now() < later(since, DUE) {
            return Ok(None);
        }
        let mut unit = platform.read(scope).await?;
        let found = unit.tenants().by_id(link.tenant).await?;
        let found = found.zip(unit.users().by_id(link.user).await?);
        let is_in = is_signed_in(platform, unit.as_mut(), link.user).await?;
        unit.rollback().await?;
        Ok(found.filter(|_| is_in).map(|(tenant, user)| Self {
            tenant,
            user,
            record,
            kept,
        }))
    }

    /// Notes that it is asked about now; `None` when another server does, or the link
    /// was renewed or removed meanwhile.
    async fn claim(mut self, platform: &Platform) -> Result<Option<Self>> {
        self.kept.checked_at = Some(platform.now());
        let record = self.record.clone();
        let stored = self.store(platform, |stored| stored.version == record.version);
        let stored = stored.await?;
        Ok(stored.map(|record| Self { record, ..self }))
    }

    /// Stores what the third party gave anew, unless a sign-in brought newer meanwhile.
    async fn keep(mut self, platform: &Platform, keep: State) -> Result<()> {
        if keep == self.kept.keep {
            return Ok(());
        }
        self.kept.keep = keep;
        let sealed = self.record.sealed.clone();
        let stored = self.store(platform, |stored| stored.sealed == sealed);
        stored.await.map(drop)
    }

    /// Stores what is kept, if the link is still as it has to be. Its owner's row is
    /// held as in a sign-in, so that neither fails by the other.
    async fn store(
        &self,
        platform: &Platform,
        is_right: impl Fn(&Record) -> bool + Send,
    ) -> Result<Option<Record>> {
        let (tenant, id) = (self.tenant.id, self.record.id);
        let mut unit = platform.write(Scope::Tenant(tenant)).await?;
        match held(unit.as_mut(), (tenant, self.user.id), None).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                unit.rollback().await?;
                return Ok(None);
            }
            held => held?,
        };
        let stored = unit.records().by_id(&self.record.provider, id).await?;
        let Some(stored) = stored.filter(|stored| is_right(stored)) else {
            unit.rollback().await?;
            return Ok(None);
        };
        let kept = reseal(platform, tenant, &stored, &self.kept)?;
        let stored = unit.records().update(&kept).await?;
        unit.commit().await?;
        Ok(Some(stored))
    }

    /// Ends what the identity let in, wherever that is, and asks no more until it comes
    /// again: there is nothing left to ask with.
    async fn bar(self, platform: &Platform, reason: &str) -> Result<()> {
        let caller = Caller {
            principal: Principal::System,
            client: ClientFacts::default(),
        };
        let reason = crate::engine::plain_reason(reason);
        let identity = &self.kept.identity;
        let users: Vec<(TenantId, UserId)> = linked_users(platform, identity, None).await?;
        bar(platform, &caller, &users, &self.record.provider, reason).await?;
        self.keep(platform, State::default()).await
    }
}

/// Whether somebody has a valid session, or is kept signed in on a device. The unit is
/// their tenant's.
async fn is_signed_in(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
) -> Result<bool> {
    let now = platform.now();
    let valid = SessionFilter {
        user: Some(user),
        valid_at: Some(now),
        ..SessionFilter::default()
    };
    if unit.sessions().count(&valid).await? > 0 {
        return Ok(true);
    }
    for configured in platform.providers().providers() {
        if !configured.description.silent {
            continue;
        }
        let devices = unit.records().by_user(&configured.id, user).await?;
        if devices.iter().any(|device| !device.is_expired_at(now)) {
            return Ok(true);
        }
    }
    Ok(false)
}
