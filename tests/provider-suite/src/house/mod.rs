//! The real engine on a storage in memory, with the provider in it and people
//! who use it.

mod carried;
mod visit;

use std::sync::{Arc, Mutex, PoisonError};

use gatelodge_core::{
    Environment, ErrorKind, Parts, Platform,
    access::Caller,
    engine::{Completed, FlowHandle, Progress, StartFlow, Transport},
    environment::{ManualClock, SeededRandom},
    limits::LimitPolicy,
    messages::Messages,
    model::{
        ClientFacts, EffectiveSettings, Email, FactorClass, ProviderId, TenantId, TenantName, User,
        UserName, UserStatus,
    },
    provider::{Answer, Description, Intent, NewRecord, Registry, Step},
    seal::MasterKey,
    secret::Secret,
    service::{InitialCredential, NewLock, NewTenant, NewUser, TenantRef, UserPatch},
    storage::{Mode, Scope, Storage},
};
use gatelodge_storage_suite::memory::MemoryStorage;
use serde_json::Value;

pub(crate) use visit::{Reached, Visit};

use crate::{
    Fixture, Person, Post, Purpose, Seen,
    bench::{How, THEN, configure, provider_id, time},
    post::Telephones,
};
use carried::{Carried, First, WORD};

/// More steps than any provider has.
const MOST_STEPS: usize = 16;

/// What keeps somebody out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Obstacle {
    UserLocked,
    TenantLocked,
    Deactivated,
}

impl Obstacle {
    pub(crate) const ALL: [Self; 3] = [Self::UserLocked, Self::TenantLocked, Self::Deactivated];
}

/// An installation.
pub(crate) struct House {
    pub(crate) platform: Platform,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) fixture: Arc<dyn Fixture>,
    pub(crate) description: Description,
    /// All that clients saw, and what errors say.
    pub(crate) seen: Vec<String>,
    /// The secrets that were given.
    pub(crate) given: Vec<Secret>,
    people: Vec<Person>,
    planted: Arc<Mutex<Vec<NewRecord>>>,
    post: Arc<Post>,
}

impl House {
    pub(crate) async fn open(fixture: Box<dyn Fixture>) -> Self {
        let fixture: Arc<dyn Fixture> = Arc::from(fixture);
        let configured = configure(&*fixture);
        let planted = Arc::default();
        let clock = ManualClock::at(time(THEN));
        let storage = Arc::new(MemoryStorage::new());
        let post = Arc::new(Post::default());
        let platform = Platform::open(Parts {
            storage: storage.clone(),
            environment: Environment::new(clock.clone(), SeededRandom::new(3)),
            master_key: MasterKey::new([7; 32]),
            providers: providers(&fixture, &planted),
            settings: EffectiveSettings::default(),
            limits: LimitPolicy::default(),
            messages: Messages::written_by(post.clone())
                .sent_by(post.clone())
                .sent_by(Arc::new(Telephones(post.clone()))),
            outbound: std::sync::Arc::new(gatelodge_core::provider::Nowhere),
            origins: gatelodge_core::Origins::new(
                "https://gatelodge.example".parse().expect("an address"),
            ),
            session_memory: 100,
            key_policy: gatelodge_core::tokens::KeyPolicy::default(),
        })
        .await
        .expect("the platform opens");
        let mut house = Self {
            platform,
            clock,
            fixture,
            description: configured.description,
            seen: Vec::new(),
            given: Vec::new(),
            people: Vec::new(),
            planted,
            post,
        };
        house.move_in(storage.as_ref()).await;
        house
    }

    /// The same people as on the bench: Ada and Bob in one tenant, another Ada
    /// in another.
    async fn move_in(&mut self, storage: &dyn Storage) {
        let operator = Caller::operator();
        for (tenant, names) in [("acme", &["ada", "bob"][..]), ("globex", &["ada"])] {
            let new = NewTenant {
                name: TenantName::new(tenant).expect("a name"),
                display_name: None,
            };
            let tenant = self.platform.tenants().create(&operator, new).await;
            let tenant = tenant.expect("a tenant is made").id;
            for name in names {
                let new = NewUser {
                    user_name: UserName::new(name).expect("a name"),
                    display_name: None,
                    email: Email::new(&address(self.people.len())).ok(),
                    credential: InitialCredential::None,
                };
                let made = self.platform.users().create(&operator, tenant, new).await;
                let (user, _) = made.expect("a user is made");
                verify(storage, tenant, user.clone()).await;
                self.people.push(Person {
                    tenant,
                    id: user.id,
                    user_name: (*name).to_owned(),
                    credential: 1,
                    notes: Default::default(),
                    inbox: Vec::new(),
                    index: u32::try_from(self.people.len()).unwrap_or_default(),
                });
            }
        }
    }

