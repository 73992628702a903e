//! A device against a model of it: its owner with tabs and lost answers, a thief
//! with a copy of every token that there ever was, and a clock that is not always
//! right.

use std::time::Duration;

use gatelodge_core::secret::Secret;
use jiff::Timestamp;
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::world::{MONTH, World};

/// What happens.
#[derive(Debug, Clone)]
enum Act {
    /// The owner comes back with what the browser holds; the answer may be lost.
    Come { arrives: bool },
    /// So do several tabs at once; who looked last is not who is settled last.
    Tabs { number: usize, from_behind: bool },
    /// Somebody comes with a copy of one of the tokens that there were, counted from
    /// the newest.
    Thief { back: usize },
    /// The clock goes on, or back.
    Clock { seconds: i64 },
    /// The owner signs out.
    Leave,
    /// The owner signs in by hand and ticks the box.
    Return,
}

fn act() -> impl Strategy<Value = Act> {
    let steps = prop_oneof![
        5 => 0_i64..=40,
        2 => Just(29),
        2 => Just(30),
        2 => prop_oneof![Just(3_600_i64), Just(86_400), Just(9 * 86_400)],
        1 => -70_i64..0,
        1 => Just(-9 * 86_400_i64),
    ];
    prop_oneof![
        6 => any::<bool>().prop_map(|arrives| Act::Come { arrives }),
        2 => (2_usize..5, any::<bool>())
            .prop_map(|(number, from_behind)| Act::Tabs { number, from_behind }),
        3 => (0_usize..4).prop_map(|back| Act::Thief { back }),
        6 => steps.prop_map(|seconds| Act::Clock { seconds }),
        1 => Just(Act::Leave),
        1 => Just(Act::Return),
    ]
}

/// What the model expects of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// A token that there was not before.
    New,
    /// This one, again.
    Same(Secret),
    /// Nothing, and nothing changes.
    Nothing,
    /// Nothing, and the device ends.
    Theft,
}

/// One device, as simply as it can be said.
struct Family {
    /// Every token that it ever had, with the moment that it was made at.
    tokens: Vec<(Secret, Timestamp)>,
    /// When the newest one took the place of the one before.
    replaced_at: Option<Timestamp>,
    ends_at: Timestamp,
    lives: bool,
}

impl Family {
    fn expects(&self, index: usize, now: Timestamp) -> Expected {
        let minute = Duration::from_secs(60);
        let ahead = now.checked_add(minute).unwrap();
        let newest = self.tokens.len() - 1;
        if !self.lives || self.ends_at <= now || self.tokens[index].1 > ahead {
            return Expected::Nothing;
        }
        if index == newest {
            return Expected::New;
        }
        let replaced_at = self.replaced_at.unwrap();
        if index + 1 == newest {
            if replaced_at > ahead {
                return Expected::Nothing;
            }
            let window = replaced_at.checked_add(Duration::from_secs(30)).unwrap();
            if now < window {
                return Expected::Same(self.tokens[newest].0.clone());
            }
        }
        Expected::Theft
    }
}

struct Run {
    world: World,
    families: Vec<Family>,
    /// What the owner's browser holds: a family and one of its tokens.
    holds: Option<(usize, usize)>,
    thefts: usize,
}

impl Run {
    async fn new(seed: u64) -> Self {
        let mut run = Self {
            world: World::seeded(seed),
            families: Vec::new(),
            holds: None,
            thefts: 0,
        };
        run.sign_in().await;
        run
    }

    fn now(&self) -> Timestamp {
        self.world.facts.now
    }

    /// What a second's fraction is cut from.
    fn second(&self) -> Timestamp {
        Timestamp::from_second(self.now().as_second()).unwrap()
    }

    async fn sign_in(&mut self) {
        let kept = self.world.issue().await;
        let made_at = self.second();
        self.families.push(Family {
            tokens: vec![(kept.token, made_at)],
            replaced_at: None,
            ends_at: kept.expires_at,
            lives: true,
        });
        assert_eq!(kept.expires_at, made_at.checked_add(MONTH).unwrap());
        self.holds = Some((self.families.len() - 1, 0));
    }

    /// Redeems one token and compares; answers the index of what came in its place.
    async fn redeem(&mut self, family: usize, index: usize) -> Option<usize> {
        let now = self.now();
        let expected = self.families[family].expects(index, now);
        let token = self.families[family].tokens[index].0.clone();
        let outcome = self.world.redeem(&token).await;
        self.compare(
            family,
            expected,
            outcome.map(|next| (next.token, next.expires_at)),
        )
    }

