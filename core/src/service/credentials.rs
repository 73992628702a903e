//! Calling providers: what they are told, what they may ask, and how their
//! effects are applied.

use async_trait::async_trait;
use url::Url;
use uuid::Uuid;

use super::Offers;
use crate::{
    Error, ErrorKind, Platform, Result, messages,
    model::{ClientFacts, ProviderId, RecordId, Tenant, TenantId, User, UserId},
    provider::{
        Answer, Context, Effect, Facts, FieldError, HttpRequest, HttpResponse, Intent, KeptRecord,
        NewRecord, PastProof, RecordOwner, Role, Services, State, Step, Strength, Subject,
        TenantFacts,
    },
    seal::SealContext,
    secret::{Secret, TokenHash},
    storage::{Record, Scope, UnitOfWork},
};

const MAX_DATA: usize = 60 * 1024;
const RECORD: &str = "record";

/// The relying party id of WebAuthn that goes with an origin.
fn rp_id(origin: &Url) -> String {
    origin.host_str().unwrap_or("localhost").to_owned()
}

/// One call of a provider: what it is told and may ask.
pub(crate) struct ProviderCall<'a> {
    platform: &'a Platform,
    pub(crate) facts: Facts,
    /// Whether the subject is a user that exists.
    real_subject: bool,
}

impl<'a> ProviderCall<'a> {
    pub(crate) fn new(platform: &'a Platform, provider: &ProviderId, intent: Intent) -> Self {
        let origin = platform.origins().server().clone();
        Self {
            platform,
            real_subject: false,
            facts: Facts {
                provider: provider.clone(),
                intent,
                tenant: None,
                subject: None,
                proofs: Vec::new(),
                demanded: Strength::OneFactor,
                now: platform.now(),
                rp_id: rp_id(&origin),
                callback: None,
                origin,
                oauth_state: None,
                channels: platform.channels(),
                locale: messages::LOCALE.to_owned(),
                client: ClientFacts::default(),
            },
        }
    }

    pub(crate) fn in_tenant(mut self, tenant: Option<&Tenant>) -> Self {
        if let Some(tenant) = tenant {
            self.facts.origin = self.platform.origins().of(&tenant.name);
            self.facts.rp_id = rp_id(&self.facts.origin);
        }
        self.facts.tenant = tenant.map(|tenant| TenantFacts {
            id: tenant.id,
            name: tenant.name.to_string(),
            display_name: tenant.display_name.to_string(),
        });
        self
    }

    /// A user that exists, or is about to.
    pub(crate) fn of_user(mut self, user: &User) -> Self {
        self.real_subject = true;
        self.facts.subject = Some(Subject {
            id: user.id,
            user_name: user.user_name.to_string(),
            display_name: user.display_name.to_string(),
            email: user.email.as_ref().map(ToString::to_string),
            email_verified: user.email_verified,
        });
        self
    }

    /// A stand-in for a name that nobody has.
    pub(crate) fn of_decoy(mut self, id: UserId, typed: &str) -> Self {
        self.real_subject = false;
        self.facts.subject = Some(Subject {
            id,
            user_name: typed.to_owned(),
            display_name: typed.to_owned(),
            email: None,
            email_verified: false,
        });
        self
    }

    pub(crate) fn after(mut self, proofs: Vec<PastProof>) -> Self {
        self.facts.proofs = proofs;
        self
    }

    pub(crate) fn by_client(mut self, client: &ClientFacts) -> Self {
        self.facts.client = client.clone();
        self
    }

    /// With a callback, and the `state` parameter that finds the flow again.
    pub(crate) fn with_callback(mut self, oauth_state: &str) -> Self {
        self.facts.callback = self.platform.origins().callback(&self.facts.provider);
        self.facts.oauth_state = Some(oauth_state.to_owned());
        self
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            facts: &self.facts,
            services: self,
        }
    }

    fn tenant(&self) -> Option<TenantId> {
        self.facts.tenant.as_ref().map(|tenant| tenant.id)
    }

    async fn open(&self, tenant: TenantId, record: &Record) -> Result<KeptRecord> {
        let data = open_record(self.platform, tenant, record).await?;
        Ok(KeptRecord {
            id: record.id,
            user: record.user,
            label: record.label.clone(),
            created_at: record.created_at,
            expires_at: record.expires_at,
            version: record.version,
            data: State(data),
        })
    }
}

