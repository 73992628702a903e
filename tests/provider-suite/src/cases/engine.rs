//! The provider in the real engine. What nobody does in a house (to open a link while
//! another page waits for it) is shown to lead to no session.

use std::time::Duration;

use gatelodge_core::{
    ErrorKind,
    limits::LimitPolicy,
    provider::{Answer, Effect, Entry, Step},
};

use super::secrets::{holds, is_distinctive};
use crate::{
    Person, Replay,
    bench::How,
    house::{House, Obstacle, Reached, Visit, is_gone},
    stage::Stage,
    tour::{of_another_kind, with},
};

/// More wrong answers than are ever allowed in a row.
const MANY: usize = 60;

pub(crate) async fn in_the_engine_the_right_answers_give_one_session(stage: &Stage) {
    for way in ways(stage).await {
        let (mut house, mut ada) = ready(stage).await;
        let claim = ada.clone();
        let (visit, reached) = house.walk(&claim, &mut ada, way.how, usize::MAX).await;
        let Some(completed) = way.session(reached) else {
            continue;
        };
        let session = &completed.session;
        assert_eq!(
            (session.tenant, session.user),
            (ada.tenant, ada.id),
            "the session is another user's"
        );
        let mut providers = session
            .factors
            .iter()
            .map(|factor| factor.provider.as_str());
        assert!(
            providers.any(|provider| provider == "suite-1"),
            "the session does not say that the provider proved it"
        );
        let checked = house.platform.sessions().check(&completed.token).await;
        assert!(
            matches!(checked, Ok(Some(_))),
            "the session is not valid: {checked:?}"
        );
        // The flow is over: none of its answers counts again.
        let mut visit = visit.expect("a flow that ended");
        for answer in visit.answers.clone() {
            let again = house.answer(&mut visit, &answer).await;
            assert!(
                matches!(&again, Reached::Fault(error) if is_gone(error.kind())),
                "an answer to a flow that is over leads to {}",
                again.name()
            );
        }
    }
}

pub(crate) async fn in_the_engine_a_step_is_answered_once(stage: &Stage) {
    for way in ways(stage).await {
        for number in 0..way.steps {
            let (mut house, mut ada) = ready(stage).await;
            let claim = ada.clone();
            let (visit, _) = house.walk(&claim, &mut ada, way.how, number).await;
            let mut visit = visit.expect("the way has this step");
            let answer = house.right(&mut visit, &claim, &mut ada).await;
            let mut late = visit.clone();
            let first = house.answer(&mut visit, &answer).await;
            if !matches!(first, Reached::Next | Reached::Session(_)) {
                assert!(way.is_beyond, "the right answer leads to {}", first.name());
                continue;
            }
            late.handle = visit.handle.clone();
            let second = house.answer(&mut late, &answer).await;
            assert!(
                matches!(&second, Reached::Fault(error) if is_gone(error.kind())),
                "{:?}: a step that was answered is answered again with {}",
                way.how,
                second.name()
            );
        }
    }
}

pub(crate) async fn in_the_engine_wrong_answers_give_nothing(stage: &Stage) {
    for way in ways(stage).await {
        for number in 0..way.steps {
            let (mut house, mut ada) = ready(stage).await;
            let claim = ada.clone();
            let (visit, _) = house.walk(&claim, &mut ada, way.how, number).await;
            let mut visit = visit.expect("the way has this step");
            let step = house.step_of(&mut visit).await;
            let right = house.right(&mut visit, &claim, &mut ada).await;
            let mut bad = house.wrong(&mut visit, &claim).await;
            if let Answer::Fields { values } = &right {
                bad.extend(values.keys().map(|name| with(&right, name, "")));
                let long = "7".repeat(64 * 1024 + 1);
                bad.extend(values.keys().map(|name| with(&right, name, &long)));
                bad.push(with(&right, "suite_unexpected", "1"));
            }
            let place = crate::bench::Place {
                step,
                state: Default::default(),
            };
            let foreign = of_another_kind(&place);
            bad.extend(
                foreign
                    .into_iter()
                    .filter(|a| !matches!(a, Answer::Callback { .. } | Answer::Poll {})),
            );
            // The way back from elsewhere is used up by the first answer.
            let is_one_way = matches!(right, Answer::Callback { .. });
            for answer in bad {
                if is_one_way {
                    (house, ada) = ready(stage).await;
                    let (again, _) = house.walk(&claim, &mut ada, way.how, number).await;
                    visit = again.expect("the way has this step");
                }
                let reached = house.answer(&mut visit, &answer).await;
                let one_way = matches!(&reached, Reached::Fault(error) if is_one_way
                    && error.kind() == gatelodge_core::ErrorKind::NotFound);
                assert!(
                    one_way || matches!(reached, Reached::Nothing { .. }),
                    "{:?}: a bad answer leads to {}",
                    way.how,
                    reached.name()
                );
            }
            // Nothing else was used up by them.
            let reached = house.answer(&mut visit, &right).await;
            assert!(
                way.is_beyond
                    || is_one_way
                    || matches!(reached, Reached::Next | Reached::Session(_)),
                "{:?}: after bad answers the right one leads to {}",
                way.how,
                reached.name()
            );
        }
    }
}