    fn compare(
        &mut self,
        family: usize,
        expected: Expected,
        outcome: Option<(Secret, Timestamp)>,
    ) -> Option<usize> {
        let (now, made_at) = (self.now(), self.second());
        let this = &mut self.families[family];
        if let Some((_, ends_at)) = &outcome {
            assert_eq!(*ends_at, this.ends_at, "the end does not move");
            assert!(now < this.ends_at, "nothing is proven after the end");
        }
        match (expected, outcome) {
            (Expected::New, Some((token, _))) => {
                assert!(this.tokens.iter().all(|(known, _)| *known != token));
                this.tokens.push((token, made_at));
                this.replaced_at = Some(now);
                Some(this.tokens.len() - 1)
            }
            (Expected::Same(same), Some((token, _))) => {
                assert_eq!(token, same, "the same successor inside the window");
                Some(this.tokens.len() - 1)
            }
            (Expected::Nothing, None) => None,
            (Expected::Theft, None) => {
                this.lives = false;
                self.thefts += 1;
                None
            }
            (expected, outcome) => panic!("{expected:?}, and it was {:?}", outcome.is_some()),
        }
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Come { arrives } => {
                let Some((family, index)) = self.holds else {
                    return;
                };
                let next = self.redeem(family, index).await;
                // What is refused is taken away; an answer that is lost changes nothing.
                match next {
                    Some(next) if *arrives => self.holds = Some((family, next)),
                    None if *arrives => self.holds = None,
                    _ => {}
                }
            }
            Act::Tabs {
                number,
                from_behind,
            } => self.tabs(*number, *from_behind).await,
            Act::Thief { back } => {
                let all: Vec<_> = self
                    .families
                    .iter()
                    .enumerate()
                    .flat_map(|(family, this)| (0..this.tokens.len()).map(move |t| (family, t)))
                    .collect();
                let at = all.len() - 1 - back.min(&(all.len() - 1));
                let (family, index) = all[at];
                self.redeem(family, index).await;
            }
            Act::Clock { seconds } => {
                let span = Duration::from_secs(seconds.unsigned_abs());
                if *seconds < 0 {
                    self.world.back(span);
                } else {
                    self.world.pass(span);
                }
            }
            Act::Leave => {
                let Some((family, index)) = self.holds.take() else {
                    return;
                };
                let token = self.families[family].tokens[index].0.clone();
                self.world.revoke(&token).await;
                // Signed and of a device that is there: it ends, by whatever clock.
                if self.now() < self.families[family].ends_at {
                    self.families[family].lives = false;
                }
            }
            Act::Return => self.sign_in().await,
        }
        self.check().await;
    }

    /// Tabs look before any of them is settled.
    async fn tabs(&mut self, number: usize, from_behind: bool) {
        let Some((family, index)) = self.holds else {
            return;
        };
        let token = self.families[family].tokens[index].0.clone();
        let mut looks = Vec::new();
        for _ in 0..number {
            looks.push(self.world.look(&token).await);
        }
        if from_behind {
            looks.reverse();
        }
        for look in looks {
            let expected = self.families[family].expects(index, self.now());
            let outcome = match self.world.settle(look) {
                Some(outcome) => outcome.ok(),
                None => self.world.redeem(&token).await,
            };
            let outcome = outcome.map(|next| (next.token, next.expires_at));
            // A theft that another tab saw too has ended the device by now.
            let expected = match (expected, &outcome) {
                (Expected::Nothing, None) => Expected::Nothing,
                (expected, _) => expected,
            };
            match self.compare(family, expected, outcome) {
                Some(next) => self.holds = Some((family, next)),
                None => self.holds = None,
            }
        }
    }

    /// What holds at any time.
    async fn check(&self) {
        let now = self.now();
        let alive = self.families.iter().filter(|family| family.lives);
        let alive = alive.filter(|family| now < family.ends_at).count();
        let listed = self.world.listed().await;
        assert_eq!(listed.len(), alive, "one device for each family that lives");
        let told: std::collections::BTreeSet<_> = listed.iter().map(|device| device.id).collect();
        assert_eq!(told.len(), listed.len());
    }

    /// Of two who hold tokens of one family and come again and again, in turns and
    /// with the window over, at most one ever gets on, and not twice in a row.
    async fn confront(&mut self) {
        let Some((family, index)) = self.holds else {
            return;
        };
        // A clock that was set back makes a window longer; it is over first.
        if let Some(replaced_at) = self.families[family].replaced_at
            && let Ok(behind) = Duration::try_from(replaced_at.duration_since(self.now()))
        {
            self.world.pass(behind);
        }
        let newest = self.families[family].tokens.len() - 1;
        let (mut owner, mut thief) = (Some(index), Some(newest));
        let mut both = 0;
        for _ in 0..3 {
            self.world.pass(Duration::from_secs(61));
            let before = (owner, thief);
            owner = match owner {
                Some(index) => self.redeem(family, index).await,
                None => None,
            };
            self.world.pass(Duration::from_secs(61));
            thief = match thief {
                Some(index) => self.redeem(family, index).await,
                None => None,
            };
            both += usize::from(owner.is_some() && thief.is_some() && before.0.is_some());
        }
        assert_eq!(both, 0, "the owner and the thief both go on");
        assert!(owner.is_none() || thief.is_none());
    }
}

/// S14: whatever happens in whatever order, a device behaves as the model says, and
/// a copy of a token never makes two of it.
#[test]
fn s14_a_device_behaves_as_its_model() {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    // The same cases each time; `PROPTEST_CASES` asks for more of them.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[14; 32]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let thefts = std::cell::Cell::new(0);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&(0_u64..1_000, vec(act(), 1..40)), |(seed, acts)| {
        runtime.block_on(async {
            let mut run = Run::new(seed).await;
            for act in &acts {
                run.act(act).await;
            }
            let mails = run.world.mails.lock().unwrap().len();
            assert_eq!(mails, run.thefts, "each theft is told once");
            thefts.set(thefts.get() + mails);
            run.confront().await;
        });
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(thefts.get() > 50, "the cases reach thefts: {thefts:?}");
}