#[async_trait]
impl Services for ProviderCall<'_> {
    fn random(&self, bytes: &mut [u8]) {
        self.platform.environment().fill(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        let (Some(tenant), Some(subject)) = (self.tenant(), &self.facts.subject) else {
            return Ok(Vec::new());
        };
        // A decoy is looked up like any other, so that the work is the same.
        let mut unit = self.platform.read(Scope::Tenant(tenant)).await?;
        let records = unit
            .records()
            .by_user(&self.facts.provider, subject.id)
            .await?;
        unit.rollback().await?;
        let mut kept = Vec::new();
        for record in records {
            if self.real_subject && !record.is_expired_at(self.facts.now) {
                kept.push(self.open(tenant, &record).await?);
            }
        }
        Ok(kept)
    }

    async fn record_by_key(&self, key: &str) -> Result<Option<KeptRecord>> {
        let Some(tenant) = self.tenant() else {
            return Ok(None);
        };
        let mut unit = self.platform.read(Scope::Tenant(tenant)).await?;
        let record = unit
            .records()
            .by_key(&self.facts.provider, &TokenHash::of(key))
            .await?;
        unit.rollback().await?;
        match record.filter(|record| !record.is_expired_at(self.facts.now)) {
            Some(record) => self.open(tenant, &record).await.map(Some),
            None => Ok(None),
        }
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.platform.outbound().fetch(request).await
    }
}

/// Removes the links that a user has not opened yet: what they were made for has
/// changed. Those of the provider that made the change stay as it left them.
pub(crate) async fn forget_links(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    user: UserId,
    changed_by: Option<&ProviderId>,
) -> Result<()> {
    for configured in platform.providers().providers() {
        let changed = changed_by == Some(&configured.id);
        if !changed && !configured.description.links.is_empty() {
            unit.records().delete_by_user(&configured.id, user).await?;
        }
    }
    Ok(())
}

/// Whether effects were not applied because what they refer to is gone.
pub(crate) fn is_lost_effect(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::AlreadyExists
    )
}

/// Applies a provider's effects in a unit of the tenant.
///
/// # Errors
/// For which [`is_lost_effect`] holds: the turn counts as refused.
pub(crate) async fn apply_effects(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    provider: &ProviderId,
    (tenant, subject): (TenantId, Option<UserId>),
    effects: &[Effect],
) -> Result<()> {
    for effect in effects {
        match effect {
            Effect::UseUp { record, version } => {
                unit.records().delete(provider, *record, *version).await?;
            }
            Effect::Put { record } => {
                let id = RecordId::generate(platform.environment());
                let record = new_record(platform, provider, (tenant, subject), id, record)?;
                if let Some(key) = &record.key {
                    give_way(platform, unit, provider, key).await?;
                }
                unit.records().create(&record).await?;
            }
            Effect::Replace {
                record,
                version,
                with,
            } => {
                let stored = unit.records().by_id(provider, *record).await?;
                let stored = stored.ok_or_else(|| Error::not_found("record"))?;
                let new = new_record(platform, provider, (tenant, subject), *record, with)?;
                let replaced = Record {
                    user: stored.user,
                    key: stored.key,
                    created_at: stored.created_at,
                    version: *version,
                    ..new
                };
                unit.records().update(&replaced).await?;
            }
            Effect::Remove { record } => {
                if let Some(stored) = unit.records().by_id(provider, *record).await? {
                    unit.records()
                        .delete(provider, *record, stored.version)
                        .await?;
                }
            }
            Effect::Send { message } => {
                let user =
                    subject.ok_or_else(|| Error::internal("a message to nobody in particular"))?;
                messages::add(platform, unit, (tenant, user), message).await?;
            }
        }
    }
    Ok(())
}

/// What has expired is not there, so it holds no key either.
async fn give_way(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    provider: &ProviderId,
    key: &TokenHash,
) -> Result<()> {
    match unit.records().by_key(provider, key).await? {
        Some(old) if old.is_expired_at(platform.now()) => {
            unit.records().delete(provider, old.id, old.version).await
        }
        _ => Ok(()),
    }
}

