//! Doing the acts for real, beside the model.

use std::time::Duration;

use gatelodge_core::{
    Error, ErrorKind,
    access::Caller,
    engine::{Progress, Reply},
    model::{MustChange, Outcome, Tenant, UserId},
    secret::{Secret, Token},
    service::InitialCredential,
};

use super::{
    acts::{Act, Given, Part, What},
    expected::{Asks, Filled, FlowModel, Leads, Person, expect},
};
use crate::support::{Browser, World, fields, minutes, sign_in_at};

/// A real flow beside its model.
struct Flow {
    browser: Browser,
    model: FlowModel,
    bindings: Vec<Token>,
    steps: Vec<String>,
}

struct Run {
    world: World,
    tenant: Tenant,
    tenant_locked: bool,
    people: Vec<Person>,
    ids: Vec<UserId>,
    flows: [Option<Flow>; 2],
    /// Every session that appeared, whose, and the state of the credentials then.
    sessions: Vec<(Token, usize, u32)>,
    /// Those among them that a lock ended.
    locked_out: Vec<bool>,
    words: u32,
}

/// Does the acts; answers how many sessions appeared, or where model and
/// reality part.
pub(super) async fn run(acts: &[Act]) -> Result<usize, String> {
    let mut run = Run::new().await;
    let before = run.started().await;
    for act in acts {
        run.act(act)
            .await
            .map_err(|wrong| format!("{act:?}: {wrong}"))?;
    }
    run.check_sessions().await?;
    if run.started().await - before != run.sessions.len() {
        return Err("the audit log tells of other sessions".to_owned());
    }
    Ok(run.sessions.len())
}

impl Run {
    async fn new() -> Self {
        let world = World::with(|plan| {
            plan.limits.account.free_tries = 100_000;
            plan.limits.account.disabled_after = None;
            plan.limits.network.free_tries = 100_000;
            plan.limits.flows_per_minute = 100_000;
            plan.settings.session_idle = minutes(60 * 24 * 30);
            plan.settings.session_absolute = minutes(60 * 24 * 30);
        })
        .await;
        let tenant = world.tenant("acme").await;
        let ada = world.user(&tenant, "ada", "ada's word").await;
        world
            .enrol_code(&tenant, "ada", "ada's word", "111111")
            .await;
        let credential = InitialCredential::Given {
            password: Secret::new("bob's word"),
            must_change: true,
        };
        let (bob, _) = world.user_with(&tenant, "bob", credential).await;
        let person = |name, word: &str, code, must_change| Person {
            name,
            word: word.to_owned(),
            code,
            must_change,
            locked: false,
            changes: 0,
        };
        Self {
            people: vec![
                person("ada", "ada's word", Some("111111"), false),
                person("bob", "bob's word", None, true),
            ],
            ids: vec![ada.id, bob.id],
            world,
            tenant,
            tenant_locked: false,
            flows: [None, None],
            sessions: Vec::new(),
            locked_out: Vec::new(),
            words: 0,
        }
    }

    async fn started(&self) -> usize {
        let events = self.world.audit(Some(self.tenant.id)).await;
        let started = events
            .iter()
            .filter(|event| event.action == "session.start" && event.outcome == Outcome::Success);
        started.count()
    }