pub(crate) async fn in_the_engine_a_repeated_answer_counts_as_declared(stage: &Stage) {
    for way in ways(stage).await {
        let (mut house, mut ada) = ready(stage).await;
        let claim = ada.clone();
        let entry = house.fixture.entry(&ada);
        let (visit, reached) = house.walk(&claim, &mut ada, way.how, usize::MAX).await;
        if way.session(reached).is_none() {
            continue;
        }
        let answers = visit.expect("a flow that ended").answers;
        let again = replay(&mut house, &claim, &entry, way.how, &answers).await;
        assert_eq!(
            again.is_session(),
            house.fixture.replay() == Replay::Proves,
            "{:?}: the same answers in another flow lead to {}",
            way.how,
            again.name()
        );
    }
}

/// S18: what may be used once gives one session, however close two answers come.
pub(crate) async fn in_the_engine_of_racing_answers_as_many_count_as_declared(stage: &Stage) {
    for way in ways(stage).await {
        let last = way.steps.saturating_sub(1);
        // Twice in one flow, then in two flows.
        for flows in [1, 2] {
            let (mut house, mut ada) = ready(stage).await;
            let claim = ada.clone();
            let (visit, _) = house.walk(&claim, &mut ada, way.how, last).await;
            let mut one = visit.expect("the way has this step");
            let answer = house.right(&mut one, &claim, &mut ada).await;
            let mut other = one.clone();
            if flows == 2 {
                let (visit, _) = house.walk(&claim, &mut ada, way.how, last).await;
                other = visit.expect("the way has this step");
                house.step_of(&mut other).await;
            }
            let reached = house.race((&mut one, &mut other), &answer).await;
            let sessions =
                usize::from(reached.0.is_session()) + usize::from(reached.1.is_session());
            let expected = match (way.is_beyond, flows, house.fixture.replay()) {
                (true, _, _) => 0,
                (false, 2, Replay::Proves) => 2,
                (false, _, _) => 1,
            };
            assert_eq!(
                sessions,
                expected,
                "{:?}: two answers at once in {flows} flows lead to {} and {}",
                way.how,
                reached.0.name(),
                reached.1.name()
            );
        }
    }
}

pub(crate) async fn in_the_engine_another_tenants_answer_gives_nothing(stage: &Stage) {
    for way in ways(stage).await {
        let (mut house, ada) = ready(stage).await;
        let mut other = house.other_ada();
        house.set_up(&mut other).await;
        let (_, reached) = house.walk(&ada, &mut other, way.how, usize::MAX).await;
        assert!(
            !reached.is_session(),
            "{:?}: what belongs to another tenant gives a session",
            way.how
        );
    }
}

/// S21, S41: who is locked or deactivated, or in a locked tenant, learns nothing.
pub(crate) async fn in_the_engine_who_may_not_sign_in_is_refused_like_a_wrong_answer(
    stage: &Stage,
) {
    for way in ways(stage).await {
        for obstacle in Obstacle::ALL {
            let (mut house, mut ada) = ready(stage).await;
            let claim = ada.clone();
            let last = way.steps.saturating_sub(1);
            let entry = house.fixture.entry(&ada);
            let (visit, _) = house.walk(&claim, &mut ada, way.how, last).await;
            let mut visit = visit.expect("the way has this step");
            let mut wrong = None;
            if let Some(answer) = house.wrong(&mut visit, &claim).await.first() {
                wrong = Some(house.answer(&mut visit, answer).await);
                visit.answers.pop();
            }
            // The obstacle comes while the flow is under way, and its mail has come.
            house.fetch_mail(&mut ada).await;
            house.hinder(&ada, obstacle, true).await;
            let answer = house.right(&mut visit, &claim, &mut ada).await;
            let refused = house.answer(&mut visit, &answer).await;
            assert_refused_like(&refused, wrong.as_ref(), &way, obstacle);
            // A flow of its own goes no further.
            let (_, whole) = house.walk(&claim, &mut ada, way.how, usize::MAX).await;
            assert!(!whole.is_session(), "{obstacle:?}: it gives a session");
            // Nothing was used up: the same answers count once it is gone.
            house.hinder(&ada, obstacle, false).await;
            // A way back from elsewhere is used up by the first answer.
            if matches!(answer, Answer::Callback { .. }) {
                continue;
            }
            let after = if house.fixture.is_bound_to_its_flow() {
                house.answer(&mut visit, &answer).await
            } else {
                replay(&mut house, &claim, &entry, way.how, &visit.answers).await
            };
            assert!(
                after.is_session() || way.is_beyond,
                "{:?}, {obstacle:?}: something was used up; afterwards the right answers lead to {}",
                way.how,
                after.name()
            );
        }
    }
}

