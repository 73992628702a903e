//! A random token that is worth one sign-in, and its successor the next.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    Environment, Error, Result,
    model::{FactorClass, RecordId, SessionId, UserId},
    provider::{
        Answer, Context, Description, Device, Effect, Entry, Kept, KeptRecord, NewRecord, Proof,
        Provider, RecordOwner, Redeemed, Registry, Revoked, Silent, State, Turn, Who,
    },
    secret::Secret,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const WINDOW: Duration = Duration::from_secs(30);

pub(crate) fn register(registry: &mut Registry) {
    registry.kind("keepsake", |_, table| {
        Ok(Arc::new(Keepsake {
            flaw: super::flaw(&table)?,
            instance: Environment::system().uuid().to_string(),
        }))
    });
}

struct Keepsake {
    flaw: String,
    instance: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Data {
    current: String,
    previous: Option<(String, Timestamp)>,
    session: SessionId,
    proven_at: Timestamp,
    used_at: Timestamp,
    expires_at: Timestamp,
    instance: String,
}

impl Keepsake {
    fn has(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }

    fn hex<const N: usize>(&self, context: &Context<'_>) -> String {
        let bytes = match self.has("rolls_its_own_dice") {
            true => Environment::system().bytes::<N>(),
            false => context.random::<N>(),
        };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The device of a token, and the token's own part.
    async fn find(
        &self,
        context: &Context<'_>,
        token: &Secret,
    ) -> Result<Option<(KeptRecord, Data, String)>> {
        let Some((id, secret)) = token.expose().split_once('-') else {
            if self.has("fails_on_nonsense") {
                return Err(Error::internal("a token without a hyphen"));
            }
            return Ok(None);
        };
        let secret = secret.trim_end_matches('~').to_owned();
        let Some(record) = context.services.record_by_key(id).await? else {
            return Ok(None);
        };
        let data: Data = match serde_json::from_slice(&record.data.0) {
            Ok(data) => data,
            Err(_) if self.has("fails_on_damage") => {
                return Err(Error::internal("a damaged device"));
            }
            Err(_) => return Ok(None),
        };
        let is_own = !self.has("remembers_by_itself") || data.instance == self.instance;
        let is_known =
            secret.len() == 32 && secret.bytes().all(|b| b"0123456789abcdef".contains(&b));
        Ok((is_own && is_known).then_some((record, data, secret)))
    }

    fn token(&self, id: &str, secret: &str) -> Secret {
        let pad = match self.has("is_too_long") {
            true => "~".repeat(3_000),
            false => String::new(),
        };
        Secret::new(format!("{id}-{secret}{pad}"))
    }

    fn keep(&self, id: &str, data: &Data) -> NewRecord {
        NewRecord {
            owner: RecordOwner::Subject,
            key: Some(Secret::new(id)),
            label: "A keepsake".to_owned(),
            expires_at: Some(data.expires_at),
            data: State(serde_json::to_vec(data).unwrap()),
        }
    }

    fn revoked(&self, record: &KeptRecord, data: &Data) -> Revoked {
        let record_id = record.id;
        let effect = match self.has("ends_it_twice") {
            true => Effect::Remove { record: record_id },
            false => Effect::UseUp {
                record: record_id,
                version: record.version,
            },
        };
        Revoked {
            user: record.user.unwrap(),
            device: record_id,
            session: data.session,
            effects: match self.has("revokes_nothing") {
                true => Vec::new(),
                false => vec![effect],
            },
        }
    }

    fn proven(
        &self,
        context: &Context<'_>,
        user: UserId,
        device: RecordId,
        at: Timestamp,
    ) -> Proof {
        let tenant = context.facts.tenant.as_ref().unwrap().id;
        Proof {
            at: (!self.has("is_always_fresh")).then_some(at),
            credential: Some(device),
            ..Proof::of(Who::Candidates {
                users: vec![(tenant, user)],
            })
        }
    }
}

#[async_trait]
impl Provider for Keepsake {
    fn describe(&self) -> Description {
        Description {
            kind: "keepsake".to_owned(),
            label: "Keepsake".to_owned(),
            class: FactorClass::Remembered,
            amr: "keepsake".to_owned(),
            first_step: self.has("can_be_chosen"),
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

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        Ok(Turn::refused("no_step"))
    }

    async fn resume(&self, _: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        Ok(Turn::refused("no_step"))
    }

    fn silent(&self) -> Option<&dyn Silent> {
        Some(self)
    }
}

#[async_trait]
impl Silent for Keepsake {
    async fn issue(
        &self,
        context: &Context<'_>,
        session: SessionId,
        lifetime: Duration,
    ) -> Result<Kept> {
        let (id, now) = (self.hex::<16>(context), context.now());
        let data = Data {
            current: self.hex::<16>(context),
            previous: None,
            session,
            proven_at: context.facts.proofs.iter().map(|p| p.at).max().unwrap(),
            used_at: now,
            expires_at: now.checked_add(lifetime).unwrap(),
            instance: match self.has("remembers_by_itself") {
                true => self.instance.clone(),
                false => String::new(),
            },
        };
        Ok(Kept {
            token: self.token(&id, &data.current),
            expires_at: data.expires_at,
            effects: vec![Effect::Put {
                record: self.keep(&id, &data),
            }],
        })
    }

