//! Walking through flows of the engine as a client does.

use gatelodge_core::{
    Error, Result,
    engine::{
        Completed, FlowView, Progress, Reply, ReplyAnswer, StartFlow, Started, StepBody, StepView,
        Transport,
    },
    provider::{Answer, ChallengeKind, Entry, Form, Role, Step},
};
use serde_json::Value;

use super::{Handle, House, MOST_STEPS, client};
use crate::{
    Person, Purpose,
    bench::{How, provider_id},
    stage::naming,
};

/// A flow, as its client holds it.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) handle: Handle,
    pub(crate) how: How,
    pub(crate) view: FlowView,
    /// What was answered to the provider in it.
    pub(crate) answers: Vec<Answer>,
}

/// What an answer led to.
pub(crate) enum Reached {
    Next,
    Session(Box<Completed>),
    /// Refused or invalid, as the client sees it.
    Nothing {
        refused: bool,
        bytes: String,
    },
    Fault(Error),
}

impl Reached {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Next => "another step".to_owned(),
            Self::Session(_) => "a session".to_owned(),
            Self::Nothing { bytes, .. } => bytes.clone(),
            Self::Fault(error) => format!("{error:?}"),
        }
    }

    pub(crate) fn is_session(&self) -> bool {
        matches!(self, Self::Session(_))
    }
}

impl Visit {
    pub(super) fn of(started: Started, how: How) -> Self {
        Self {
            handle: started.handle,
            how,
            view: started.view,
            answers: Vec::new(),
        }
    }

    pub(crate) fn step_id(&self) -> Option<String> {
        self.view.step.as_ref().map(|step| step.id.clone())
    }

    /// Whether there is something to choose from.
    pub(super) fn is_choice(&self) -> bool {
        let step = self.view.step.as_ref();
        step.is_some_and(|step| matches!(step.body, StepBody::Choose { .. }))
    }

    /// Whether a provider asks in its form who it is.
    pub(super) fn offers_identifier(&self, provider: &str) -> bool {
        let Some(Shown::Step(step)) = self.shown(provider) else {
            return false;
        };
        let Step::Prompt { form } = *step else {
            return false;
        };
        form.fields
            .iter()
            .any(|field| field.role == Role::Identifier)
    }

    /// What the flow shows of a provider.
    fn shown(&self, provider: &str) -> Option<Shown> {
        let StepView { body, .. } = self.view.step.as_ref()?;
        let step = match body {
            StepBody::Choose { providers, .. } => {
                let offer = providers.iter().find(|offer| offer.id == provider)?;
                return Some(match (&offer.form, &offer.challenge) {
                    (Some(form), _) => Shown::step(Step::Prompt { form: form.clone() }),
                    (None, Some(options)) => Shown::step(Step::Challenge {
                        challenge: ChallengeKind::WebauthnGet,
                        options: options.clone(),
                    }),
                    (None, None) => Shown::ToBeChosen,
                });
            }
            StepBody::Prompt { provider: by, form } if by == provider => {
                Step::Prompt { form: form.clone() }
            }
            StepBody::Redirect { provider: by, url } if by == provider => Step::Redirect {
                url: url.parse().expect("an address"),
            },
            StepBody::Challenge {
                provider: by,
                challenge,
                options,
            } if by == provider => Step::Challenge {
                challenge: *challenge,
                options: options.clone(),
            },
            StepBody::Wait {
                provider: by,
                poll_after,
            } if by == provider => Step::Wait {
                poll_after_ms: *poll_after,
            },
            _ => return None,
        };
        Some(Shown::step(step))
    }
}

/// Whether a third party said who it is, and nobody is linked to that.
fn is_new(view: &FlowView) -> bool {
    let body = view.step.as_ref().map(|step| &step.body);
    matches!(body, Some(StepBody::Prompt { provider, .. }) if provider == "duty:new-account")
}

/// What a flow shows of a provider.
enum Shown {
    Step(Box<Step>),
    ToBeChosen,
}

impl Shown {
    fn step(step: Step) -> Self {
        Self::Step(Box::new(step))
    }
}

