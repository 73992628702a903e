//! Taking answers: nothing is looked up for a provider that has no room, what
//! can be checked without a provider is checked next, tries are counted before
//! anything is looked at, and no transaction is open while a provider runs.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Claimed, Progress, Reply, ReplyAnswer, SignIn, anonymous,
    check::{check, error, plain_reason},
    device,
    duty::SECOND_FACTOR,
    flow::{self, FlowHandle, Found, OpenOffer, Phase},
    identity::Notice,
    start::{self, ensure_open},
    view::{TENANT, shown_form, shown_provider, view},
};
use crate::{
    Error, ErrorKind, Platform, Result,
    environment::later,
    limits::Lanes,
    model::{ClientFacts, Tenant, TenantId, User},
    platform::{AuditEventExt, sign_in_obstacle},
    provider::{Answer, Configured, Field, FieldError, FieldKind, Role, State, Step, Turn},
    secret::{Secret, Token},
    service::{ProviderCall, apply_effects, is_lost_effect},
    storage::{Change, Scope, UnitOfWork},
};

/// One step being answered.
pub(crate) struct Attempt<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) found: Found,
    pub(crate) offer: usize,
    pub(crate) configured: &'a Configured,
    pub(crate) client: &'a ClientFacts,
    pub(crate) device: Option<Secret>,
    pub(crate) claimed: Claimed,
    pub(crate) lanes: Option<Lanes>,
    /// The answer, as long as the provider may be asked once more about it.
    pub(crate) again: Option<Answer>,
    /// Whether a message was written that whoever sends them is to be told of.
    pub(crate) told: bool,
    /// What this node's memory has to forget once it is committed.
    pub(crate) changes: Vec<Change>,
}

impl SignIn<'_> {
    /// Takes an answer to a step.
    ///
    /// # Errors
    /// * [`crate::ErrorKind::NotFound`] for a flow that is over, expired or
    ///   another browser's, and for a provider that was not offered.
    /// * [`crate::ErrorKind::Conflict`] when `step` is not the current one.
    /// * [`crate::ErrorKind::Limited`] after too many wrong answers.
    /// * [`crate::ErrorKind::Unavailable`] with a time to wait while the provider
    ///   has no room.
    /// * Whatever storage or provider say; nothing was changed then.
    pub async fn answer(
        &self,
        handle: &FlowHandle,
        reply: Reply,
        client: &ClientFacts,
    ) -> Result<Progress> {
        if !matches!(reply.answer, ReplyAnswer::Go) {
            ensure_room(self.0, &reply.provider)?;
        }
        let mut found = flow::find(self.0, handle).await?;
        let current = reply
            .step
            .as_ref()
            .is_none_or(|step| *step == found.flow.step);
        if found.flow.complete || !current {
            return Err(flow::not_current());
        }
        ensure_open(self.0, &mut found, client).await?;
        found.flow.stay |= reply.stay;
        device::learn_key(self.0, reply.device.as_ref()).await;
        match found.flow.phase {
            Phase::Tenant => return self.choose_tenant(found, reply, client).await,
            Phase::Newcomer => return Box::pin(self.decide(found, reply, client)).await,
            _ => {}
        }
        let offer = chosen_offer(&found, &reply)?;
        let configured = found
            .flow
            .offers
            .get(offer)
            .and_then(|offer| self.0.providers().provider(&offer.provider))
            .ok_or_else(|| Error::not_found("provider in this step"))?;
        let attempt = Attempt::new(self.0, (found, offer), configured, client, reply.device);
        attempt.take(reply.answer).await
    }
}

/// Refuses an answer that its provider has no room for. Only the provider is
/// looked at, so nobody learns from this whether an account, a flow or a wait
/// is there.
pub(super) fn ensure_room(platform: &Platform, provider: &str) -> Result<()> {
    let mut configured = platform.providers().providers();
    let wait = configured
        .find(|configured| configured.id.as_str() == provider)
        .and_then(|configured| configured.provider.busy());
    match wait {
        None => Ok(()),
        Some(wait) => Err(Error::new(
            ErrorKind::Unavailable,
            format!("the way to sign in `{provider}` is busy"),
        )
        .retry_in(wait)),
    }
}

