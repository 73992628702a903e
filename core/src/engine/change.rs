//! What follows from a credential that was set up, changed or removed in a flow; and
//! removing a second factor or a linked identity, which asks for a proof first like every
//! other change.

use super::{
    Claimed, Progress, ReplyAnswer,
    answer::Attempt,
    check::error,
    flow::{Flow, OpenOffer},
    write::{Write, Written},
};
use crate::{
    ErrorKind, Platform, Result,
    limits::Lanes,
    messages,
    model::{EndReason, Tenant, TenantId, User},
    provider::{Action, ActionStyle, Credential, Display, Form, Step},
    service::{Factor, end_sessions, find_factor, forget_devices, forget_links, in_the_way},
    storage::{Change, Changed, SessionFilter, UnitOfWork},
};

/// The button that removes it.
const REMOVE: &str = "remove";

/// What is asked before something is removed; `None` when it is gone.
pub(super) async fn removal(
    platform: &Platform,
    flow: &Flow,
    subject: Option<&(Tenant, User)>,
) -> Result<Option<OpenOffer>> {
    let Some((owner, factor)) = subject.zip(flow.factor) else {
        return Ok(None);
    };
    let Factor {
        configured,
        credential,
        ..
    } = match find_factor(platform, owner, factor).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    let form = Form {
        message: Some(
            "It stops working at once, and all your other devices are signed out.".to_owned(),
        ),
        display: vec![Display::Text {
            label: configured.description.label.clone(),
            value: credential.label,
        }],
        actions: vec![Action {
            id: REMOVE.to_owned(),
            label: match configured.description.third_party {
                true => "Unlink",
                false => "Remove",
            }
            .to_owned(),
            style: ActionStyle::Primary,
        }],
        ..Form::default()
    };
    Ok(Some(OpenOffer {
        provider: configured.id.clone(),
        state: Default::default(),
        shown: Some(Step::Prompt { form }),
    }))
}

impl Attempt<'_> {
    /// Removes what the flow was begun for, once its owner says so.
    pub(super) async fn remove_factor(mut self, answer: ReplyAnswer) -> Result<Progress> {
        if !matches!(answer, ReplyAnswer::Action(action) if action == REMOVE) {
            let errors = vec![error("action", "unknown", "There is no such button.")];
            return Ok(self.invalid(errors));
        }
        self.claim_known().await?;
        let (Claimed::User(owner), Some(factor)) = (&self.claimed, self.found.flow.factor) else {
            return self.refuse("nothing_to_remove").await;
        };
        let place = (owner.0.id, owner.1.id);
        let found = match find_factor(self.platform, owner, factor).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return self.refuse("used_up").await;
            }
            found => found?,
        };
        let effects = found.removal().await?;
        let write = Write::Removed(Box::new(found.credential));
        self.write(place, write, effects).await
    }

    /// What is in the way of removing a credential, in the unit that would.
    pub(super) async fn removal_obstacle(
        &self,
        unit: &mut dyn UnitOfWork,
        user: &User,
        credential: &Credential,
    ) -> Result<Option<Written>> {
        let provider = &self.configured.id;
        let record = unit.records().by_id(provider, credential.id).await?;
        if record.is_none_or(|record| record.user != Some(user.id)) {
            return Ok(Some(Written::Lost));
        }
        let what = (self.configured, credential.id);
        let obstacle = in_the_way(self.platform, unit, user, what).await?;
        Ok(obstacle.map(Written::Refuse))
    }

    /// Ends what was signed in, sent or kept before; `None` when the session that the
    /// change was asked for in has ended meanwhile.
    pub(super) async fn credentials_changed(
        &mut self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
        mut user: User,
    ) -> Result<Option<User>> {
        let platform = self.platform;
        user.credential_epoch += 1;
        let user = unit.users().update(&user).await?;
        forget_links(platform, unit, user.id, Some(&self.configured.id)).await?;
        forget_devices(platform, unit, user.id).await?;
        messages::tell(platform, unit, (tenant, &user), "credential_changed").await?;
        self.told = true;
        // A new credential has no wrong answers behind it.
        Lanes::forget(unit, (tenant, user.id), [&self.configured.id]).await?;
        let all = SessionFilter {
            user: Some(user.id),
            ..SessionFilter::default()
        };
        end_sessions(platform, unit, &all, EndReason::CredentialChanged).await?;
        if !self.session_goes_on(unit).await? {
            return Ok(None);
        }
        self.changes.push(Change {
            tenant,
            what: Changed::User(user.id),
        });
        Ok(Some(user))
    }
}