    async fn act(&mut self, act: &Act) -> Result<(), String> {
        let operator = Caller::operator();
        let users = self.world.platform.users();
        let tenants = self.world.platform.tenants();
        match act {
            Act::Start { flow } => self.start(*flow).await,
            Act::Answer(given) => return self.answer(given).await,
            Act::Cancel { flow } => self.cancel(*flow).await,
            Act::Lock { person, locked } => {
                let place = (self.tenant.id, self.ids[*person]);
                if *locked {
                    users
                        .lock(&operator, place, Default::default())
                        .await
                        .unwrap();
                    self.shut_out(|whose| whose == *person);
                } else {
                    users.unlock(&operator, place.0, place.1).await.unwrap();
                }
                self.people[*person].locked = *locked;
            }
            Act::LockTenant { locked } => {
                let id = self.tenant.id;
                if *locked {
                    tenants
                        .lock(&operator, id, Default::default())
                        .await
                        .unwrap();
                    self.shut_out(|_| true);
                } else {
                    tenants.unlock(&operator, id).await.unwrap();
                }
                self.tenant_locked = *locked;
            }
            Act::ChangeElsewhere { person } => {
                let place = (self.tenant.id, self.ids[*person]);
                let change = self
                    .world
                    .alter_user(place, |user| user.credential_epoch += 1);
                change.await;
                self.people[*person].changes += 1;
            }
            Act::Demand { person } => {
                let place = (self.tenant.id, self.ids[*person]);
                let demand = self.world.alter_user(place, |user| {
                    user.must_change = Some(MustChange::Compromised);
                });
                demand.await;
                self.people[*person].must_change = true;
            }
            Act::Pass { seconds } => self.world.pass(Duration::from_secs(*seconds)),
        }
        Ok(())
    }

    fn shut_out(&mut self, whom: impl Fn(usize) -> bool) {
        for (ended, (_, whose, _)) in self.locked_out.iter_mut().zip(&self.sessions) {
            *ended |= whom(*whose);
        }
    }

    async fn start(&mut self, flow: usize) {
        let start = sign_in_at(&self.tenant);
        let browser = Browser::start(&self.world, start).await.unwrap();
        self.flows[flow] = Some(Flow {
            bindings: vec![browser.handle.binding.clone().unwrap()],
            steps: vec![browser.step().to_owned()],
            model: FlowModel::new(self.world.now()),
            browser,
        });
    }

    async fn cancel(&mut self, flow: usize) {
        if let Some(flow) = &mut self.flows[flow] {
            let handle = &flow.browser.handle;
            self.world.platform.sign_in().cancel(handle).await.ok();
            flow.model.cancelled = true;
        }
    }

    async fn answer(&mut self, given: &Given) -> Result<(), String> {
        let Some(flow) = &self.flows[given.flow] else {
            return Ok(());
        };
        let other = self.flows[1 - given.flow].as_ref();
        let binding = chosen(given.binding, &flow.bindings, other.map(|o| &o.bindings));
        let step = chosen(given.step, &flow.steps, other.map(|o| &o.steps));
        self.words += 1;
        let filled = self.filled(given.what, flow.model.asks);
        let provider = given.provider.unwrap_or(flow.model.asker()).to_owned();
        let expected = expect(
            (&flow.model, self.world.now()),
            (&self.people, self.tenant_locked),
            (
                binding.as_ref() == flow.bindings.last(),
                // Whoever names no step answers the current one.
                step.is_none() || step.as_ref() == flow.steps.last(),
            ),
            (&provider, &filled),
        );
        let mut browser = flow.browser.clone();
        browser.handle.binding = binding;
        let reply = Reply {
            step,
            provider,
            answer: match &filled {
                Filled::Word { name, word } => fields(&[("user_name", name), ("password", word)]),
                Filled::Code(code) => fields(&[("code", code)]),
                Filled::NewWord(word) => fields(&[("new_password", word)]),
            },
            device: None,
            stay: false,
        };
        let progress = browser.send(&self.world, reply).await;
        compare(expected, &progress)?;
        self.note(given.flow, expected, &filled, browser);
        Ok(())
    }

    fn filled(&self, what: What, asks: Asks) -> Filled {
        let name = |person: usize| {
            self.people
                .get(person)
                .map_or("nobody", |p| p.name)
                .to_owned()
        };
        let word = |person: usize| {
            let person = self.people.get(person);
            person
                .map_or("nobody's word", |p| p.word.as_str())
                .to_owned()
        };
        let code = |person: usize| if person == 0 { "111111" } else { "222222" }.to_owned();
        let new_word = || format!("word {}", self.words);
        match (what, asks) {
            (What::Word { name: n, word: w }, _) => Filled::Word {
                name: name(n),
                word: word(w),
            },
            (What::Fitting(person), Asks::Word | Asks::Nothing) => Filled::Word {
                name: name(person),
                word: word(person),
            },
            (What::Code(person) | What::Fitting(person), Asks::Code(_))
            | (What::Code(person), _) => Filled::Code(code(person)),
            (What::NewWord | What::Fitting(_), _) => Filled::NewWord(new_word()),
        }
    }