/// Which offer is answered: the one that has a step of its own, or any that is
/// offered.
fn chosen_offer(found: &Found, reply: &Reply) -> Result<usize> {
    let (flow, provider) = (&found.flow, &reply.provider);
    // What the engine asks itself beside the choice is about no way of them.
    let is_ours = provider == SECOND_FACTOR && matches!(reply.answer, ReplyAnswer::Action(_));
    if is_ours && flow.phase == Phase::AddFactor && flow.active.is_none() {
        return Ok(0);
    }
    let position = flow
        .offers
        .iter()
        .position(|offer| shown_provider(flow, offer) == *provider);
    match (position, flow.active) {
        (Some(position), None) => Ok(position),
        (Some(position), Some(active)) if position == active => Ok(position),
        _ => Err(Error::not_found("provider in this step")),
    }
}

impl<'a> Attempt<'a> {
    /// An answer to an offer of a flow, about nobody yet.
    pub(super) fn new(
        platform: &'a Platform,
        (found, offer): (Found, usize),
        configured: &'a Configured,
        client: &'a ClientFacts,
        device: Option<Secret>,
    ) -> Self {
        Self {
            platform,
            found,
            offer,
            configured,
            client,
            device,
            claimed: Claimed::Nobody { tenant: None },
            lanes: None,
            again: None,
            told: false,
            changes: Vec::new(),
        }
    }
}

