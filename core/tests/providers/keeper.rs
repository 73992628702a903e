use std::time::Duration;

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    environment::later,
    model::{FactorClass, RecordId, SessionId},
    provider::{
        Answer, Context, Description, Device, Effect, Entry, Kept, NewRecord, Proof, Provider,
        RecordOwner, Redeemed, Revoked, Silent, State, Turn, Who,
    },
    secret::Secret,
};

use super::describe;

/// Keeps people signed in by tokens that stay the same.
#[derive(Default)]
pub(crate) struct Keeper;

#[async_trait]
impl Provider for Keeper {
    fn describe(&self) -> Description {
        Description {
            class: FactorClass::Remembered,
            first_step: false,
            inline: false,
            silent: true,
            ..describe("keeper")
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
impl Silent for Keeper {
    async fn issue(
        &self,
        context: &Context<'_>,
        session: SessionId,
        lifetime: Duration,
    ) -> Result<Kept> {
        let token = Secret::new(session.to_string());
        let expires_at = later(context.now(), lifetime);
        let record = NewRecord {
            owner: RecordOwner::Subject,
            key: Some(token.clone()),
            label: "a device".to_owned(),
            expires_at: Some(expires_at),
            data: State(session.to_string().into_bytes()),
        };
        Ok(Kept {
            token,
            expires_at,
            effects: vec![Effect::Put { record }],
        })
    }

    async fn redeem(&self, context: &Context<'_>, token: &Secret, _: Duration) -> Result<Redeemed> {
        let record = context.services.record_by_key(token.expose()).await?;
        let tenant = context.facts.tenant.as_ref().map(|tenant| tenant.id);
        let Some(((record, tenant), user)) = record
            .zip(tenant)
            .and_then(|(record, tenant)| Some(((record.clone(), tenant), record.user?)))
        else {
            return Ok(Redeemed::refused("unknown"));
        };
        let proof = Proof {
            credential: Some(record.id),
            ..Proof::of(Who::Candidates {
                users: vec![(tenant, user)],
            })
        };
        let successor = Kept {
            token: token.clone(),
            expires_at: record.expires_at.unwrap(),
            effects: Vec::new(),
        };
        Ok(Redeemed::Proven {
            proof: Box::new(proof),
            successor,
        })
    }

    async fn revoke(&self, _: &Context<'_>, _: &Secret) -> Result<Option<Revoked>> {
        Ok(None)
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Device>> {
        let records = context.services.subject_records().await?;
        let devices = records.into_iter().map(|record| Device {
            id: record.id,
            label: record.label,
            session: String::from_utf8(record.data.0).unwrap().parse().unwrap(),
            created_at: record.created_at,
            last_used_at: record.created_at,
            expires_at: record.expires_at.unwrap(),
        });
        Ok(devices.collect())
    }

    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        let records = context.services.subject_records().await?;
        let mut ids = records.iter().map(|record| record.id);
        match ids.any(|own| own == id) {
            true => Ok(vec![Effect::Remove { record: id }]),
            false => Err(Error::not_found("device")),
        }
    }
}
