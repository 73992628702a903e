//! Remembering a device as a provider: making, redeeming and ending its tokens.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    Error as CoreError, Result,
    model::{FactorClass, RecordId, SessionId},
    provider::{
        Answer, Context, Description, Device as Listed, Effect, Entry, Kept, KeptRecord, Message,
        MessageChannel, NewRecord, Proof, Provider, RecordOwner, Redeemed, Registry, Revoked,
        Silent, State, Turn, Who,
    },
    secret::Secret,
};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::{
    Error,
    protocol::{Claims, Device, Key, Keys, MONTH, Place, Sign, When, later, text},
};

/// What `kind` in the configuration says.
pub const KIND: &str = "remember-device";
/// The most devices of one person; for one more the longest unused one ends.
pub const MAX_DEVICES: usize = 50;

/// The key of the record that holds a tenant's keys.
const SIGNING_KEY: &str = "signing-key";
/// How long it is worth telling somebody that a device was stolen.
const NEWS: Duration = Duration::from_secs(3 * 24 * 60 * 60);
const MAX_LABEL: usize = 100;

/// Adds the kind `remember-device` to the registry.
pub fn register(registry: &mut Registry) {
    registry.kind(KIND, |_, table| match table.keys().next() {
        None => Ok(Arc::new(RememberDeviceProvider)),
        Some(key) => Err(Error::UnknownKey { key: key.clone() }.into()),
    });
}

/// Remembering a device. One record for each device, and one for each tenant with
/// the keys that sign.
#[derive(Debug, Clone, Copy)]
pub struct RememberDeviceProvider;

#[async_trait]
impl Provider for RememberDeviceProvider {
    fn describe(&self) -> Description {
        Description {
            kind: KIND.to_owned(),
            label: "Remembered device".to_owned(),
            class: FactorClass::Remembered,
            // RFC 8176 has no value for this; `rba` would say that a risk was weighed.
            amr: "device".to_owned(),
            first_step: false,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: false,
            inline: false,
            links: Vec::new(),
            silent: true,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    /// There is no step of it: nobody chooses it.
    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        Ok(Turn::refused("unsupported_entry"))
    }

    async fn resume(&self, _: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        Ok(Turn::refused("foreign_state"))
    }

    fn silent(&self) -> Option<&dyn Silent> {
        Some(self)
    }
}

#[async_trait]
impl Silent for RememberDeviceProvider {
    async fn issue(
        &self,
        context: &Context<'_>,
        session: SessionId,
        lifetime: Duration,
    ) -> Result<Kept> {
        let issuing = Issuing::read(context).await?;
        if context.facts.subject.is_none() {
            return Err(CoreError::internal("a device of nobody"));
        }
        let now = context.now();
        let (keys, mut effects) = issuing.keys_that_sign()?;
        effects.extend(room(context).await?);
        let proofs = context.facts.proofs.iter();
        let device = Device {
            sub: text(&context.random::<16>()),
            current: sign(context, &keys),
            previous: None,
            session,
            auth_at: proofs.map(|proof| proof.at).max().unwrap_or(now),
            last_used_at: now,
            exp: later(now, lifetime.min(MONTH)).as_second(),
        };
        let token = device.claims(issuing.place()).sign(&keys.current)?;
        effects.push(Effect::Put {
            record: keep(&device, label(context))?,
        });
        Ok(Kept {
            token,
            expires_at: expires_at(&device)?,
            effects,
        })
    }

    async fn redeem(
        &self,
        context: &Context<'_>,
        token: &Secret,
        lifetime: Duration,
    ) -> Result<Redeemed> {
        let issuing = Issuing::read(context).await?;
        let now = context.now();
        let known = match issuing.find(token, context).await? {
            Ok(known) => known,
            Err(reason) => return Ok(Redeemed::refused(reason)),
        };
        if let Err(reason) = known.claims.check_times(now) {
            return Ok(Redeemed::refused(reason));
        }
        if later(known.record.created_at, lifetime) <= now {
            return Ok(known.ended("too_old", Vec::new()));
        }
        match known.device.when(&known.claims.jti, now) {
            When::Current => issuing.rotate(context, known),
            When::JustNow => issuing.repeat(context, &known),
            When::Ahead => Ok(Redeemed::refused("not_yet")),
            When::Before => Ok(known.ended("stolen_device", tell(context))),
        }
    }