impl Attempt<'_> {
    pub(crate) fn open_offer(&self) -> Result<&OpenOffer> {
        self.found
            .flow
            .offers
            .get(self.offer)
            .ok_or_else(|| Error::internal("an offer is gone"))
    }

    async fn take(mut self, answer: ReplyAnswer) -> Result<Progress> {
        let shown = self.open_offer()?.shown.clone();
        if self.found.flow.phase == Phase::RemoveFactor {
            return self.remove_factor(answer).await;
        }
        match (shown, answer) {
            (None, ReplyAnswer::Go) => self.choose().await,
            (Some(Step::Wait { .. }), ReplyAnswer::Go) => {
                self.claim_known().await?;
                self.ask(Answer::Poll {}).await
            }
            (Some(_), ReplyAnswer::Go) => Ok(Progress::Next {
                view: view(self.platform, &self.found),
                binding: None,
                hold_until: None,
            }),
            (Some(Step::Challenge { .. }), ReplyAnswer::Browser(response)) => {
                self.claim_known().await?;
                self.ask(Answer::Browser { response }).await
            }
            (_, ReplyAnswer::Action(action)) if self.puts_off(&action) => self.put_off().await,
            (_, ReplyAnswer::Action(action)) if self.chooses_another(&action) => {
                self.choose_another().await
            }
            (Some(Step::Prompt { form }), ReplyAnswer::Action(action)) => {
                if form.actions.iter().all(|known| known.id != action) {
                    return Ok(self.invalid(vec![error(
                        "action",
                        "unknown",
                        "There is no such button.",
                    )]));
                }
                self.claim_known().await?;
                self.ask(Answer::Action { action }).await
            }
            (Some(Step::Prompt { .. }), ReplyAnswer::Fields(values)) => self.fields(values).await,
            (Some(Step::Redirect { .. }), ReplyAnswer::Fields(values)) => {
                Box::pin(self.return_code(values)).await
            }
            _ => Ok(self.invalid(vec![error(
                "answer",
                "unexpected",
                "This step takes another kind of answer.",
            )])),
        }
    }

    async fn fields(mut self, mut values: BTreeMap<String, Secret>) -> Result<Progress> {
        let form = shown_form(self.platform, &self.found.flow, self.open_offer()?);
        let form = form.unwrap_or_default();
        let errors = check(&form, &mut values);
        if !errors.is_empty() {
            return Ok(self.invalid(errors));
        }
        if self.found.flow.phase == Phase::SignUp {
            return Box::pin(self.sign_up(values)).await;
        }
        let named = values.remove(TENANT);
        self.claimed = self.claim(&form, &values, named.as_ref()).await?;
        self.ask(Answer::Fields { values }).await
    }

    /// Begins a provider that begins when it is chosen.
    async fn choose(mut self) -> Result<Progress> {
        self.claim_known().await?;
        let oauth_state = Token::generate(self.platform.environment());
        let subject = self.subject();
        let call = start::call(
            self.platform,
            &self.found.flow,
            self.configured,
            subject.as_ref(),
            self.client,
        )
        .with_callback(oauth_state.expose());
        let mut turn = start::begin(&self.found.flow, self.configured, &call).await?;
        if !turn.effects.is_empty() {
            tracing::error!(provider = %self.configured.id, "beginning has effects: ignored");
            turn.effects.clear();
        }
        match turn.step {
            Step::Proven { .. } | Step::Enrolled {} | Step::Barred { .. } => {
                self.refuse("proven_by_beginning").await
            }
            _ => Box::pin(self.follow(turn, oauth_state)).await,
        }
    }

    fn subject(&self) -> Option<(Tenant, User)> {
        match &self.claimed {
            Claimed::User(found) => Some(found.as_ref().clone()),
            _ => None,
        }
    }

    /// Counts the try, asks the provider, and acts on its turn.
    pub(crate) async fn ask(mut self, answer: Answer) -> Result<Progress> {
        let begun = self.platform.now();
        let counts = matches!(answer, Answer::Fields { .. } | Answer::Browser { .. })
            && (!start::sets_up(self.found.flow.phase, self.configured)
                || self.asks_for_what_is_known());
        if counts {
            self.reserve().await?;
        }
        // What came back from a third party is worth one exchange there.
        let is_once = matches!(answer, Answer::Poll {} | Answer::Callback { .. });
        self.again = (!is_once).then(|| answer.clone());
        let floor = u64::from(self.configured.description.refusal_floor_ms.min(10_000));
        let hold_until = (floor > 0).then(|| later(begun, Duration::from_millis(floor)));
        match self.ask_provider(answer).await? {
            Progress::Refused { view, .. } => Ok(Progress::Refused { view, hold_until }),
            // A provider's own next step, while nobody is proven.
            Progress::Next {
                view,
                binding: None,
                ..
            } => Ok(Progress::Next {
                view,
                binding: None,
                hold_until,
            }),
            other => Ok(other),
        }
    }

    /// Whether the step asks for a code that was sent or shown, or for the present
    /// password: where something is set up, that can be guessed, and nothing else.
    fn asks_for_what_is_known(&self) -> bool {
        let can_be_guessed =
            |field: &Field| field.role == Role::Code || field.kind == FieldKind::Password;
        let shown = self.open_offer().ok().and_then(|open| open.shown.as_ref());
        match shown {
            Some(Step::Prompt { form }) => form.fields.iter().any(can_be_guessed),
            _ => false,
        }
    }

    async fn ask_provider(mut self, answer: Answer) -> Result<Progress> {
        let state = self.open_offer()?.state.clone();
        let oauth_state = Token::generate(self.platform.environment());
        match self.resume(state, answer, &oauth_state).await {
            Ok(turn) => Box::pin(self.follow(turn, oauth_state)).await,
            Err(error) => {
                self.refund().await?;
                Err(error)
            }
        }
    }

    /// What the provider wanted changed was changed by another answer meanwhile.
    /// It looks once more: a password that another sign-in has just hashed anew
    /// is right all the same, a code that was used up is not; and of those who ask
    /// for a mail at once, nobody may learn from a refusal that there is a mailbox.
    pub(crate) async fn ask_again(mut self) -> Result<Progress> {
        match self.again.take() {
            Some(answer) => Box::pin(self.ask_provider(answer)).await,
            None => self.refuse("used_up").await,
        }
    }

    async fn resume(&self, state: State, answer: Answer, oauth_state: &Token) -> Result<Turn> {
        let flow = &self.found.flow;
        let mut call = start::call(self.platform, flow, self.configured, None, self.client);
        if self.claimed.tenant().is_some() {
            call = call.in_tenant(self.claimed.tenant());
        }
        call = match &self.claimed {
            Claimed::User(found) => call.of_user(&found.1),
            Claimed::Decoy { id, typed, .. } => call.of_decoy(*id, typed),
            Claimed::Nobody { .. } => call,
        };
        call = call.with_callback(oauth_state.expose());
        resume(self.configured, flow.phase, &call, state, answer).await
    }

    /// Acts on a provider's turn. Callers box it: it is large, and those who wait
    /// for a provider would hold room for it all the while.
    async fn follow(mut self, turn: Turn, oauth_state: Token) -> Result<Progress> {
        match turn.step {
            Step::Invalid { errors } => {
                self.refund().await?;
                Ok(self.invalid(errors))
            }
            Step::Refused { reason } => self.refuse(&reason).await,
            Step::Proven { .. } if start::sets_up(self.found.flow.phase, self.configured) => {
                self.refuse("nothing_to_prove").await
            }
            Step::Proven { proof } => self.prove(proof, turn.effects).await,
            Step::Enrolled {} => self.enrolled(turn.effects).await,
            Step::Barred { identity, reason } => self.barred(&identity, &reason).await,
            step => {
                self.refund().await?;
                self.next_step(step, turn.state, turn.effects, oauth_state)
                    .await
            }
        }
    }

    /// The provider's own next step.
    async fn next_step(
        mut self,
        step: Step,
        state: State,
        effects: Vec<crate::provider::Effect>,
        oauth_state: Token,
    ) -> Result<Progress> {
        let redirects = matches!(step, Step::Redirect { .. });
        let before = self.found.clone();
        let flow = &mut self.found.flow;
        flow.step = flow::step_id(self.platform.environment());
        flow.active = Some(self.offer);
        // Kept for the next answer and shown to nobody: a stranger must not learn
        // from this step who exists, and where.
        flow.claim = self.claimed.to_keep();
        if let Some(offer) = flow.offers.get_mut(self.offer) {
            offer.state = state;
            offer.shown = Some(step);
        }
        let scope = self
            .claimed
            .tenant_id()
            .map_or(Scope::Platform, Scope::Tenant);
        let mut unit = self.platform.write(scope).await?;
        if let (Scope::Tenant(tenant), false) = (scope, effects.is_empty()) {
            match self.early_effects(unit.as_mut(), tenant, &effects).await {
                Err(error) if is_lost_effect(&error) => {
                    unit.rollback().await?;
                    self.found = before;
                    return self.ask_again().await;
                }
                other => other?,
            }
        }
        if redirects {
            super::callback::remember(self.platform, unit.as_mut(), &self.found, &oauth_state)
                .await?;
        }
        self.found.version = flow::save(self.platform, unit.as_mut(), &self.found).await?;
        unit.commit().await?;
        self.platform.wake_sender_after(&effects);
        Ok(Progress::Next {
            view: view(self.platform, &self.found),
            binding: None,
            hold_until: None,
        })
    }

    /// Applies a step's effects before anything is proven, if it may have any.
    async fn early_effects(
        &self,
        unit: &mut dyn UnitOfWork,
        tenant: TenantId,
        effects: &[crate::provider::Effect],
    ) -> Result<()> {
        if !self.may_have_effects(unit).await? {
            return Ok(());
        }
        let place = (tenant, self.subject().map(|(_, user)| user.id));
        apply_effects(self.platform, unit, &self.configured.id, place, effects).await
    }

    /// Whether a step's effects are applied before anything is proven: not for a
    /// decoy, nor for somebody who may not sign in. Nobody can tell from the answer.
    async fn may_have_effects(&self, unit: &mut dyn UnitOfWork) -> Result<bool> {
        match &self.claimed {
            Claimed::User(found) => {
                let Some(tenant) = unit.tenants().hold(found.0.id).await? else {
                    return Ok(false);
                };
                // Looked for first: an error would leave the unit unusable.
                if unit.users().by_id(found.1.id).await?.is_none() {
                    return Ok(false);
                }
                unit.users().lock_row(found.1.id).await?;
                let Some(user) = unit.users().by_id(found.1.id).await? else {
                    return Ok(false);
                };
                let now = self.platform.now();
                let obstacle = sign_in_obstacle(unit, &tenant, &user, now).await?;
                Ok(obstacle.is_none())
            }
            Claimed::Decoy { .. } => Ok(false),
            Claimed::Nobody { .. } => Ok(true),
        }
    }

    pub(crate) fn invalid(&self, errors: Vec<FieldError>) -> Progress {
        Progress::Invalid {
            view: view(self.platform, &self.found),
            errors,
        }
    }

    /// The answer was wrong. The reason goes to the audit log only.
    pub(crate) async fn refuse(self, reason: &str) -> Result<Progress> {
        self.refuse_with(reason, None).await
    }

    /// The same; what the person is told follows from the reason, or is given.
    pub(super) async fn refuse_with(
        mut self,
        reason: &str,
        notice: Option<Notice>,
    ) -> Result<Progress> {
        let tenant = self.claimed.tenant_id();
        let scope = tenant.map_or(Scope::Platform, Scope::Tenant);
        let mut event = self
            .platform
            .event(&anonymous(self.client), tenant, "session.start")
            .refused(plain_reason(reason))
            .changing("provider", None, Some(self.configured.id.to_string()));
        if let Claimed::User(found) = &self.claimed {
            event = event.about(found.1.id);
        }
        let mut unit = self.platform.write(scope).await?;
        unit.audit().append(&event).await?;
        let shown = self
            .open_offer()
            .ok()
            .and_then(|offer| offer.shown.as_ref());
        let was_away = matches!(shown, Some(Step::Redirect { .. }));
        if was_away {
            let notice = notice.unwrap_or_else(|| Notice::of(reason));
            let environment = self.platform.environment();
            self.found.flow.go_back(environment, notice);
            self.found.version = flow::save(self.platform, unit.as_mut(), &self.found).await?;
        }
        unit.commit().await?;
        if was_away {
            ensure_open(self.platform, &mut self.found, self.client).await?;
        }
        Ok(Progress::Refused {
            view: view(self.platform, &self.found),
            hold_until: None,
        })
    }

    async fn reserve(&mut self) -> Result<()> {
        let network = self.client.network.as_deref();
        let factor = &self.configured.id;
        let lanes = match &self.claimed {
            Claimed::User(found) => {
                let (tenant, user) = (found.0.id, found.1.id);
                let lane = device::lane(self.platform, self.device.as_ref(), tenant, user);
                let lane = lane.as_ref().map(<[u8; 16]>::as_slice);
                Lanes::account(Some(tenant), user, factor, lane, network)
            }
            Claimed::Decoy { tenant, id, .. } => {
                let tenant = tenant.as_ref().map(|tenant| tenant.id);
                Lanes::account(tenant, *id, factor, None, network)
            }
            Claimed::Nobody { .. } => Lanes::network(network),
        };
        let mut unit = self.platform.write(Scope::Platform).await?;
        lanes
            .reserve(unit.as_mut(), self.platform.limits(), self.platform.now())
            .await?;
        unit.commit().await?;
        self.lanes = Some(lanes);
        Ok(())
    }

    pub(crate) async fn refund(&mut self) -> Result<()> {
        if let Some(lanes) = self.lanes.take() {
            let mut unit = self.platform.write(Scope::Platform).await?;
            lanes.refund(unit.as_mut(), self.platform.limits()).await?;
            unit.commit().await?;
        }
        Ok(())
    }
}

pub(crate) async fn resume(
    configured: &Configured,
    phase: Phase,
    call: &ProviderCall<'_>,
    state: State,
    answer: Answer,
) -> Result<Turn> {
    if start::sets_up(phase, configured) {
        let enrolment = configured.provider.enrolment();
        let enrolment = enrolment.ok_or_else(|| Error::internal("no enrolment"))?;
        enrolment.resume(&call.context(), state, answer).await
    } else {
        configured
            .provider
            .resume(&call.context(), state, answer)
            .await
    }
}
