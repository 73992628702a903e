use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    model::{FactorClass, ProviderId},
    provider::{
        Answer, Claim, Context, Description, Entry, ExternalIdentity, Finding, Intent, Proof,
        Provider, Rechecked, State, Step, ThirdParty, Turn, Verified, Who,
    },
};
use url::Url;

use super::{away, describe};
use crate::support::Interlude;

/// Somebody at a third party, as that says.
#[derive(Clone)]
pub(crate) struct Person {
    issuer: String,
    subject: String,
    claims: BTreeMap<String, Claim>,
    keep: State,
    /// Why they may not come in.
    barred: Option<String>,
    /// The connection that they are said to come by, if not by the true one.
    by: Option<ProviderId>,
    /// What else is said of the proof.
    twist: Option<fn(&mut Proof)>,
}

impl Person {
    pub(crate) fn new(subject: &str) -> Self {
        Self {
            issuer: "https://third.example".to_owned(),
            subject: subject.to_owned(),
            claims: BTreeMap::new(),
            keep: State::default(),
            barred: None,
            by: None,
            twist: None,
        }
    }

    pub(crate) fn claim(mut self, name: &str, value: &str, verified: Verified) -> Self {
        let value = value.to_owned();
        self.claims
            .insert(name.to_owned(), Claim { value, verified });
        self
    }

    pub(crate) fn address(self, address: &str, verified: Verified) -> Self {
        self.claim("email", address, verified)
    }

    pub(crate) fn called(self, user_name: &str) -> Self {
        self.claim("preferred_username", user_name, Verified::Claimed)
    }

    pub(crate) fn named(self, display_name: &str) -> Self {
        self.claim("name", display_name, Verified::Claimed)
    }

    pub(crate) fn at_issuer(mut self, issuer: &str) -> Self {
        self.issuer = issuer.to_owned();
        self
    }

    pub(crate) fn keeping(mut self, keep: &str) -> Self {
        self.keep = State(keep.as_bytes().to_vec());
        self
    }

    pub(crate) fn barred(mut self, reason: &str) -> Self {
        self.barred = Some(reason.to_owned());
        self
    }

    pub(crate) fn by(mut self, connection: ProviderId) -> Self {
        self.by = Some(connection);
        self
    }

    pub(crate) fn twisted(mut self, twist: fn(&mut Proof)) -> Self {
        self.twist = Some(twist);
        self
    }

    fn identity(&self, came_by: &ProviderId) -> ExternalIdentity {
        ExternalIdentity {
            connection: self.by.clone().unwrap_or_else(|| came_by.clone()),
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            claims: self.claims.clone(),
        }
    }
}

/// A third party that says of whoever brings a code what a test lets it say. The code
/// `fault` makes it fail.
#[derive(Default)]
pub(crate) struct Abroad {
    people: Mutex<BTreeMap<String, Person>>,
    /// The codes that were brought.
    brought: Mutex<Vec<String>>,
    intents: Mutex<Vec<Intent>>,
    rechecks: Mutex<VecDeque<Result<Rechecked>>>,
    asked: Mutex<Vec<State>>,
    interlude: Mutex<Option<Interlude>>,
    lingers: AtomicBool,
}

impl Abroad {
    /// From now on it cannot be made to have people prove anew who they are.
    pub(crate) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    /// Who brings this code is this person.
    pub(crate) fn says(&self, code: &str, person: Person) {
        self.people.lock().unwrap().insert(code.to_owned(), person);
    }

    /// How often a code was brought.
    pub(crate) fn brought(&self, code: &str) -> usize {
        let brought = self.brought.lock().unwrap();
        brought.iter().filter(|one| *one == code).count()
    }

    /// What the flows that began were for.
    pub(crate) fn intents(&self) -> Vec<Intent> {
        self.intents.lock().unwrap().clone()
    }

    /// What is answered when it is asked about somebody; nothing more: unknown.
    pub(crate) fn will_answer(&self, answers: impl IntoIterator<Item = Result<Rechecked>>) {
        self.rechecks.lock().unwrap().extend(answers);
    }

    /// With what it was asked about people since the last look.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let text = |kept: State| String::from_utf8(kept.0).unwrap();
        asked.into_iter().map(text).collect()
    }

    /// Lets something happen while it is asked, or a code is looked at.
    pub(crate) fn meanwhile(&self, interlude: Interlude) {
        *self.interlude.lock().unwrap() = Some(interlude);
    }

    async fn pause(&self) {
        let interlude = self.interlude.lock().unwrap().take();
        if let Some(interlude) = interlude {
            interlude.await;
        }
    }
}

#[async_trait]
impl Provider for Abroad {
    fn describe(&self) -> Description {
        Description {
            class: FactorClass::Federated,
            amr: "fed".to_owned(),
            finds_tenant: true,
            inline: false,
            third_party: true,
            ..describe("abroad")
        }
    }

    async fn begin(&self, context: &Context<'_>, _: Entry) -> Result<Turn> {
        self.intents.lock().unwrap().push(context.facts.intent);
        away::redirect(context)
    }

    async fn resume(&self, context: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        let Answer::Callback { parameters } = answer else {
            return Ok(Turn::refused("no_callback"));
        };
        self.pause().await;
        let code = parameters.get("code").map_or("", |code| code.expose());
        self.brought.lock().unwrap().push(code.to_owned());
        if code == "fault" {
            return Err(Error::new(ErrorKind::Unavailable, "nobody answers there"));
        }
        let Some(person) = self.people.lock().unwrap().get(code).cloned() else {
            return Ok(Turn::refused("access_denied"));
        };
        let identity = person.identity(&context.facts.provider);
        if let Some(reason) = person.barred {
            return Ok(Turn::step(Step::Barred { identity, reason }));
        }
        let mut proof = Proof {
            keep: person.keep,
            ..Proof::of(Who::External { identity })
        };
        if let Some(twist) = person.twist {
            twist(&mut proof);
        }
        Ok(Turn::proven(proof))
    }

    fn third_party(&self) -> Option<&dyn ThirdParty> {
        Some(self)
    }
}

#[async_trait]
impl ThirdParty for Abroad {
    async fn refresh(&self, _: &Context<'_>) -> Result<()> {
        Ok(())
    }

    async fn recheck(&self, _: &Context<'_>, kept: &State) -> Result<Rechecked> {
        self.asked.lock().unwrap().push(kept.clone());
        self.pause().await;
        let answer = self.rechecks.lock().unwrap().pop_front();
        answer.unwrap_or(Ok(Rechecked::Unknown {}))
    }

    fn proves_anew(&self) -> bool {
        !self.lingers.load(Ordering::Relaxed)
    }

    async fn sign_out(&self, _: &Context<'_>, _: &Url) -> Option<Url> {
        None
    }

    async fn diagnose(&self, _: &Context<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
