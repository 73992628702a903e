//! The platform: everything that the services and the sign-in engine share.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    Environment, Error, ErrorKind, Origins, Result,
    access::{Caller, Decide, FixedGrants, Principal, Request, Resource},
    engine::SignIn,
    environment::earlier,
    limits::LimitPolicy,
    messages::Messages,
    model::{
        Actor, AuditEvent, AuditEventId, EffectiveSettings, FieldChange, Outcome, Tenant, TenantId,
        User,
    },
    provider::{Outbound, Registry},
    seal::{KeyRing, MasterKey, SealContext},
    service::{
        Accounts, Applications, AuditLog, Backups, Connections, Entries, Rechecks, Sessions, SetUp,
        Tenants, Users,
    },
    session_table::SessionTable,
    storage::{Change, FeedEvent, Mode, Page, Scope, Storage, UnitOfWork},
    tokens::{KeyPolicy, OpenKeys, Tokens},
};
use jiff::Timestamp;

/// What a platform is made of.
pub struct Parts {
    /// Where everything is kept.
    pub storage: Arc<dyn Storage>,
    /// Clock and randomness.
    pub environment: Environment,
    /// What wraps the data keys.
    pub master_key: MasterKey,
    /// The ways to sign in, in the order in which they are offered.
    pub providers: Registry,
    /// The settings of tenants that have none of their own.
    pub settings: EffectiveSettings,
    /// How many wrong answers are allowed.
    pub limits: LimitPolicy,
    /// How messages are sent to people.
    pub messages: Messages,
    /// How third parties are asked.
    pub outbound: Arc<dyn Outbound>,
    /// The server's origin, and those of its tenants.
    pub origins: Origins,
    /// How many sessions are held in memory.
    pub session_memory: usize,
    /// How keys that sign tokens are made and replaced.
    pub key_policy: KeyPolicy,
}

/// The platform; cheap to clone.
#[derive(Clone)]
pub struct Platform(Arc<Inner>);

struct Inner {
    storage: Arc<dyn Storage>,
    environment: Environment,
    keys: KeyRing,
    providers: Registry,
    settings: EffectiveSettings,
    limits: LimitPolicy,
    messages: Messages,
    outbound: Arc<dyn Outbound>,
    origins: Origins,
    /// The server's origin as tokens name it.
    issuer: String,
    key_policy: KeyPolicy,
    open_keys: OpenKeys,
    decide: Box<dyn Decide>,
    sessions: SessionTable,
    flow_starts: crate::engine::FlowStarts,
    /// The tenant whose expired records were removed last.
    tidied: Mutex<Option<TenantId>>,
    rechecks: Rechecks,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Platform")
    }
}

impl Platform {
    /// Opens the platform: reads the data keys, and makes them at first start.
    ///
    /// # Errors
    /// What the storage says, [`ErrorKind::Corrupt`] for a wrong master key, and
    /// [`ErrorKind::Refused`] for a storage into which a copy or a restore was
    /// not finished.
    pub async fn open(parts: Parts) -> Result<Self> {
        crate::archive::ensure_whole(parts.storage.as_ref()).await?;
        let keys = KeyRing::open(
            parts.storage.as_ref(),
            parts.environment.clone(),
            parts.master_key,
        )
        .await?;
        Ok(Self(Arc::new(Inner {
            storage: parts.storage,
            environment: parts.environment,
            keys,
            providers: parts.providers,
            settings: parts.settings,
            flow_starts: crate::engine::FlowStarts::new(parts.limits.flows_per_minute),
            limits: parts.limits,
            messages: parts.messages,
            outbound: parts.outbound,
            issuer: parts.origins.server().origin().ascii_serialization(),
            origins: parts.origins,
            key_policy: parts.key_policy,
            open_keys: OpenKeys::default(),
            decide: Box::new(FixedGrants),
            sessions: SessionTable::new(parts.session_memory),
            tidied: Mutex::default(),
            rechecks: Rechecks::default(),
        })))
    }

