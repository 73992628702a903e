//! A small stand-in for the engine: it hands the provider what the contract
//! promises, and applies what the contract says it applies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatelodge_core::{
    Environment, Error, ErrorKind, Result,
    environment::{ManualClock, SeededRandom},
    model::{ClientFacts, FactorClass, NameKey, ProviderId, RecordId, TenantId, UserId},
    provider::{
        Answer, Configured, Context, Credential, Description, Effect, Entry, Facts, Finding,
        HttpRequest, HttpResponse, Intent, KeptRecord, MessageChannel, PastProof, Provider,
        Rechecked, Registry, Role, Services, State, Step, Strength, Subject, TenantFacts,
        ThirdParty, Turn, Who,
    },
};
use jiff::Timestamp;
use url::Url;

use crate::{
    Fixture, Person, Purpose, Seen,
    carry::carry,
    records::{NotApplied, Owner, Records},
};

/// Long before and long after any wall clock that this runs under.
pub(crate) const THEN: &str = "2001-09-09T01:46:40Z";
/// See [`THEN`].
pub(crate) const LATER: &str = "2096-02-29T12:00:00Z";
/// Who sends messages may let some time pass between two.
pub(crate) const PAUSE: Duration = Duration::from_secs(600);
/// The names of the tenants.
const TENANTS: [&str; 2] = ["acme", "globex"];
/// The names of the people and the tenants they are in.
const PEOPLE: [(&str, usize); 3] = [("ada", 0), ("bob", 0), ("ada", 1)];

/// What a flow is about: the ways a provider is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// A sign-in starts with it.
    FirstStep,
    /// It confirms whom another provider proved.
    SecondFactor,
    /// It proves a signed-in user again.
    Again,
    /// It is set up.
    Enrol,
}

/// A flow, as the engine keeps it.
#[derive(Clone)]
pub(crate) struct Flow {
    pub(crate) how: How,
    pub(crate) intent: Intent,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) subject: Option<Subject>,
    pub(crate) locale: String,
    oauth_state: String,
}

/// Where a flow stands.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) step: Step,
    pub(crate) state: State,
}

/// One call of the provider and what came of it.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) how: How,
    /// Where the flow stood; `None` at its beginning.
    pub(crate) place: Option<Place>,
    pub(crate) entry: Option<Entry>,
    pub(crate) answer: Option<Answer>,
    pub(crate) turn: Option<Turn>,
    /// All that `Debug` and `Display` show of it.
    pub(crate) shown: Vec<String>,
    /// How often the outside was asked.
    pub(crate) fetches: usize,
    pub(crate) now: Timestamp,
}

/// The engine's place.
pub(crate) struct Bench {
    pub(crate) fixture: Box<dyn Fixture>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) description: Description,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) records: Records,
    pub(crate) exchanges: Vec<Exchange>,
    environment: Environment,
    accounts: Vec<(TenantId, Subject)>,
    flows: u64,
    /// Whether another instance of the provider answers each time.
    pub(crate) takes_turns: bool,
    /// Whether sign-ins begin without a tenant.
    pub(crate) without_tenant: bool,
}

/// The provider's id in all flows.
pub(crate) fn provider_id() -> ProviderId {
    ProviderId::new("suite-1").expect("it is short and plain")
}