    /// Fetches the messages that are there for a person: mails to the stored
    /// address, then what came to those that were given.
    pub(crate) async fn fetch_mail(&self, person: &mut Person) {
        while self
            .platform
            .deliver()
            .await
            .expect("mail is sent")
            .is_some()
        {}
        let stored = address(person.index as usize);
        let all = [stored, person.mailbox(), person.telephone()];
        person.inbox = all.iter().flat_map(|to| self.post.at(to)).collect();
    }

    pub(crate) fn ada(&self) -> Person {
        self.person(0)
    }

    pub(crate) fn other_ada(&self) -> Person {
        self.person(2)
    }

    fn person(&self, index: usize) -> Person {
        self.people.get(index).cloned().expect("somebody")
    }

    /// Somebody who says a name that nobody has.
    pub(crate) fn stranger(&self) -> Person {
        let mut stranger = self.ada();
        stranger.user_name = "eve".to_owned();
        stranger
    }

    /// Sets the provider up for a person, as a signed-in user does.
    pub(crate) async fn set_up(&mut self, person: &mut Person) {
        if self.description.third_party {
            return self.link(person).await;
        }
        if !self.description.enrolment {
            let records = self.fixture.records(person, self.platform.now());
            if records.is_empty() {
                return;
            }
            let mut planted = self.planted.lock().unwrap_or_else(PoisonError::into_inner);
            *planted = records;
        }
        let session = self.first_session(person).await;
        let checked = self.platform.sessions().check(&session.token).await;
        let mut start = self.start(person, Transport::Cookie);
        start.intent = Intent::Enrol;
        start.session = checked.expect("the storage answers");
        start.target = Some(provider_id());
        let started = self.platform.sign_in().start(start, &client()).await;
        let mut visit = Visit::of(started.expect("setting it up begins"), How::Enrol);
        let mut reached = self.say_the_word(&mut visit, person).await;
        let mut purpose = Purpose::Enrol;
        for _ in 0..MOST_STEPS {
            match reached {
                Reached::Session(_) => return,
                Reached::Next => {}
                other => panic!("setting it up ends in {}", other.name()),
            }
            if visit.is_choice() {
                // Once set up, a second factor is asked for before the flow ends.
                purpose = Purpose::Prove;
            }
            let step = self.step_of(&mut visit).await;
            self.fetch_mail(person).await;
            let answer = match (purpose, self.description.enrolment) {
                (Purpose::Enrol, false) => Answer::fields([]),
                _ => self.fixture.right(person, &self.seen_by(&step, purpose)),
            };
            reached = self.answer(&mut visit, &answer).await;
        }
        panic!("setting it up comes to no end");
    }

    /// Links what the third party says of a person, as a signed-in user does.
    async fn link(&mut self, person: &mut Person) {
        let session = self.first_session(person).await;
        let checked = self.platform.sessions().check(&session.token).await;
        let mut start = self.start(person, Transport::Cookie);
        start.intent = Intent::Link;
        start.session = checked.expect("the storage answers");
        start.target = Some(provider_id());
        let started = self.platform.sign_in().start(start, &client()).await;
        let mut visit = Visit::of(started.expect("linking begins"), How::FirstStep);
        let mut reached = self.say_the_word(&mut visit, person).await;
        for _ in 0..MOST_STEPS {
            match reached {
                Reached::Session(_) => return,
                Reached::Next => {}
                other => panic!("linking ends in {}", other.name()),
            }
            let step = self.step_of(&mut visit).await;
            let answer = self
                .fixture
                .right(person, &self.seen_by(&step, Purpose::Prove));
            reached = self.answer(&mut visit, &answer).await;
        }
        panic!("linking comes to no end");
    }

    /// A session by the first provider alone.
    pub(crate) async fn first_session(&mut self, person: &Person) -> Box<Completed> {
        let start = self.start(person, Transport::Cookie);
        let started = self.platform.sign_in().start(start, &client()).await;
        let mut visit = Visit::of(started.expect("a flow begins"), How::FirstStep);
        match self.say_the_word(&mut visit, person).await {
            Reached::Session(completed) => completed,
            other => panic!("the first provider's proof ends in {}", other.name()),
        }
    }

    async fn say_the_word(&mut self, visit: &mut Visit, person: &Person) -> Reached {
        let asks_who = visit.offers_identifier(first_id().as_str());
        let name = asks_who.then_some(("user_name", person.user_name.as_str()));
        let answer = Answer::fields(name.into_iter().chain([("word", WORD)]));
        self.answer_to(visit, first_id().as_str(), &answer).await
    }

    fn start(&self, person: &Person, transport: Transport) -> StartFlow {
        StartFlow {
            tenant: Some(TenantRef::Id(person.tenant)),
            ..StartFlow::sign_in(transport)
        }
    }