    /// The first administrator.
    pub fn set_up(&self) -> SetUp<'_> {
        SetUp::new(self)
    }

    /// Signing in, signing up, changing credentials.
    pub fn sign_in(&self) -> SignIn<'_> {
        SignIn::new(self)
    }

    /// Tenants.
    pub fn tenants(&self) -> Tenants<'_> {
        Tenants::new(self)
    }

    /// Users of a tenant.
    pub fn users(&self) -> Users<'_> {
        Users::new(self)
    }

    /// Registered applications.
    pub fn applications(&self) -> Applications<'_> {
        Applications::new(self)
    }

    /// Entries into applications on other hosts.
    pub fn entries(&self) -> Entries<'_> {
        Entries::new(self)
    }

    /// Signed tokens and their keys.
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens::new(self)
    }

    /// Sessions.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions::new(self)
    }

    /// One's own account.
    pub fn accounts(&self) -> Accounts<'_> {
        Accounts::new(self)
    }

    /// Connections to third parties.
    pub fn connections(&self) -> Connections<'_> {
        Connections::new(self)
    }

    /// The audit log.
    pub fn audit_log(&self) -> AuditLog<'_> {
        AuditLog::new(self)
    }

    /// Backups that are made.
    pub fn backups(&self) -> Backups<'_> {
        Backups::new(self)
    }

    /// Where everything is kept.
    pub fn storage(&self) -> &dyn Storage {
        self.0.storage.as_ref()
    }

    /// The ways to sign in.
    pub fn providers(&self) -> &Registry {
        &self.0.providers
    }

    /// Clock and randomness.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// The data keys.
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// Opens a sealed value, also one that another server sealed under a key
    /// that it has just made. No unit of work may be open meanwhile.
    ///
    /// # Errors
    /// As [`KeyRing::learn`] and [`KeyRing::open_sealed`].
    pub async fn open_sealed(&self, context: &SealContext<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        self.keys().learn(self.storage(), sealed).await?;
        self.keys().open_sealed(context, sealed)
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.0.environment.now()
    }

    pub(crate) fn default_settings(&self) -> &EffectiveSettings {
        &self.0.settings
    }

    pub(crate) fn limits(&self) -> &LimitPolicy {
        &self.0.limits
    }

    pub(crate) fn messages(&self) -> &Messages {
        &self.0.messages
    }

    pub(crate) fn outbound(&self) -> &dyn Outbound {
        self.0.outbound.as_ref()
    }

    /// The server's origin, and those of its tenants.
    pub fn origins(&self) -> &Origins {
        &self.0.origins
    }

    /// The issuer of this server's tokens: its origin, without a slash at the end.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    pub(crate) fn key_policy(&self) -> &KeyPolicy {
        &self.0.key_policy
    }

    pub(crate) fn open_keys(&self) -> &OpenKeys {
        &self.0.open_keys
    }

    pub(crate) fn table(&self) -> &SessionTable {
        &self.0.sessions
    }

    pub(crate) fn rechecks(&self) -> &Rechecks {
        &self.0.rechecks
    }

    pub(crate) fn flow_starts(&self) -> &crate::engine::FlowStarts {
        &self.0.flow_starts
    }

    pub(crate) async fn read(&self, scope: Scope) -> Result<Box<dyn UnitOfWork>> {
        self.0.storage.begin(scope, Mode::Read).await
    }

    pub(crate) async fn write(&self, scope: Scope) -> Result<Box<dyn UnitOfWork>> {
        self.0.storage.begin(scope, Mode::Write).await
    }

    /// Commits, and then lets this node's memory forget what changed: when the
    /// answer is sent, the change is in force here.
    pub(crate) async fn commit(
        &self,
        mut unit: Box<dyn UnitOfWork>,
        changes: &[Change],
    ) -> Result<()> {
        for change in changes {
            unit.announce(*change).await?;
        }
        let committed = unit.commit().await;
        // Also when the outcome is unknown: forgetting too much costs a read.
        for change in changes {
            self.table().apply(change);
        }
        committed
    }

    /// Follows the storage's change feed until it breaks. The server runs this
    /// for as long as it serves, and starts it again after a short pause.
    ///
    /// # Errors
    /// Whatever broke the feed.
    pub async fn follow_changes(&self) -> Result<()> {
        let table = self.table();
        let mut feed = self.storage().changes().await?;
        // What was committed before the feed began was not delivered.
        table.forget_all();
        loop {
            let event = feed.next().await.inspect_err(|_| table.forget_all())?;
            match event {
                // They may have waited here: only a confirmation is fresh.
                FeedEvent::Changes(changes) => changes.iter().for_each(|c| table.apply(c)),
                FeedEvent::Confirmed => table.confirm(self.environment()),
                FeedEvent::Lost => table.forget_all(),
            }
        }
    }

    /// Stores the activity of sessions noted since the last call. The server
    /// calls this every few seconds, and once before it stops.
    ///
    /// # Errors
    /// What the storage says; the activity is kept for the next call.
    pub async fn flush_activity(&self) -> Result<()> {
        let touches = self.table().take_touched();
        if touches.is_empty() {
            return Ok(());
        }
        let stored = async {
            let mut unit = self.write(Scope::Platform).await?;
            unit.sessions().touch(&touches).await?;
            unit.commit().await
        }
        .await;
        stored.inspect_err(|_| self.table().give_back(touches))
    }

    /// Removes what has expired, a piece of each kind; answers whether there may
    /// be more. Learns keys that other servers made. The server calls this every
    /// minute; several servers may do it at once.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn tidy(&self) -> Result<bool> {
        const PIECE: u32 = 500;
        // Other nodes store the activity of their sessions within this time.
        const GRACE: Duration = Duration::from_secs(30);
        self.flush_activity().await?;
        self.keys().reload(self.storage()).await?;
        let now = self.now();
        // One unit for each kind: nobody waits for long.
        let mut unit = self.write(Scope::Platform).await?;
        let flows = unit.flows().delete_expired(now, PIECE).await?;
        unit.commit().await?;
        let mut unit = self.write(Scope::Platform).await?;
        let limits = unit.limits().delete_expired(now, PIECE).await?;
        unit.commit().await?;
        let mut unit = self.write(Scope::Platform).await?;
        let sessions = unit.sessions();
        let sessions = sessions.end_timed_out(earlier(now, GRACE), PIECE).await?;
        unit.commit().await?;
        let messages = self.forget_messages(PIECE).await?;
        let records = self.forget_records(PIECE).await?;
        let full = u64::from(PIECE);
        Ok([flows, limits, sessions, messages, records]
            .into_iter()
            .any(|removed| removed >= full))
    }

    /// Removes the providers' records that have been expired for a day, a piece of
    /// each of the next few tenants; answers the most that it removed of one.
    async fn forget_records(&self, piece: u32) -> Result<u64> {
        const TENANTS: u32 = 50;
        // So long a provider can tell that something has expired from that it never was.
        const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
        let after = *self.0.tidied.lock().unwrap_or_else(PoisonError::into_inner);
        let page = Page {
            after,
            limit: TENANTS,
        };
        let mut unit = self.read(Scope::Platform).await?;
        let tenants = unit.tenants().list(None, page).await?;
        unit.rollback().await?;
        let before = earlier(self.now(), KEPT);
        let mut most = 0;
        for tenant in &tenants {
            let mut unit = self.write(Scope::Tenant(tenant.id)).await?;
            most = most.max(unit.records().delete_expired(before, piece).await?);
            unit.commit().await?;
        }
        // Those come again in the next minute that had too many.
        if most < u64::from(piece) {
            let is_last = tenants.len() < TENANTS as usize;
            let next = tenants.last().map(|tenant| tenant.id).filter(|_| !is_last);
            *self.0.tidied.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
        Ok(most)
    }

    /// Asks the decision engine; see [`Platform::authorise`] for who gets what error.
    pub fn may(&self, caller: &Caller, action: &str, resource: &Resource) -> bool {
        let request = Request {
            principal: &caller.principal,
            action,
            resource,
        };
        self.0.decide.decide(&request).allow
    }

    /// Lets the caller pass or not.
    ///
    /// # Errors
    /// * [`ErrorKind::Unauthenticated`] for somebody who is not signed in.
    /// * [`ErrorKind::NotFound`] for something in another tenant than one's own,
    ///   the same as for something that does not exist.
    /// * [`ErrorKind::Denied`] else.
    pub fn authorise(&self, caller: &Caller, action: &str, resource: &Resource) -> Result<()> {
        if self.may(caller, action, resource) {
            return Ok(());
        }
        match (&caller.principal, resource.tenant) {
            (Principal::Anonymous, _) => {
                Err(Error::new(ErrorKind::Unauthenticated, "sign in first"))
            }
            (Principal::User(user), Some(tenant)) if user.tenant != tenant => {
                Err(Error::not_found("tenant"))
            }
            _ => {
                tracing::info!(action, "denied");
                Err(Error::new(
                    ErrorKind::Denied,
                    format!("this account may not do `{action}` here"),
                ))
            }
        }
    }

    /// An audit entry by this caller.
    pub(crate) fn event(
        &self,
        caller: &Caller,
        tenant: Option<TenantId>,
        action: &str,
    ) -> AuditEvent {
        let actor = match &caller.principal {
            Principal::Anonymous => Actor::Anonymous,
            Principal::User(user) => Actor::User {
                tenant: user.tenant,
                id: user.user,
            },
            Principal::Operator => Actor::Operator,
            Principal::System => Actor::System,
        };
        let kind = action.split('.').next().unwrap_or(action);
        AuditEvent {
            id: AuditEventId::generate(self.environment()),
            at: self.now(),
            tenant,
            actor,
            action: action.to_owned(),
            object_kind: kind.to_owned(),
            object_id: None,
            outcome: Outcome::Success,
            reason: None,
            changes: Vec::new(),
            client: caller.client.clone(),
        }
    }

    /// The settings in force for the tenant of this unit.
    pub(crate) async fn effective_settings(
        &self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
    ) -> Result<EffectiveSettings> {
        let ancestors = unit.tenants().ancestors(tenant).await?;
        self.settings_below(unit, tenant, &ancestors).await
    }

    /// The settings that a tenant without own ones has, in a unit of it.
    pub(crate) async fn inherited_settings(
        &self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
    ) -> Result<EffectiveSettings> {
        let ancestors = unit.tenants().ancestors(tenant).await?;
        match ancestors.split_first() {
            Some((master, above)) => self.settings_below(unit, master.id, above).await,
            None => Ok(self.default_settings().clone()),
        }
    }

    /// The same, for who knows the tenant's ancestors already.
    pub(crate) async fn settings_below(
        &self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
        ancestors: &[Tenant],
    ) -> Result<EffectiveSettings> {
        let line = ancestors.iter().rev().map(|ancestor| ancestor.id);
        let mut settings = self.default_settings().clone();
        for tenant in line.chain([tenant]) {
            let (own, _) = unit.tenants().settings(tenant).await?;
            settings = settings.overridden_by(&own);
        }
        Ok(settings)
    }
}