/// Makes the provider by its own `register`, from its table.
pub(crate) fn configure(fixture: &dyn Fixture) -> Configured {
    let mut registry = Registry::new();
    fixture.register(&mut registry);
    let kinds: Vec<_> = registry.kinds().collect();
    let [kind] = kinds.as_slice() else {
        panic!("`register` adds one kind of provider, this one added {kinds:?}");
    };
    registry
        .configure(provider_id(), kind, fixture.table())
        .unwrap_or_else(|error| panic!("the fixture's table is not accepted: {error:?}"));
    registry
        .provider(&provider_id())
        .cloned()
        .expect("it was added")
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

impl Bench {
    pub(crate) fn new(fixture: Box<dyn Fixture>, now: &str) -> Self {
        let configured = configure(&*fixture);
        let clock = ManualClock::at(time(now));
        // Ids are the same whatever the clock shows.
        let ids = Environment::new(ManualClock::at(time(THEN)), SeededRandom::new(1));
        let tenants = TENANTS.map(|_| TenantId::generate(&ids));
        let account = |(name, tenant): (&str, usize)| {
            let domain = TENANTS.get(tenant).copied().unwrap_or_default();
            let subject = Subject {
                id: UserId::generate(&ids),
                user_name: name.to_owned(),
                display_name: name.to_owned(),
                email: Some(format!("{name}@{domain}.example")),
                email_verified: true,
            };
            (tenants.get(tenant).copied().expect("a tenant"), subject)
        };
        Self {
            provider: configured.provider,
            description: configured.description,
            environment: Environment::new(clock.clone(), SeededRandom::new(2)),
            clock,
            records: Records::default(),
            exchanges: Vec::new(),
            accounts: PEOPLE.map(account).into(),
            flows: 0,
            takes_turns: false,
            without_tenant: false,
            fixture,
        }
    }

    /// Ada of the first tenant.
    pub(crate) fn ada(&self) -> Person {
        self.person(0)
    }

    /// Bob of the first tenant.
    pub(crate) fn bob(&self) -> Person {
        self.person(1)
    }

    /// Ada of the second tenant.
    pub(crate) fn other_ada(&self) -> Person {
        self.person(2)
    }

    fn person(&self, index: usize) -> Person {
        let (tenant, subject) = self.accounts.get(index).expect("an account");
        Person {
            tenant: *tenant,
            id: subject.id,
            user_name: subject.user_name.clone(),
            credential: 1,
            notes: Default::default(),
            inbox: Vec::new(),
            index: u32::try_from(index).unwrap_or_default(),
        }
    }

    /// Takes away somebody's account; the name is a stranger's then.
    pub(crate) fn forget(&mut self, person: &Person) {
        self.accounts.retain(|(_, subject)| subject.id != person.id);
    }

    /// Begins the random bytes anew.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.environment = Environment::new(self.clock.clone(), SeededRandom::new(seed));
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// A new flow of somebody who may exist or not.
    pub(crate) fn flow(&mut self, claim: &Person, how: How) -> Flow {
        self.flows += 1;
        let known = how != How::FirstStep;
        Flow {
            how,
            intent: match how {
                How::FirstStep | How::SecondFactor => Intent::SignIn,
                How::Again => Intent::Reprove,
                How::Enrol => Intent::Enrol,
            },
            tenant: (known || !self.without_tenant).then_some(claim.tenant),
            subject: known.then(|| self.look_up(claim.tenant, &claim.user_name)),
            locale: "en".to_owned(),
            oauth_state: format!("{:0>43}", self.flows),
        }
    }

    /// The user with a name, or a decoy.
    fn look_up(&self, tenant: TenantId, name: &str) -> Subject {
        let key = NameKey::of(name);
        let found = self
            .accounts
            .iter()
            .find(|(of, subject)| *of == tenant && NameKey::of(&subject.user_name) == key);
        found.map_or_else(|| decoy(name), |(_, subject)| subject.clone())
    }

    /// The tenant in which there is somebody of that name, if there is but one.
    fn only_tenant(&self, name: &str) -> Option<TenantId> {
        let key = NameKey::of(name);
        let mut found = self
            .accounts
            .iter()
            .filter(|(_, subject)| NameKey::of(&subject.user_name) == key);
        match (found.next(), found.next()) {
            (Some((tenant, _)), None) => Some(*tenant),
            _ => None,
        }
    }

    pub(crate) fn exists(&self, id: UserId) -> bool {
        self.accounts.iter().any(|(_, subject)| subject.id == id)
    }

    pub(crate) fn facts(&self, flow: &Flow) -> Facts {
        let origin: Url = "https://gatelodge.example".parse().expect("an address");
        let past = PastProof {
            provider: ProviderId::new("first").expect("it is short and plain"),
            class: match self.description.class {
                FactorClass::Knowledge => FactorClass::Possession,
                _ => FactorClass::Knowledge,
            },
            amr: "first".to_owned(),
            at: self.environment.now(),
        };
        let second = flow.how == How::SecondFactor;
        let [first_name, other_name] = TENANTS;
        let tenant_name = |id: TenantId| match self.accounts.first() {
            Some((first, _)) if *first == id => first_name,
            _ => other_name,
        };
        Facts {
            provider: provider_id(),
            intent: flow.intent,
            tenant: flow.tenant.map(|id| TenantFacts {
                id,
                name: tenant_name(id).to_owned(),
                display_name: tenant_name(id).to_owned(),
            }),
            subject: flow.subject.clone(),
            proofs: second.then_some(past).into_iter().collect(),
            demanded: if second {
                Strength::TwoFactors
            } else {
                Strength::OneFactor
            },
            now: self.environment.now(),
            callback: origin.join("/callback/suite-1").ok(),
            rp_id: "gatelodge.example".to_owned(),
            origin,
            oauth_state: Some(flow.oauth_state.clone()),
            channels: MessageChannel::ALL.to_vec(),
            locale: flow.locale.clone(),
            client: ClientFacts {
                address: Some("192.0.2.7".to_owned()),
                network: Some("192.0.2.7".to_owned()),
                user_agent: Some("Suite/1.0".to_owned()),
                request_id: None,
            },
        }
    }

    /// Begins.
    pub(crate) async fn begin(&mut self, flow: &Flow, entry: Entry) -> Result<Turn> {
        self.exchange(flow, None, Some(entry), None).await
    }

    /// Answers. Who it is, where that is asked, is looked up first.
    pub(crate) async fn resume(
        &mut self,
        flow: &mut Flow,
        place: &Place,
        answer: Answer,
    ) -> Result<Turn> {
        if self.takes_turns {
            self.provider = configure(&*self.fixture).provider;
        }
        if flow.how == How::FirstStep
            && let Some(name) = identifier(&place.step)
        {
            flow.subject = None;
            if let Some(name) = answer.field(&name) {
                flow.tenant = flow.tenant.or_else(|| self.only_tenant(name.expose()));
                flow.subject = Some(match flow.tenant {
                    Some(tenant) => self.look_up(tenant, name.expose()),
                    None => decoy(name.expose()),
                });
            }
        }
        self.exchange(flow, Some(place), None, Some(answer)).await
    }

    async fn exchange(
        &mut self,
        flow: &Flow,
        place: Option<&Place>,
        entry: Option<Entry>,
        answer: Option<Answer>,
    ) -> Result<Turn> {
        let facts = carry(&self.facts(flow));
        let desk = self.desk(flow);
        let context = Context {
            facts: &facts,
            services: &desk,
        };
        let (entry, answer) = (entry.as_ref().map(carry), answer.as_ref().map(carry));
        let state = place.map(|place| carry(&place.state));
        let mut shown = vec![format!("{facts:?} {entry:?} {answer:?} {state:?}")];
        let enrolment = (flow.how == How::Enrol).then(|| {
            let enrolment = self.provider.enrolment();
            enrolment.expect("it declares that people set it up for themselves")
        });
        let outcome = match (enrolment, state, &entry, &answer) {
            (None, None, Some(entry), _) => self.provider.begin(&context, entry.clone()).await,
            (None, Some(state), _, Some(answer)) => {
                self.provider.resume(&context, state, answer.clone()).await
            }
            (Some(enrolment), Some(state), _, Some(answer)) => {
                enrolment.resume(&context, state, answer.clone()).await
            }
            (Some(enrolment), _, _, _) => enrolment.begin(&context).await,
            (None, _, _, _) => panic!("neither an entry nor an answer"),
        };
        let outcome = outcome.map(|turn| carry(&turn));
        shown.push(match &outcome {
            Ok(turn) => format!("{turn:?} {:?} {:?}", turn.state, turn.effects),
            Err(error) => format!("{error} {error:?}"),
        });
        let exchange = Exchange {
            how: flow.how,
            place: place.cloned(),
            entry,
            answer,
            turn: outcome.as_ref().ok().cloned(),
            shown,
            fetches: desk.fetches.load(Ordering::SeqCst),
            now: facts.now,
        };
        self.exchanges.push(exchange);
        outcome
    }

    fn desk(&self, flow: &Flow) -> Desk<'_> {
        Desk {
            bench: self,
            tenant: flow.tenant,
            user: flow.subject.as_ref().map(|subject| subject.id),
            fetches: AtomicUsize::new(0),
        }
    }

    /// What the subject of an enrolment has set up.
    pub(crate) async fn list(&mut self, person: &Person) -> Vec<Credential> {
        let flow = self.flow(person, How::Enrol);
        let facts = carry(&self.facts(&flow));
        let desk = self.desk(&flow);
        let context = Context {
            facts: &facts,
            services: &desk,
        };
        let enrolment = self.provider.enrolment().expect("it is declared");
        let list = enrolment.list(&context).await;
        carry(&list.unwrap_or_else(|error| panic!("the list is not answered: {error:?}")))
    }

    /// The effects that take a credential back.
    pub(crate) async fn remove(&mut self, person: &Person, id: RecordId) -> Result<Vec<Effect>> {
        let flow = self.flow(person, How::Enrol);
        let facts = carry(&self.facts(&flow));
        let desk = self.desk(&flow);
        let context = Context {
            facts: &facts,
            services: &desk,
        };
        let enrolment = self.provider.enrolment().expect("it is declared");
        let effects = enrolment.remove(&context, carry(&id)).await?;
        Ok(carry(&effects))
    }

    /// Asks whether somebody may still come in.
    pub(crate) async fn recheck(&mut self, person: &Person, kept: &State) -> Result<Rechecked> {
        let flow = self.flow(person, How::Again);
        let facts = carry(&self.facts(&flow));
        let desk = self.desk(&flow);
        let context = Context {
            facts: &facts,
            services: &desk,
        };
        let rechecked = self.third_party().recheck(&context, &carry(kept)).await?;
        Ok(carry(&rechecked))
    }

    /// What it finds out about its own connection.
    pub(crate) async fn diagnose(&mut self, person: &Person) -> Vec<Finding> {
        let flow = self.flow(person, How::FirstStep);
        let facts = carry(&self.facts(&flow));
        let desk = self.desk(&flow);
        let context = Context {
            facts: &facts,
            services: &desk,
        };
        carry(&self.third_party().diagnose(&context).await)
    }

    fn third_party(&self) -> &dyn ThirdParty {
        self.provider.third_party().expect("it is declared")
    }

    /// Applies a turn's effects, and puts messages into the inbox of the person
    /// they are for. Answers whether some came.
    pub(crate) fn apply(
        &mut self,
        flow: &Flow,
        turn: &Turn,
        person: &mut Person,
    ) -> Result<bool, NotApplied> {
        let subject = flow.subject.as_ref().map(|subject| subject.id);
        let proven = match &turn.step {
            Step::Proven { proof } => match &proof.who {
                Who::Candidates { users } => users.first().map(|(_, user)| *user),
                _ => None,
            },
            _ => None,
        };
        let user = subject.or(proven);
        // Of a decoy nothing is kept, and it has no address.
        if user.is_some_and(|user| !self.exists(user)) {
            return Ok(false);
        }
        let owner = Owner {
            tenant: flow.tenant.unwrap_or(person.tenant),
            user,
        };
        let environment = self.environment.clone();
        let messages = self.records.apply(owner, &turn.effects, &environment)?;
        let sent = !messages.is_empty() && user == Some(person.id);
        if sent {
            person.inbox.extend(messages);
        }
        Ok(sent)
    }

    /// What somebody answers who gets on.
    pub(crate) fn right(&self, person: &mut Person, flow: &Flow, step: &Step) -> Answer {
        let facts = self.facts(flow);
        self.fixture.right(person, &seen(flow, step, &facts))
    }

    /// Wrong answers of the right form.
    pub(crate) fn wrong(&self, person: &Person, flow: &Flow, step: &Step) -> Vec<Answer> {
        let facts = self.facts(flow);
        self.fixture.wrong(person, &seen(flow, step, &facts))
    }

    /// The fixture's own malformed answers.
    pub(crate) fn malformed(&self, person: &Person, flow: &Flow, step: &Step) -> Vec<Answer> {
        let facts = self.facts(flow);
        self.fixture.malformed(person, &seen(flow, step, &facts))
    }
}