    pub(crate) fn seen_by<'a>(&'a self, step: &'a Step, purpose: Purpose) -> Seen<'a> {
        Seen {
            step,
            purpose,
            now: self.platform.now(),
            origin: origin(),
        }
    }

    /// Puts an obstacle in somebody's way, or takes it away.
    pub(crate) async fn hinder(&self, person: &Person, obstacle: Obstacle, there: bool) {
        let operator = Caller::operator();
        let place = (person.tenant, person.id);
        let (users, tenants) = (self.platform.users(), self.platform.tenants());
        let lock = NewLock::default();
        let outcome = match (obstacle, there) {
            (Obstacle::UserLocked, true) => users.lock(&operator, place, lock).await.map(drop),
            (Obstacle::UserLocked, false) => {
                users.unlock(&operator, place.0, place.1).await.map(drop)
            }
            (Obstacle::TenantLocked, true) => {
                tenants.lock(&operator, place.0, lock).await.map(drop)
            }
            (Obstacle::TenantLocked, false) => tenants.unlock(&operator, place.0).await.map(drop),
            (Obstacle::Deactivated, _) => {
                let patch = UserPatch {
                    status: Some(if there {
                        UserStatus::Deactivated
                    } else {
                        UserStatus::Active
                    }),
                    ..UserPatch::default()
                };
                users.update(&operator, place, None, patch).await.map(drop)
            }
        };
        outcome.expect("the operator may");
    }

    /// Notes what a client saw, for the search for secrets. What is shown once to
    /// be taken down is no leak where it is shown.
    fn note(&mut self, progress: &gatelodge_core::Result<Progress>) {
        match progress {
            Ok(progress) => {
                self.seen.push(format!("{progress:?}"));
                let view = match progress {
                    Progress::Next { view, .. }
                    | Progress::Refused { view, .. }
                    | Progress::Invalid { view, .. }
                    | Progress::Ended { view, .. } => view,
                    Progress::Complete(completed) => &completed.view,
                };
                let mut view = serde_json::to_value(view).expect("a view is JSON");
                cover(&mut view);
                self.seen.push(view.to_string());
            }
            Err(error) => self.seen.push(format!("{error} {error:?}")),
        }
    }
}

/// Takes out what a form shows for taking down.
fn cover(view: &mut Value) {
    match view {
        Value::Object(values) => {
            if let Some(Value::Array(shown)) = values.get_mut("display") {
                shown.retain(|item| item.get("type").is_some_and(|kind| kind == "text"));
            }
            values.values_mut().for_each(cover);
        }
        Value::Array(values) => values.iter_mut().for_each(cover),
        _ => {}
    }
}

/// The address of the person with this number.
fn address(index: usize) -> String {
    format!("person-{index}@gatelodge.example")
}

/// Whoever moves in has shown the mailbox before.
async fn verify(storage: &dyn Storage, tenant: TenantId, mut user: User) {
    user.email_verified = true;
    let unit = storage.begin(Scope::Tenant(tenant), Mode::Write).await;
    let mut unit = unit.expect("a unit begins");
    unit.users().update(&user).await.expect("a user changes");
    unit.commit().await.expect("it is stored");
}

/// The tried provider, and before it the plain one.
fn providers(fixture: &Arc<dyn Fixture>, planted: &Arc<Mutex<Vec<NewRecord>>>) -> Registry {
    let configured = configure(&**fixture);
    let class = match configured.description.class {
        FactorClass::Knowledge => FactorClass::Possession,
        _ => FactorClass::Knowledge,
    };
    let mut registry = Registry::new();
    let added = registry.add(first_id(), Arc::new(First(class)));
    added.expect("the first provider is added");
    let carried = Carried {
        provider: configured.provider,
        fixture: fixture.clone(),
        planted: planted.clone(),
    };
    let added = registry.add(provider_id(), Arc::new(carried));
    added.expect("the provider is added");
    registry
}

fn first_id() -> ProviderId {
    ProviderId::new("first").expect("it is short and plain")
}

fn origin() -> &'static url::Url {
    static ORIGIN: std::sync::LazyLock<url::Url> =
        std::sync::LazyLock::new(|| "https://gatelodge.example".parse().expect("an address"));
    &ORIGIN
}

/// The client of all flows.
pub(crate) fn client() -> ClientFacts {
    ClientFacts {
        address: Some("192.0.2.7".to_owned()),
        network: Some("192.0.2.7".to_owned()),
        user_agent: None,
        request_id: None,
    }
}

/// Whether an error says that nothing is there or that it came too late: what
/// nobody learns anything from.
pub(crate) fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::Conflict)
}

/// What finds a flow again.
pub(crate) type Handle = FlowHandle;