    async fn revoke(&self, context: &Context<'_>, token: &Secret) -> Result<Option<Revoked>> {
        let issuing = Issuing::read(context).await?;
        let known = issuing.find(token, context).await?;
        Ok(known.ok().map(|known| known.revoked(Vec::new())))
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Listed>> {
        let records = context.services.subject_records().await?;
        let listed = records.into_iter().filter_map(|record| {
            let device = open(context, &record)?;
            Some(Listed {
                id: record.id,
                label: record.label,
                session: device.session,
                created_at: record.created_at,
                last_used_at: device.last_used_at,
                expires_at: record.expires_at?,
            })
        });
        Ok(listed.collect())
    }

    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        let records = context.services.subject_records().await?;
        if records.iter().any(|record| record.id == id) {
            return Ok(vec![Effect::Remove { record: id }]);
        }
        Err(CoreError::not_found("device"))
    }
}

/// What a call needs to sign and to verify.
struct Issuing<'a> {
    context: &'a Context<'a>,
    audience: String,
    /// The tenant's keys and the record that holds them, once there are any.
    kept: Option<(KeptRecord, Keys)>,
}

impl<'a> Issuing<'a> {
    async fn read(context: &'a Context<'a>) -> Result<Self> {
        let tenant = context.facts.tenant.as_ref();
        let tenant = tenant.ok_or_else(|| CoreError::internal("a device outside a tenant"))?;
        let record = context.services.record_by_key(SIGNING_KEY).await?;
        let kept = match record {
            None => None,
            Some(record) => {
                let keys = serde_json::from_slice(&record.data.0).map_err(|_| Error::Keys)?;
                Some((record, keys))
            }
        };
        Ok(Self {
            context,
            audience: tenant.id.to_string(),
            kept,
        })
    }

    fn place(&self) -> Place<'_> {
        Place {
            issuer: self.context.facts.origin.as_str(),
            audience: &self.audience,
        }
    }

    /// The keys, of which the current one signs: new ones at first use and after
    /// a month, with what stores them. Of servers that make them at once, one finds
    /// the place free, and the others look again.
    fn keys_that_sign(&self) -> Result<(Keys, Vec<Effect>)> {
        let now = self.context.now();
        match &self.kept {
            None => {
                let keys = Keys::first(self.new_key());
                let record = keep_keys(&keys)?;
                Ok((keys, vec![Effect::Put { record }]))
            }
            Some((record, keys)) if keys.is_due_at(now) => {
                let keys = keys.clone().rotated(self.new_key());
                let effect = Effect::Replace {
                    record: record.id,
                    version: record.version,
                    with: keep_keys(&keys)?,
                };
                Ok((keys, vec![effect]))
            }
            Some((_, keys)) => Ok((keys.clone(), Vec::new())),
        }
    }

    fn new_key(&self) -> Key {
        let secret = Zeroizing::new(self.context.random::<32>());
        Key::new(self.context.random::<8>(), &secret, self.context.now())
    }

    /// The device of a token that was signed here for this tenant, whatever the
    /// clock says; else why there is none.
    async fn find(
        &self,
        token: &Secret,
        context: &Context<'_>,
    ) -> Result<std::result::Result<Known, &'static str>> {
        let Some((_, keys)) = &self.kept else {
            return Ok(Err("no_keys"));
        };
        let claims = match Claims::verify(token, keys, self.place(), context.now()) {
            Ok(claims) => claims,
            Err(reason) => return Ok(Err(reason)),
        };
        let key = device_key(&claims.sub);
        let Some(record) = context.services.record_by_key(&key).await? else {
            return Ok(Err("unknown_device"));
        };
        let device = open(context, &record);
        let (Some(device), Some(user)) = (device, record.user) else {
            return Ok(Err("unreadable_device"));
        };
        if device.sub != claims.sub || device.exp != claims.exp {
            return Ok(Err("foreign_claims"));
        }
        Ok(Ok(Known {
            user,
            record,
            device,
            claims,
        }))
    }

    /// The next token of the device.
    fn rotate(&self, context: &Context<'_>, known: Known) -> Result<Redeemed> {
        let (keys, mut effects) = self.keys_that_sign()?;
        let proof = known.proof(context);
        let label = known.record.label.clone();
        let next = sign(context, &keys);
        let device = known.device.rotated(next, context.now());
        let token = device.claims(self.place()).sign(&keys.current)?;
        effects.push(Effect::Replace {
            record: known.record.id,
            version: known.record.version,
            with: keep(&device, label)?,
        });
        Ok(Redeemed::Proven {
            proof: Box::new(proof),
            successor: Kept {
                token,
                expires_at: expires_at(&device)?,
                effects,
            },
        })
    }

    /// The same token as the last time.
    fn repeat(&self, context: &Context<'_>, known: &Known) -> Result<Redeemed> {
        let kid = known.device.current.kid.as_str();
        let key = self.kept.as_ref().map(|(_, keys)| keys);
        let Some(key) = key.and_then(|keys| keys.named(kid, context.now())) else {
            return Ok(Redeemed::refused("unknown_key"));
        };
        Ok(Redeemed::Proven {
            proof: Box::new(known.proof(context)),
            successor: Kept {
                token: known.device.claims(self.place()).sign(key)?,
                expires_at: expires_at(&known.device)?,
                effects: Vec::new(),
            },
        })
    }
}