fn seen<'a>(flow: &Flow, step: &'a Step, facts: &'a Facts) -> Seen<'a> {
    Seen {
        step,
        purpose: match flow.how {
            How::Enrol => Purpose::Enrol,
            _ => Purpose::Prove,
        },
        now: facts.now,
        origin: &facts.origin,
    }
}

/// The name of the field that asks who it is.
pub(crate) fn identifier(step: &Step) -> Option<String> {
    let Step::Prompt { form } = step else {
        return None;
    };
    form.fields
        .iter()
        .find(|field| field.role == Role::Identifier)
        .map(|field| field.name.clone())
}

fn decoy(name: &str) -> Subject {
    let seed = name.bytes().fold(3, |seed: u64, byte| {
        seed.wrapping_mul(257).wrapping_add(byte.into())
    });
    let ids = Environment::new(ManualClock::at(time(THEN)), SeededRandom::new(seed));
    Subject {
        id: UserId::generate(&ids),
        user_name: name.to_owned(),
        display_name: name.to_owned(),
        email: None,
        email_verified: false,
    }
}

/// What a provider may ask while it runs.
struct Desk<'a> {
    bench: &'a Bench,
    tenant: Option<TenantId>,
    user: Option<UserId>,
    fetches: AtomicUsize,
}

#[async_trait]
impl Services for Desk<'_> {
    fn random(&self, bytes: &mut [u8]) {
        self.bench.environment.fill(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        let Some(tenant) = self.tenant else {
            return Ok(Vec::new());
        };
        let owner = Owner {
            tenant,
            user: self.user,
        };
        let now = self.bench.environment.now();
        Ok(carry(&self.bench.records.of_user(owner, now)))
    }

    async fn record_by_key(&self, key: &str) -> Result<Option<KeptRecord>> {
        let Some(tenant) = self.tenant else {
            return Ok(None);
        };
        let now = self.bench.environment.now();
        let key = carry(&key.to_owned());
        Ok(carry(&self.bench.records.by_key(tenant, &key, now)))
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let request = carry(&request);
        assert!(
            matches!(request.method.as_str(), "GET" | "POST"),
            "only `GET` and `POST` go outside"
        );
        assert_eq!(request.url.scheme(), "https", "only `https` goes outside");
        assert!(
            request.timeout > Duration::ZERO,
            "a request outside has a limit in time"
        );
        let response = carry(&self.bench.fixture.fetch(&request)?);
        if response.body.0.len() > 256 * 1024 {
            return Err(Error::new(ErrorKind::Unavailable, "the answer is too long"));
        }
        Ok(response)
    }
}