fn new_record(
    platform: &Platform,
    provider: &ProviderId,
    (tenant, subject): (TenantId, Option<UserId>),
    id: RecordId,
    new: &NewRecord,
) -> Result<Record> {
    let user = match new.owner {
        RecordOwner::Nobody => None,
        RecordOwner::Subject => {
            Some(subject.ok_or_else(|| Error::internal("a record of nobody in particular"))?)
        }
    };
    if new.data.0.len() > MAX_DATA || new.label.chars().count() > 100 {
        return Err(Error::internal(format!(
            "the provider `{provider}` wants to keep too much in one record"
        )));
    }
    let sealed = seal_record(platform, tenant, provider, id, &new.data.0)?;
    Ok(Record {
        id,
        provider: provider.clone(),
        user,
        key: new.key.as_ref().map(|key| TokenHash::of(key.expose())),
        label: new.label.clone(),
        expires_at: new.expires_at,
        created_at: platform.now(),
        version: 1,
        sealed,
    })
}

/// A record's bytes, sealed for where it stands.
pub(super) fn seal_record(
    platform: &Platform,
    tenant: TenantId,
    provider: &ProviderId,
    id: RecordId,
    plain: &[u8],
) -> Result<Vec<u8>> {
    let (tenant, id) = (tenant.as_uuid(), id.as_uuid());
    let place = record_place(&tenant, provider, &id);
    let context = SealContext {
        purpose: RECORD,
        place: &place,
    };
    platform.keys().seal(&context, plain)
}

/// A record's bytes, opened. No unit of work may be open meanwhile.
pub(super) async fn open_record(
    platform: &Platform,
    tenant: TenantId,
    record: &Record,
) -> Result<Vec<u8>> {
    let (tenant, id) = (tenant.as_uuid(), record.id.as_uuid());
    let place = record_place(&tenant, &record.provider, &id);
    let context = SealContext {
        purpose: RECORD,
        place: &place,
    };
    platform.open_sealed(&context, &record.sealed).await
}

/// Where a record stands: sealed with it, so that it cannot be moved.
fn record_place<'a>(tenant: &'a Uuid, provider: &'a ProviderId, id: &'a Uuid) -> [&'a [u8]; 3] {
    [
        tenant.as_bytes(),
        provider.as_str().as_bytes(),
        id.as_bytes(),
    ]
}

/// Sets a user's first credential from one secret, without the person at hand:
/// by the first provider that is offered, starts a sign-in and asks for nothing but
/// secrets.
///
/// # Errors
/// [`ErrorKind::Invalid`] about `password`, with the provider's own words, when
/// the secret is not good enough.
pub(crate) async fn enrol_secret(
    platform: &Platform,
    (tenant, offers): (&Tenant, &Offers<'_>),
    user: &User,
    secret: &Secret,
) -> Result<(ProviderId, Vec<Effect>)> {
    for configured in offers.providers() {
        let Some(enrolment) = configured.provider.enrolment() else {
            continue;
        };
        if !configured.description.first_step {
            continue;
        }
        let call = ProviderCall::new(platform, &configured.id, Intent::Enrol)
            .in_tenant(Some(tenant))
            .of_user(user);
        let first = enrolment.begin(&call.context()).await?;
        let Step::Prompt { form } = &first.step else {
            continue;
        };
        if form.fields.is_empty() || form.fields.iter().any(|field| field.role != Role::Secret) {
            continue;
        }
        let values = form
            .fields
            .iter()
            .map(|field| (field.name.clone(), secret.clone()));
        let answer = Answer::Fields {
            values: values.collect(),
        };
        let turn = enrolment
            .resume(&call.context(), first.state, answer)
            .await?;
        return match turn.step {
            Step::Enrolled {} => Ok((configured.id.clone(), turn.effects)),
            Step::Invalid { errors } => Err(Error::invalid("password", sentence(&errors))),
            _ => Err(Error::internal(
                "setting a first credential took more than one step",
            )),
        };
    }
    Err(Error::invalid(
        "password",
        "nothing that is offered here lets a first password be set",
    ))
}

fn sentence(errors: &[FieldError]) -> String {
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    messages.join(" ")
}
