use std::collections::BTreeMap;

use gatelodge_core::{
    Result,
    engine::{
        Completed, FlowHandle, FlowView, Progress, Reply, ReplyAnswer, StartFlow, Started,
        StepBody, Transport,
    },
    model::{ClientFacts, Tenant},
    provider::Intent,
    secret::{Secret, Token},
    service::TenantRef,
};

use super::{World, provider, world::client};

/// A browser in the middle of a flow; it keeps what it is told.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) client: ClientFacts,
    pub(crate) handle: FlowHandle,
    pub(crate) view: FlowView,
    pub(crate) device: Option<Secret>,
    pub(crate) done: Option<Box<Completed>>,
}

impl Browser {
    /// Begins a flow, in a network of its own.
    pub(crate) async fn start(world: &World, start: StartFlow) -> Result<Self> {
        Self::start_from(world, start, "192.0.2.1").await
    }

    pub(crate) async fn start_from(world: &World, start: StartFlow, network: &str) -> Result<Self> {
        let client = client(network);
        let Started { handle, view } = world.platform.sign_in().start(start, &client).await?;
        Ok(Self {
            client,
            handle,
            view,
            device: None,
            done: None,
        })
    }

    /// Begins a sign-in in no particular tenant.
    pub(crate) async fn anywhere(world: &World) -> Self {
        let start = StartFlow::sign_in(Transport::Cookie);
        Self::start(world, start).await.unwrap()
    }

    /// Begins a sign-in in a tenant.
    pub(crate) async fn at_tenant(world: &World, tenant: &Tenant) -> Self {
        Self::start(world, sign_in_at(tenant)).await.unwrap()
    }

    /// Begins another flow in the same browser.
    pub(crate) async fn again(&self, world: &World, start: StartFlow) -> Result<Self> {
        let sign_in = world.platform.sign_in();
        let Started { handle, view } = sign_in.start(start, &self.client).await?;
        Ok(Self {
            handle,
            view,
            done: None,
            ..self.clone()
        })
    }

    /// Begins to set a provider up, in this browser's session.
    pub(crate) async fn enrolling(&self, world: &World, target: &str) -> Self {
        let start = StartFlow {
            intent: Intent::Enrol,
            session: Some(world.session(self).await),
            target: Some(provider(target)),
            ..StartFlow::sign_in(Transport::Cookie)
        };
        self.again(world, start).await.unwrap()
    }

    /// Answers the step that it sees.
    pub(crate) async fn answer(
        &mut self,
        world: &World,
        provider: &str,
        answer: ReplyAnswer,
    ) -> Result<Progress> {
        let reply = Reply {
            step: Some(self.step().to_owned()),
            provider: provider.to_owned(),
            answer,
            device: self.device.clone(),
            stay: false,
        };
        self.send(world, reply).await
    }

    pub(crate) async fn send(&mut self, world: &World, reply: Reply) -> Result<Progress> {
        let sign_in = world.platform.sign_in();
        let progress = sign_in.answer(&self.handle, reply, &self.client).await?;
        self.note(&progress);
        Ok(progress)
    }

    pub(crate) async fn fill(
        &mut self,
        world: &World,
        provider: &str,
        values: &[(&str, &str)],
    ) -> Result<Progress> {
        self.answer(world, provider, fields(values)).await
    }

    pub(crate) async fn word(&mut self, world: &World, name: &str, word: &str) -> Result<Progress> {
        let values = [("user_name", name), ("password", word)];
        self.fill(world, "password", &values).await
    }

    pub(crate) async fn code(&mut self, world: &World, code: &str) -> Result<Progress> {
        self.fill(world, "code", &[("code", code)]).await
    }

    pub(crate) async fn change_word(&mut self, world: &World, word: &str) -> Result<Progress> {
        let values = [("new_password", word)];
        self.fill(world, "duty:change-credential", &values).await
    }

    pub(crate) async fn go(&mut self, world: &World, provider: &str) -> Result<Progress> {
        self.answer(world, provider, ReplyAnswer::Go).await
    }

    /// Comes back from a third party.
    pub(crate) async fn come_back(
        &mut self,
        world: &World,
        connection: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Progress> {
        let parameters = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
            .collect();
        let sign_in = world.platform.sign_in();
        let connection = provider(connection);
        let device = self.device.clone();
        let back = sign_in.callback(&connection, &self.handle, parameters, &self.client, device);
        let progress = back.await?;
        self.note(&progress);
        Ok(progress)
    }

    pub(crate) fn note(&mut self, progress: &Progress) {
        match progress {
            Progress::Next { view, binding, .. } => {
                self.view = view.clone();
                if binding.is_some() {
                    self.handle.binding.clone_from(binding);
                }
            }
            Progress::Refused { view, .. }
            | Progress::Invalid { view, .. }
            | Progress::Ended { view, .. } => {
                self.view = view.clone();
            }
            Progress::Complete(completed) => {
                self.view = completed.view.clone();
                self.device = Some(completed.device.clone());
                self.done = Some(completed.clone());
            }
        }
    }

    /// The session's token, once it is signed in.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.done.as_ref().map(|done| &done.token)
    }

    pub(crate) fn amr(&self) -> Vec<&str> {
        self.done.as_ref().unwrap().session.amr()
    }

    /// The id of the step that it sees.
    pub(crate) fn step(&self) -> &str {
        self.view.step.as_ref().map_or("", |step| step.id.as_str())
    }

    /// Who asks: the providers on offer, or the one with a step of its own.
    pub(crate) fn asked_by(&self) -> Vec<String> {
        match self.view.step.as_ref().map(|step| &step.body) {
            None => Vec::new(),
            Some(StepBody::Choose { providers, .. }) => {
                providers.iter().map(|offer| offer.id.clone()).collect()
            }
            Some(
                StepBody::Prompt { provider, .. }
                | StepBody::Redirect { provider, .. }
                | StepBody::Challenge { provider, .. }
                | StepBody::Wait { provider, .. },
            ) => vec![provider.clone()],
        }
    }
}

pub(crate) fn sign_in_at(tenant: &Tenant) -> StartFlow {
    StartFlow {
        tenant: Some(TenantRef::Id(tenant.id)),
        ..StartFlow::sign_in(Transport::Cookie)
    }
}

pub(crate) fn fields(values: &[(&str, &str)]) -> ReplyAnswer {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
    ReplyAnswer::Fields(values.collect::<BTreeMap<_, _>>())
}

pub(crate) fn refused(progress: &Progress) -> bool {
    matches!(progress, Progress::Refused { .. })
}

/// Whether two clients see the same but for the ids of their flows and steps.
pub(crate) fn views_equal(one: &FlowView, other: &FlowView) -> bool {
    let plain = |view: &FlowView| {
        let mut view = view.clone();
        view.id.clear();
        if let Some(step) = &mut view.step {
            step.id.clear();
        }
        serde_json::to_string(&view).unwrap()
    };
    plain(one) == plain(other)
}