/// Adds what an entry is about.
pub(crate) trait AuditEventExt {
    fn about(self, id: impl ToString) -> Self;
    fn changing(self, field: &str, old: Option<String>, new: Option<String>) -> Self;
    fn refused(self, reason: &str) -> Self;
}

impl AuditEventExt for AuditEvent {
    fn about(mut self, id: impl ToString) -> Self {
        self.object_id = Some(id.to_string());
        self
    }

    fn changing(mut self, field: &str, old: Option<String>, new: Option<String>) -> Self {
        if old != new {
            self.changes.push(FieldChange {
                field: field.to_owned(),
                old,
                new,
            });
        }
        self
    }

    fn refused(mut self, reason: &str) -> Self {
        self.outcome = Outcome::Refused;
        self.reason = Some(reason.to_owned());
        self
    }
}

/// Whether a user may sign in now, and why not: a word for the audit log.
pub(crate) async fn sign_in_obstacle(
    unit: &mut dyn UnitOfWork,
    tenant: &Tenant,
    user: &User,
    now: Timestamp,
) -> Result<Option<&'static str>> {
    let ancestors = unit.tenants().ancestors(tenant.id).await?;
    Ok(obstacle_below(tenant, &ancestors, user, now))
}

/// The same, for who knows the tenant's ancestors already.
pub(crate) fn obstacle_below(
    tenant: &Tenant,
    ancestors: &[Tenant],
    user: &User,
    now: Timestamp,
) -> Option<&'static str> {
    let cascaded = ancestors
        .iter()
        .filter_map(|ancestor| ancestor.lock.as_ref())
        .any(|lock| lock.cascade && lock.holds_at(now));
    if cascaded || tenant.is_locked_at(now) {
        Some("tenant_locked")
    } else if user.is_locked_at(now) {
        Some("user_locked")
    } else if !user.may_sign_in_at(now) {
        Some("user_deactivated")
    } else {
        None
    }
}
