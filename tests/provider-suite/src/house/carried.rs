//! The providers of a house: the one that is tried, behind a way through JSON,
//! and a plain one to start a sign-in with.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{FactorClass, RecordId},
    provider::{
        Answer, Context, Credential, Description, Effect, Enrolment, Entry, Field, FieldKind,
        Finding, Form, HttpRequest, HttpResponse, Intent, Issued, KeptRecord, LinkRequest, Links,
        NewRecord, Proof, Provider, Rechecked, Role, Rule, Services, State, Step, ThirdParty, Turn,
    },
};
use url::Url;

use crate::{Fixture, carry::carry};

/// The word that proves who somebody is to [`First`].
pub(super) const WORD: &str = "the first word 4711";

/// The provider that is tried. What it is told and says goes through JSON, the
/// fixture stands in for third parties, and what is kept for people who do not
/// set it up for themselves can be planted by setting it up.
pub(super) struct Carried {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) fixture: Arc<dyn Fixture>,
    pub(super) planted: Arc<Mutex<Vec<NewRecord>>>,
}

impl Carried {
    fn enrols(&self) -> Option<&dyn Enrolment> {
        self.provider.enrolment()
    }
}

#[async_trait]
impl Provider for Carried {
    fn describe(&self) -> Description {
        let description: Description = carry(&self.provider.describe());
        Description {
            // What is kept of a third party are links, which the engine makes.
            enrolment: !description.third_party,
            ..description
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        let facts = carry(context.facts);
        let services = Asked(context.services, self.fixture.as_ref());
        let context = Context {
            facts: &facts,
            services: &services,
        };
        let turn = self.provider.begin(&context, carry(&entry)).await?;
        Ok(carry(&turn))
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        let facts = carry(context.facts);
        let services = Asked(context.services, self.fixture.as_ref());
        let context = Context {
            facts: &facts,
            services: &services,
        };
        let turn = self
            .provider
            .resume(&context, carry(&state), carry(&answer))
            .await?;
        Ok(carry(&turn))
    }

    fn busy(&self) -> Option<Duration> {
        carry(&self.provider.busy())
    }

    fn rules(&self) -> Vec<Rule> {
        carry(&self.provider.rules())
    }

    fn enrolment(&self) -> Option<&dyn Enrolment> {
        let is_third_party = self.provider.third_party().is_some();
        (!is_third_party).then_some(self as &dyn Enrolment)
    }

    fn links(&self) -> Option<&dyn Links> {
        self.provider.links().map(|_| self as &dyn Links)
    }

    fn third_party(&self) -> Option<&dyn ThirdParty> {
        self.provider.third_party().map(|_| self as &dyn ThirdParty)
    }
}

#[async_trait]
impl ThirdParty for Carried {
    async fn refresh(&self, context: &Context<'_>) -> Result<()> {
        let facts = carry(context.facts);
        let services = Asked(context.services, self.fixture.as_ref());
        let context = Context {
            facts: &facts,
            services: &services,
        };
        self.third()?.refresh(&context).await
    }

    async fn recheck(&self, context: &Context<'_>, kept: &State) -> Result<Rechecked> {
        let facts = carry(context.facts);
        let services = Asked(context.services, self.fixture.as_ref());
        let context = Context {
            facts: &facts,
            services: &services,
        };
        Ok(carry(&self.third()?.recheck(&context, &carry(kept)).await?))
    }

    fn proves_anew(&self) -> bool {
        self.third().is_ok_and(|third| third.proves_anew())
    }

    async fn sign_out(&self, context: &Context<'_>, back: &Url) -> Option<Url> {
        self.third().ok()?.sign_out(context, back).await
    }

    async fn diagnose(&self, context: &Context<'_>) -> Vec<Finding> {
        match self.third() {
            Ok(third) => carry(&third.diagnose(context).await),
            Err(_) => Vec::new(),
        }
    }
}

impl Carried {
    fn third(&self) -> Result<&dyn ThirdParty> {
        let third = self.provider.third_party();
        third.ok_or_else(|| Error::internal("nobody else is asked here"))
    }
}

#[async_trait]
impl Links for Carried {
    async fn issue(&self, context: &Context<'_>, request: &LinkRequest) -> Result<Issued> {
        let links = self.provider.links();
        let links = links.ok_or_else(|| Error::internal("no links are made here"))?;
        Ok(carry(&links.issue(context, &carry(request)).await?))
    }
}

#[async_trait]
impl Enrolment for Carried {
    async fn begin(&self, context: &Context<'_>) -> Result<Turn> {
        match self.enrols() {
            Some(enrolment) => Ok(carry(&enrolment.begin(context).await?)),
            None => Ok(Turn::prompt(Form::default())),
        }
    }

    async fn resume(&self, context: &Context<'_>, state: State, answer: Answer) -> Result<Turn> {
        if let Some(enrolment) = self.enrols() {
            let turn = enrolment.resume(context, carry(&state), carry(&answer));
            return Ok(carry(&turn.await?));
        }
        let planted = self.planted.lock().unwrap_or_else(PoisonError::into_inner);
        let records = planted.iter().cloned();
        let mut turn = Turn::step(Step::Enrolled {});
        turn.effects = records.map(|record| Effect::Put { record }).collect();
        Ok(turn)
    }

    async fn list(&self, context: &Context<'_>) -> Result<Vec<Credential>> {
        match self.enrols() {
            Some(enrolment) => Ok(carry(&enrolment.list(context).await?)),
            None => Ok(Vec::new()),
        }
    }

    async fn remove(&self, context: &Context<'_>, id: RecordId) -> Result<Vec<Effect>> {
        match self.enrols() {
            Some(enrolment) => Ok(carry(&enrolment.remove(context, id).await?)),
            None => Ok(Vec::new()),
        }
    }
}

/// The engine's services, with the fixture in place of the outside.
struct Asked<'a>(&'a dyn Services, &'a dyn Fixture);

#[async_trait]
impl Services for Asked<'_> {
    fn random(&self, bytes: &mut [u8]) {
        self.0.random(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        Ok(carry(&self.0.subject_records().await?))
    }

    async fn record_by_key(&self, key: &str) -> Result<Option<KeptRecord>> {
        Ok(carry(&self.0.record_by_key(key).await?))
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        Ok(carry(&self.1.fetch(&carry(&request))?))
    }
}

/// Proves everybody who knows one word: to sign in first with something else.
pub(super) struct First(pub(super) FactorClass);

#[async_trait]
impl Provider for First {
    fn describe(&self) -> Description {
        Description {
            kind: "suite-first".to_owned(),
            label: "Word".to_owned(),
            class: self.0,
            amr: "first".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: false,
            inline: true,
            links: Vec::new(),
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, context: &Context<'_>, entry: Entry) -> Result<Turn> {
        if matches!(entry, Entry::Link { .. }) {
            return Ok(Turn::refused("unknown_entry"));
        }
        let (text, secret) = (FieldKind::Text, FieldKind::Password);
        let who = Field::new("user_name", text, Role::Identifier, "Name", "username");
        let word = Field::new("word", secret, Role::Secret, "Word", "current-password");
        let known = context.facts.intent != Intent::SignIn;
        Ok(Turn::prompt(Form {
            fields: if known { vec![word] } else { vec![who, word] },
            ..Form::default()
        }))
    }

    async fn resume(&self, context: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        let knows = answer
            .field("word")
            .is_some_and(|word| word.expose() == WORD);
        Ok(match (&context.facts.subject, knows) {
            (Some(subject), true) => Turn::proven(Proof::of_subject(subject.id)),
            _ => Turn::refused("wrong_word"),
        })
    }
}