/// A token, and the device that it belongs to.
struct Known {
    user: gatelodge_core::model::UserId,
    record: KeptRecord,
    device: Device,
    claims: Claims,
}

impl Known {
    fn proof(&self, context: &Context<'_>) -> Proof {
        let tenant = context.facts.tenant.as_ref().map(|tenant| tenant.id);
        let users = tenant.map(|tenant| (tenant, self.user));
        Proof {
            at: Some(self.device.auth_at),
            credential: Some(self.record.id),
            ..Proof::of(Who::Candidates {
                users: users.into_iter().collect(),
            })
        }
    }

    /// Of several who end it at once, one does, and tells it.
    fn revoked(&self, more: Vec<Effect>) -> Revoked {
        let mut effects = vec![Effect::UseUp {
            record: self.record.id,
            version: self.record.version,
        }];
        effects.extend(more);
        Revoked {
            user: self.user,
            device: self.record.id,
            session: self.device.session,
            effects,
        }
    }

    fn ended(&self, reason: &str, effects: Vec<Effect>) -> Redeemed {
        Redeemed::Refused {
            reason: reason.to_owned(),
            ended: Some(self.revoked(effects)),
        }
    }
}

/// A new token, yet to be signed.
fn sign(context: &Context<'_>, keys: &Keys) -> Sign {
    Sign {
        jti: text(&context.random::<16>()),
        iat: context.now().as_second(),
        kid: keys.current.kid.clone(),
    }
}

/// What ends the longest unused devices, so that there is room for one more.
async fn room(context: &Context<'_>) -> Result<Vec<Effect>> {
    let records = context.services.subject_records().await?;
    let over = (records.len() + 1).saturating_sub(MAX_DEVICES);
    let mut used: Vec<_> = records
        .iter()
        .map(|record| {
            let used = open(context, record).map(|device| device.last_used_at);
            (used.unwrap_or(Timestamp::MIN), record.id)
        })
        .collect();
    used.sort_unstable();
    let oldest = used.into_iter().take(over);
    Ok(oldest
        .map(|(_, record)| Effect::Remove { record })
        .collect())
}

/// Tells the owner that somebody else had a copy, where mails are sent.
fn tell(context: &Context<'_>) -> Vec<Effect> {
    if !context.facts.channels.contains(&MessageChannel::Mail) {
        return Vec::new();
    }
    let message = Message::mail("device_stolen", later(context.now(), NEWS));
    vec![Effect::Send { message }]
}

/// What the browser calls itself.
fn label(context: &Context<'_>) -> String {
    let agent = context.facts.client.user_agent.as_deref();
    let plain = agent
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control());
    let label: String = plain.take(MAX_LABEL).collect();
    match label.trim() {
        "" => "Unknown browser".to_owned(),
        label => label.to_owned(),
    }
}

fn device_key(sub: &str) -> String {
    format!("device:{sub}")
}

/// What a record holds; what cannot be read is no device.
fn open(context: &Context<'_>, record: &KeptRecord) -> Option<Device> {
    let device = serde_json::from_slice(&record.data.0).ok();
    if device.is_none() {
        let (provider, record) = (&context.facts.provider, record.id);
        tracing::error!(%provider, %record, "the record of a device cannot be read");
    }
    device
}

fn keep(device: &Device, label: String) -> Result<NewRecord> {
    Ok(NewRecord {
        owner: RecordOwner::Subject,
        key: Some(Secret::new(device_key(&device.sub))),
        label,
        expires_at: Some(expires_at(device)?),
        data: State(serde_json::to_vec(device).map_err(Error::Encode)?),
    })
}

fn keep_keys(keys: &Keys) -> Result<NewRecord> {
    Ok(NewRecord {
        owner: RecordOwner::Nobody,
        key: Some(Secret::new(SIGNING_KEY)),
        label: "Keys that sign devices".to_owned(),
        expires_at: None,
        data: State(serde_json::to_vec(keys).map_err(Error::Encode)?),
    })
}

fn expires_at(device: &Device) -> Result<Timestamp> {
    Timestamp::from_second(device.exp)
        .map_err(|error| CoreError::internal("a device's end").because(error))
}