    /// Brings the model up to what was just answered.
    fn note(&mut self, number: usize, leads: Leads, filled: &Filled, browser: Browser) {
        let flow = self.flows[number].as_mut().unwrap();
        let (asks, session) = match leads {
            Leads::On(asks) => (asks, None),
            Leads::Session(person) => (Asks::Nothing, Some(person)),
            _ => return,
        };
        let person = match (session, asks, flow.model.asks) {
            (Some(person), _, _)
            | (_, Asks::Code(person) | Asks::NewWord(person), _)
            | (_, _, Asks::Code(person) | Asks::NewWord(person)) => person,
            _ => return,
        };
        if let Filled::NewWord(word) = filled {
            let changed = &mut self.people[person];
            changed.word.clone_from(word);
            changed.must_change = false;
            changed.changes += 1;
        } else {
            let proof = if matches!(filled, Filled::Code(_)) {
                "code"
            } else {
                "password"
            };
            flow.model.proven.push((person, proof));
        }
        flow.model.changes = self.people[person].changes;
        flow.model.asks = asks;
        if let Some(person) = session {
            let token = browser.token().unwrap().clone();
            self.sessions
                .push((token, person, self.people[person].changes));
            self.locked_out.push(false);
        }
        if session.is_none() {
            flow.bindings.push(browser.handle.binding.clone().unwrap());
            flow.steps.push(browser.step().to_owned());
        }
        flow.browser = browser;
        if let Some(person) = session {
            assert_proven(&self.people[person], person, flow);
        }
    }

    /// Each session is valid as long as its proofs are, and no longer.
    async fn check_sessions(&self) -> Result<(), String> {
        for ((token, whose, changes), locked_out) in self.sessions.iter().zip(&self.locked_out) {
            let valid = self.world.check(token).await;
            let expected = self.people[*whose].changes == *changes && !locked_out;
            if valid.is_some() != expected {
                return Err(format!("a session of {whose} is valid: {}", !expected));
            }
            if valid.is_some_and(|session| session.user.id != self.ids[*whose]) {
                return Err("a session belongs to somebody else".to_owned());
            }
        }
        Ok(())
    }
}

/// The invariant in words of its own: the session says what was proven, and
/// that was all that its person had to prove.
fn assert_proven(person: &Person, number: usize, flow: &Flow) {
    let session = &flow.browser.done.as_ref().unwrap().session;
    let told: Vec<_> = session
        .factors
        .iter()
        .map(|f| f.provider.as_str())
        .collect();
    let mut demanded = vec!["password"];
    demanded.extend(person.code.map(|_| "code"));
    assert_eq!(told, demanded);
    let proven: Vec<_> = flow.model.proven.iter().map(|(_, proof)| *proof).collect();
    assert_eq!(proven, demanded);
    assert!(flow.model.proven.iter().all(|(whose, _)| *whose == number));
    assert!(!person.must_change && !person.locked);
}

fn chosen<T: Clone>(part: Part, own: &[T], other: Option<&Vec<T>>) -> Option<T> {
    match part {
        Part::Right => own.last().cloned(),
        Part::Other => other.and_then(|other| other.last().cloned()),
        Part::Earlier(which) => own.get(which % own.len()).cloned(),
        Part::Missing => None,
    }
}

fn compare(expected: Leads, progress: &Result<Progress, Error>) -> Result<(), String> {
    let agrees = match (expected, progress) {
        (Leads::NotFound, Err(error)) => error.kind() == ErrorKind::NotFound,
        (Leads::Conflict, Err(error)) => error.kind() == ErrorKind::Conflict,
        (Leads::Invalid, Ok(Progress::Invalid { .. }))
        | (Leads::Refused, Ok(Progress::Refused { .. }))
        | (Leads::On(_), Ok(Progress::Next { .. }))
        | (Leads::Session(_), Ok(Progress::Complete(_))) => true,
        _ => false,
    };
    if agrees {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, found {progress:?}"))
    }
}