/// S41: the answers do not tell which accounts exist.
pub(crate) async fn in_the_engine_unknown_people_look_like_known_ones(stage: &Stage) {
    for way in ways(stage).await {
        if way.how != How::FirstStep {
            // Nobody who does not exist comes as far as a second factor.
            continue;
        }
        let (mut house, ada) = ready(stage).await;
        let entry = house.fixture.entry(&ada);
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for (claim, seen) in [(ada.clone(), &mut known), (house.stranger(), &mut unknown)] {
            let Ok(mut visit) = house.enter(&claim, &entry, way.how).await else {
                continue;
            };
            for answer in house.wrong(&mut visit, &claim).await {
                seen.push(house.answer(&mut visit, &answer).await.name());
            }
        }
        assert_eq!(
            known, unknown,
            "somebody unknown is answered in another way than somebody known"
        );
    }
}

/// S11: every provider's answers are limited, across its flows.
pub(crate) async fn in_the_engine_guessing_is_limited_for_known_and_unknown_alike(stage: &Stage) {
    for way in ways(stage).await {
        let (mut house, mut ada) = ready(stage).await;
        let claim = ada.clone();
        let last = way.steps.saturating_sub(1);
        let (visit, _) = house.walk(&claim, &mut ada, way.how, last).await;
        let mut visit = visit.expect("the way has this step");
        let wrong = house.wrong(&mut visit, &claim).await;
        let Some(wrong) = wrong.into_iter().find(is_typed) else {
            // Nothing can be guessed here: what is wrong is a link, or it is
            // found out elsewhere.
            assert!(
                !is_typed(&house.right(&mut visit, &claim, &mut ada).await)
                    || matches!(house.fixture.entry(&ada), Entry::Link { .. })
                    || way.is_beyond,
                "{:?}: the fixture gives no wrong answer",
                way.how
            );
            continue;
        };
        let tries = tries_until_limited(&mut house, &mut visit, &wrong).await;
        let right = house.right(&mut visit, &claim, &mut ada).await;
        let reached = house.answer(&mut visit, &right).await;
        assert!(
            is_limited(&reached),
            "{:?}: after {tries} wrong answers the right one leads to {}",
            way.how,
            reached.name()
        );
        if way.how == How::FirstStep {
            let stranger = house.stranger();
            let entry = house.fixture.entry(&ada);
            if let Ok(mut visit) = house.enter(&stranger, &entry, way.how).await
                && let Some(wrong) = house.wrong(&mut visit, &stranger).await.into_iter().next()
            {
                let found = tries_until_limited(&mut house, &mut visit, &wrong).await;
                assert_eq!(
                    found, tries,
                    "somebody unknown can be tried more or less often"
                );
            }
        }
        let wait = LimitPolicy::default().account.first_delay;
        house.clock.advance(wait + Duration::from_secs(1));
        let right = house.right(&mut visit, &claim, &mut ada).await;
        let reached = house.answer(&mut visit, &right).await;
        assert!(
            reached.is_session() || way.is_beyond,
            "{:?}: after the wait the right answer leads to {}",
            way.how,
            reached.name()
        );
    }
}

pub(crate) async fn in_the_engine_a_second_factor_is_demanded_once_set_up(stage: &Stage) {
    let (mut house, ada) = ready(stage).await;
    let second = house.description.second_factor && keeps_records(stage).await;
    let entry = house.fixture.entry(&ada);
    let entered = house.enter(&ada, &entry, How::SecondFactor).await;
    match entered {
        // A way that could also start a sign-in is asked for two factors here.
        Err(reached) => assert!(
            !second && (reached.is_session() || house.description.first_step),
            "the first factor alone leads to {}",
            reached.name()
        ),
        Ok(_) => assert!(second, "it is demanded though it is no second factor"),
    }
    if house.description.backup {
        // Who has nothing else is not asked for what stands in for it.
        house.first_session(&ada).await;
    }
}