    async fn redeem(
        &self,
        context: &Context<'_>,
        token: &Secret,
        lifetime: Duration,
    ) -> Result<Redeemed> {
        let now = context.now();
        let Some((record, mut data, secret)) = self.find(context, token).await? else {
            if self.has("takes_anything") {
                let nobody = UserId::from_uuid(Default::default());
                let device = RecordId::from_uuid(Default::default());
                return Ok(Redeemed::Proven {
                    proof: Box::new(self.proven(context, nobody, device, now)),
                    successor: Kept {
                        token: token.clone(),
                        expires_at: now,
                        effects: Vec::new(),
                    },
                });
            }
            return Ok(Redeemed::refused("unknown"));
        };
        let too_old = record.created_at.checked_add(lifetime).unwrap() <= now;
        if too_old && !self.has("ignores_the_setting") {
            return Ok(Redeemed::Refused {
                reason: "too_old".to_owned(),
                ended: Some(self.revoked(&record, &data)),
            });
        }
        let user = record.user.unwrap();
        let mut proof = self.proven(context, user, record.id, data.proven_at);
        let (id, _) = token.expose().split_once('-').unwrap();
        let mut effects = Vec::new();
        if secret == data.current {
            if !self.has("never_rotates") {
                let next = self.hex::<16>(context);
                data.previous = Some((std::mem::replace(&mut data.current, next), now));
            }
            data.used_at = now;
            if self.has("slides") {
                data.expires_at = now.checked_add(lifetime).unwrap();
            }
            effects.push(Effect::Replace {
                record: record.id,
                version: record.version,
                with: self.keep(id, &data),
            });
        } else {
            let replaced = data.previous.as_ref().filter(|(known, _)| *known == secret);
            let is_just_now = replaced.is_some_and(|(_, at)| {
                now < at.checked_add(WINDOW).unwrap() && !self.has("has_no_window")
            });
            if !is_just_now && !self.has("forgives_copies") {
                return Ok(Redeemed::Refused {
                    reason: "stolen".to_owned(),
                    ended: Some(self.revoked(&record, &data)),
                });
            }
        }
        let successor = self.token(id, &data.current);
        if self.has("tells_it_to_the_log") {
            proof.scope = Some(successor.expose().to_owned());
        }
        Ok(Redeemed::Proven {
            proof: Box::new(proof),
            successor: Kept {
                token: successor,
                expires_at: data.expires_at,
                effects,
            },
        })
    }

    async fn revoke(&self, context: &Context<'_>, token: &Secret) -> Result<Option<Revoked>> {
        let found = self.find(context, token).await?;
        Ok(found.map(|(record, data, _)| self.revoked(&record, &data)))
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Device>> {
        let records = context.services.subject_records().await?;
        let listed = records.into_iter().filter_map(|record| {
            let data: Data = serde_json::from_slice(&record.data.0).ok()?;
            Some(Device {
                id: record.id,
                label: record.label,
                session: data.session,
                created_at: record.created_at,
                last_used_at: data.used_at,
                expires_at: data.expires_at,
            })
        });
        Ok(listed.collect())
    }

    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        let records = context.services.subject_records().await?;
        if records.iter().any(|record| record.id == id) || self.has("removes_anything") {
            return Ok(vec![Effect::Remove { record: id }]);
        }
        Err(Error::not_found("keepsake"))
    }
}