impl House {
    /// Begins a flow and goes on in it until the provider is asked. `Err` when
    /// it ends before that.
    pub(crate) async fn enter(
        &mut self,
        claim: &Person,
        entry: &Entry,
        how: How,
    ) -> Result<Visit, Reached> {
        let mut start = self.start(claim, Transport::Cookie);
        if let (Entry::Link { purpose, token }, How::FirstStep) = (entry, how) {
            start.link = Some((*purpose, token.clone()));
            self.given.push(token.clone());
        }
        // What can also start a sign-in is an alternative, and what stands in for
        // another one demands nothing: they confirm where two factors are asked for.
        start.two_factors = how == How::SecondFactor
            && self.description.second_factor
            && (self.description.first_step || self.description.backup);
        let mut visit = self.begin(start, how).await?;
        if how == How::SecondFactor {
            match self.say_the_word(&mut visit, claim).await {
                Reached::Next => {}
                other => return Err(other),
            }
        }
        Ok(visit)
    }

    async fn begin(&mut self, start: StartFlow, how: How) -> Result<Visit, Reached> {
        let started = self.platform.sign_in().start(start, &client()).await;
        match started {
            Ok(started) => {
                self.seen.push(format!("{started:?}"));
                Ok(Visit::of(started, how))
            }
            Err(error) => {
                self.seen.push(format!("{error} {error:?}"));
                Err(Reached::Fault(error))
            }
        }
    }

    /// What the provider asks in a flow; it is chosen first where it must be.
    pub(crate) async fn step_of(&mut self, visit: &mut Visit) -> Step {
        let provider = provider_id();
        if let Some(Shown::ToBeChosen) = visit.shown(provider.as_str()) {
            let progress = self.send(visit, provider.as_str(), &Answer::Poll {}).await;
            if let Reached::Fault(error) = self.reached(visit, progress) {
                panic!("{:?}: choosing it fails: {error:?}", visit.how);
            }
        }
        match visit.shown(provider.as_str()) {
            Some(Shown::Step(step)) => *step,
            _ => panic!(
                "{:?}: the provider is not asked, but {:?}",
                visit.how, visit.view.step
            ),
        }
    }

    /// Answers the provider's step.
    pub(crate) async fn answer(&mut self, visit: &mut Visit, answer: &Answer) -> Reached {
        visit.answers.push(answer.clone());
        self.answer_to(visit, provider_id().as_str(), answer).await
    }

    pub(super) async fn answer_to(
        &mut self,
        visit: &mut Visit,
        provider: &str,
        answer: &Answer,
    ) -> Reached {
        let shown = match visit.shown(provider) {
            Some(Shown::Step(step)) => Some(step),
            _ => None,
        };
        self.note_secrets(answer, shown.as_deref());
        let progress = self.send(visit, provider, answer).await;
        self.reached(visit, progress)
    }

    /// Answers in two flows at the same time, or twice in one.
    pub(crate) async fn race(
        &mut self,
        visits: (&mut Visit, &mut Visit),
        answer: &Answer,
    ) -> (Reached, Reached) {
        let id = provider_id();
        let (one, other) = tokio::join!(
            self.send(visits.0, id.as_str(), answer),
            self.send(visits.1, id.as_str(), answer),
        );
        (self.reached(visits.0, one), self.reached(visits.1, other))
    }

    async fn send(&self, visit: &Visit, provider: &str, answer: &Answer) -> Result<Progress> {
        let answer = match answer {
            Answer::Fields { values } => ReplyAnswer::Fields(values.clone()),
            Answer::Action { action } => ReplyAnswer::Action(action.clone()),
            Answer::Browser { response } => ReplyAnswer::Browser(response.clone()),
            Answer::Poll {} => ReplyAnswer::Go,
            Answer::Callback { parameters } => {
                let (id, parameters) = (provider_id(), parameters.clone());
                let sign_in = self.platform.sign_in();
                return sign_in
                    .callback(&id, &visit.handle, parameters, &client(), None)
                    .await;
            }
        };
        let reply = Reply {
            step: visit.step_id(),
            provider: provider.to_owned(),
            answer,
            device: None,
            stay: false,
        };
        let sign_in = self.platform.sign_in();
        sign_in.answer(&visit.handle, reply, &client()).await
    }