/// S17: no answer holds a secret.
pub(crate) async fn in_the_engine_no_secret_is_shown(stage: &Stage) {
    for way in ways(stage).await {
        let (mut house, mut ada) = ready(stage).await;
        let claim = ada.clone();
        for number in 0..way.steps {
            let (visit, _) = house.walk(&claim, &mut ada.clone(), way.how, number).await;
            let mut visit = visit.expect("the way has this step");
            for answer in house.wrong(&mut visit, &claim).await {
                house.answer(&mut visit, &answer).await;
            }
        }
        house.walk(&claim, &mut ada, way.how, usize::MAX).await;
        for secret in &house.given {
            let secret = secret.expose();
            if !is_distinctive(secret) {
                continue;
            }
            for seen in &house.seen {
                assert!(
                    !holds(seen, secret),
                    "{:?}: a client sees a secret\n  {}",
                    way.how,
                    seen.replace(secret, "<the secret>")
                );
            }
        }
    }
}

/// A way through the engine.
struct Way {
    how: How,
    /// How many answers it takes.
    steps: usize,
    /// Whether it needs something that the engine does not do yet, so that it
    /// must lead to no session.
    is_beyond: bool,
}

impl Way {
    /// The session, unless the way must not lead to one.
    fn session(&self, reached: Reached) -> Option<Box<gatelodge_core::engine::Completed>> {
        match (reached, self.is_beyond) {
            (Reached::Session(completed), false) => Some(completed),
            (Reached::Session(_), true) => {
                panic!(
                    "{:?}: there is a session, which nothing can have given",
                    self.how
                )
            }
            (_, true) => None,
            (reached, false) => panic!("{:?}: right answers lead to {}", self.how, reached.name()),
        }
    }
}

/// The ways that are declared and that the engine asks for, as they go on the
/// bench.
async fn ways(stage: &Stage) -> Vec<Way> {
    let mut ways = Vec::new();
    for how in stage.ways() {
        if how == How::SecondFactor && !keeps_records(stage).await {
            // Who keeps nothing has set nothing up, and is not asked for it:
            // see `in_the_engine_a_second_factor_is_demanded_once_set_up`.
            continue;
        }
        let (mut bench, mut ada) = stage.ready().await;
        let attempt = bench.go(&mut ada, how).await;
        // Nobody in a house opens a link while another page waits for it.
        let sends = bench.exchanges.iter().any(|exchange| {
            exchange.turn.as_ref().is_some_and(|turn| {
                let mut effects = turn.effects.iter();
                let waits = matches!(turn.step, Step::Wait { .. });
                waits && effects.any(|effect| matches!(effect, Effect::Send { .. }))
            })
        });
        ways.push(Way {
            how,
            steps: if sends { 1 } else { attempt.answers.len() },
            is_beyond: sends,
        });
    }
    ways
}

async fn keeps_records(stage: &Stage) -> bool {
    !stage.ready().await.0.records.all().is_empty()
}

/// An installation in which Ada has set it up.
async fn ready(stage: &Stage) -> (House, Person) {
    let mut house = House::open(stage.fixture()).await;
    let mut ada = house.ada();
    house.set_up(&mut ada).await;
    (house, ada)
}

/// Gives the same answers in another flow.
async fn replay(
    house: &mut House,
    claim: &Person,
    entry: &Entry,
    how: How,
    answers: &[Answer],
) -> Reached {
    let mut visit = match house.enter(claim, entry, how).await {
        Ok(visit) => visit,
        Err(reached) => return reached,
    };
    for answer in answers {
        house.step_of(&mut visit).await;
        match house.answer(&mut visit, answer).await {
            Reached::Next => {}
            ended => return ended,
        }
    }
    Reached::Next
}

/// Whether it is something that can be guessed by typing.
fn is_typed(answer: &Answer) -> bool {
    matches!(answer, Answer::Fields { .. } | Answer::Browser { .. })
}

fn is_limited(reached: &Reached) -> bool {
    matches!(reached, Reached::Fault(error) if error.kind() == ErrorKind::Limited)
}

async fn tries_until_limited(house: &mut House, visit: &mut Visit, wrong: &Answer) -> usize {
    for tried in 0..MANY {
        if is_limited(&house.answer(visit, wrong).await) {
            return tried;
        }
    }
    panic!("after {MANY} wrong answers in a row there is no limit")
}

fn assert_refused_like(refused: &Reached, wrong: Option<&Reached>, way: &Way, obstacle: Obstacle) {
    if way.is_beyond {
        assert!(!refused.is_session(), "{obstacle:?}: it gives a session");
        return;
    }
    let Reached::Nothing {
        refused: true,
        bytes,
    } = refused
    else {
        panic!(
            "{:?}, {obstacle:?}: it is not refused but leads to {}",
            way.how,
            refused.name()
        );
    };
    if let Some(wrong) = wrong {
        assert_eq!(
            *bytes,
            wrong.name(),
            "{:?}, {obstacle:?}: it is refused in another way than a wrong answer",
            way.how
        );
    }
}