    fn reached(&mut self, visit: &mut Visit, progress: Result<Progress>) -> Reached {
        self.note(&progress);
        match progress {
            Err(error) => Reached::Fault(error),
            Ok(Progress::Next { view, binding, .. }) => {
                let is_nobody = is_new(&view);
                visit.view = view;
                if binding.is_some() {
                    visit.handle.binding = binding;
                }
                match is_nobody {
                    true => Reached::Nothing {
                        refused: true,
                        bytes: "nobody is linked to that identity".to_owned(),
                    },
                    false => Reached::Next,
                }
            }
            Ok(Progress::Refused { view, hold_until }) => {
                let bytes = format!("refused {} {hold_until:?}", masked(&view));
                visit.view = view;
                Reached::Nothing {
                    refused: true,
                    bytes,
                }
            }
            Ok(Progress::Invalid { view, errors }) => Reached::Nothing {
                refused: false,
                bytes: format!("invalid {} {errors:?}", masked(&view)),
            },
            Ok(Progress::Ended { view, purpose }) => Reached::Nothing {
                refused: false,
                bytes: format!("ended {} {purpose:?}", masked(&view)),
            },
            Ok(Progress::Complete(completed)) => {
                visit.view = completed.view.clone();
                Reached::Session(completed)
            }
        }
    }

    /// The way of `by`, who says that it is `claim`, with right answers, until
    /// it ends or `stop` answers were given.
    pub(crate) async fn walk(
        &mut self,
        claim: &Person,
        by: &mut Person,
        how: How,
        stop: usize,
    ) -> (Option<Visit>, Reached) {
        by.inbox.clear();
        let entry = self.fixture.entry(by);
        let mut visit = match self.enter(claim, &entry, how).await {
            Ok(visit) => visit,
            Err(reached) => return (None, reached),
        };
        for _ in 0..stop.min(MOST_STEPS) {
            let answer = self.right(&mut visit, claim, by).await;
            match self.answer(&mut visit, &answer).await {
                Reached::Next => {}
                ended => return (Some(visit), ended),
            }
        }
        (Some(visit), Reached::Next)
    }

    /// What is right for `by` at this step, in the name of `claim`.
    pub(crate) async fn right(
        &mut self,
        visit: &mut Visit,
        claim: &Person,
        by: &mut Person,
    ) -> Answer {
        let step = self.step_of(visit).await;
        self.fetch_mail(by).await;
        let answer = self.fixture.right(by, &self.seen_by(&step, Purpose::Prove));
        naming(answer, &step, &claim.user_name)
    }

    /// What is wrong for everybody at this step, in the name of `claim`.
    pub(crate) async fn wrong(&mut self, visit: &mut Visit, claim: &Person) -> Vec<Answer> {
        let step = self.step_of(visit).await;
        let wrong = self
            .fixture
            .wrong(claim, &self.seen_by(&step, Purpose::Prove));
        wrong
            .into_iter()
            .map(|answer| naming(answer, &step, &claim.user_name))
            .collect()
    }

    fn note_secrets(&mut self, answer: &Answer, step: Option<&Step>) {
        let form = match step {
            Some(Step::Prompt { form }) => form.clone(),
            _ => Form::default(),
        };
        for field in form.fields {
            if matches!(field.role, Role::Secret | Role::Code) {
                self.given.extend(answer.field(&field.name).cloned());
            }
        }
        if let Answer::Callback { parameters } = answer {
            self.given.extend(parameters.get("code").cloned());
        }
    }
}

/// A view without what differs from flow to flow: ids, and what a provider
/// draws at random.
pub(crate) fn masked(view: &FlowView) -> String {
    let mut view = serde_json::to_value(view).expect("a view is JSON");
    mask(&mut view);
    view.to_string()
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(values) => {
            for (name, value) in values {
                match name.as_str() {
                    "id" | "url" | "options" | "challenge" if !value.is_null() => {
                        *value = Value::from("…");
                    }
                    _ => mask(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        _ => {}
    }
}
