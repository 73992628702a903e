//! Two things at once on a storage whose writers run side by side: in each
//! alignment of their steps, the result is as if one had come after the other.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use gatelodge_core::{
    ErrorKind, Result,
    access::Caller,
    engine::{Progress, StartFlow, Transport},
    model::{
        AtLimit, EndReason, Grant, RegistrationSettings, SessionSettings, Tenant, TenantId,
        TenantSettings, User, UserId, UserStatus,
    },
    provider::Intent,
    service::{DeleteTenant, NewLock, TenantPatch, TenantRef, UserPatch},
    storage::{Mode, Page, Scope, SessionFilter, Storage},
};

use crate::support::{Browser, World};

/// Enough for one to be over before the other begins.
pub(crate) const ALIGNMENTS: usize = 70;

struct House {
    world: Arc<World>,
    acme: Tenant,
    ada: User,
}

async fn house() -> House {
    let world = World::with(|plan| plan.limits.flows_per_minute = 10_000).await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    House {
        world: Arc::new(world),
        acme,
        ada,
    }
}

/// Runs `one`, and `other` after so many of its steps; from then on they take
/// turns.
pub(crate) async fn aligned<A: Future, B: Future>(
    steps: usize,
    one: A,
    other: B,
) -> (A::Output, B::Output) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second, mut looks) = (None, None, 0);
    poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(done) = one.as_mut().poll(context)
        {
            first = Some(done);
        }
        looks += 1;
        if looks <= steps {
            context.waker().wake_by_ref();
        } else if second.is_none()
            && let Poll::Ready(done) = other.as_mut().poll(context)
        {
            second = Some(done);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}

async fn open_sessions(world: &World, tenant: TenantId) -> Vec<(UserId, Option<EndReason>)> {
    let scope = Scope::Tenant(tenant);
    let mut unit = world.storage.begin(scope, Mode::Read).await.unwrap();
    let open = SessionFilter {
        valid_at: Some(world.now()),
        ..SessionFilter::default()
    };
    let sessions = unit.sessions().list(&open, Page::first(100)).await.unwrap();
    let seen = |session: gatelodge_core::model::Session| {
        (session.user, session.ended.map(|end| end.reason))
    };
    sessions.into_iter().map(seen).collect()
}

/// Takes `factor` times as long as it would, so that more happens in between.
async fn slowly<F: Future>(factor: u32, work: F) -> F::Output {
    let mut work = pin!(work);
    let mut looks = 0;
    poll_fn(|context| {
        looks += 1;
        if looks % factor != 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        work.as_mut().poll(context)
    })
    .await
}

/// What shuts somebody out for good.
async fn shut_out(world: &World, way: u32, (acme, ada): (TenantId, UserId)) -> Result<()> {
    let (platform, operator) = (&world.platform, Caller::operator());
    let off = UserPatch {
        status: Some(UserStatus::Deactivated),
        ..UserPatch::default()
    };
    let force = DeleteTenant {
        force: true,
        version: None,
    };
    let (tenants, users) = (platform.tenants(), platform.users());
    match way {
        0 => tenants
            .lock(&operator, acme, NewLock::default())
            .await
            .map(drop),
        1 => users
            .lock(&operator, (acme, ada), NewLock::default())
            .await
            .map(drop),
        2 => users
            .update(&operator, (acme, ada), None, off)
            .await
            .map(drop),
        3 => users.delete(&operator, (acme, ada), None).await,
        _ => tenants.delete(&operator, acme, force).await,
    }
}

/// S20: whoever is shut out while signing in has no session afterwards.
#[tokio::test]
async fn s20_who_is_shut_out_while_signing_in_stays_out() {
    for way in 0..5 {
        for steps in 0..ALIGNMENTS {
            let House { world, acme, ada } = house().await;
            let mut browser = Browser::at_tenant(&world, &acme).await;
            let signing_in = world.clone();
            let sign_in = async move {
                let answered = browser.word(&signing_in, "ada", "ada's word").await;
                (answered.map(drop), browser)
            };
            let place = (acme.id, ada.id);
            let ((_, browser), shut) = aligned(steps, sign_in, shut_out(&world, way, place)).await;
            shut.unwrap();
            if let Some(token) = browser.token() {
                let checked = world.check(token).await;
                assert!(checked.is_none(), "way {way} after {steps} steps");
            }
            if way < 4 {
                assert_eq!(open_sessions(&world, acme.id).await, []);
            }
        }
    }
}

/// R9: somebody becomes an administrator in a tenant that is being locked or
/// deleted, while the other administrator is lost.
#[tokio::test]
async fn an_administrator_remains_whatever_is_locked_meanwhile() {
    for steps in 0..2 * ALIGNMENTS {
        let House { world, acme, ada } = house().await;
        let other = world.tenant("other").await;
        let bob = world.user(&other, "bob", "bob's word").await;
        let grant = Grant::PlatformAdministrator;
        world.grant((acme.id, ada.id), grant).await;
        let (locking, place) = (world.clone(), (other.id, bob.id));
        let lock = async move { slowly(12, shut_out(&locking, 0, place)).await };
        let operator = Caller::operator();
        let users = world.platform.users();
        let hand_over = async {
            users.set_grant(&operator, place, grant, true).await?;
            let own = (acme.id, ada.id);
            users.set_grant(&operator, own, grant, false).await
        };
        let (locked, handed_over) = aligned(steps, lock, hand_over).await;
        assert!(
            locked.is_err() || handed_over.is_err(),
            "nobody is left after {steps} steps"
        );
    }
}

/// The right word is right, also when another sign-in has just hashed it anew.
#[tokio::test]
async fn two_sign_ins_that_hash_anew_both_succeed() {
    for steps in 0..ALIGNMENTS {
        let House { world, acme, .. } = house().await;
        world.word.is_weak(true);
        let mut one = Browser::at_tenant(&world, &acme).await;
        let mut other = Browser::at_tenant(&world, &acme).await;
        let first = world.clone();
        let sign_in = async move { one.word(&first, "ada", "ada's word").await };
        let (one, other) = aligned(steps, sign_in, other.word(&world, "ada", "ada's word")).await;
        for progress in [one.unwrap(), other.unwrap()] {
            assert!(matches!(progress, Progress::Complete(_)), "{progress:?}");
        }
    }
}

#[tokio::test]
async fn two_nodes_that_start_at_once_both_start() {
    for steps in 0..20 {
        let world = World::new().await;
        let node = world.another_node().await;
        let first = world.platform.clone();
        let prepare = async move { first.set_up().prepare().await };
        let (one, other) = aligned(steps, prepare, node.set_up().prepare()).await;
        let mut usable = 0;
        for token in [one.unwrap().unwrap(), other.unwrap().unwrap()] {
            let token = gatelodge_core::secret::Secret::new(token.expose());
            usable += u32::from(node.set_up().check(&token).await.is_ok());
        }
        assert_eq!(usable, 1, "the newest link works");
    }
}

/// A client looks at its flow while it answers; the next step is opened once.
#[tokio::test]
async fn a_step_that_two_requests_open_at_once_is_one_step() {
    for steps in 0..12 {
        let House { world, acme, ada } = house().await;
        world
            .alter_user((acme.id, ada.id), |user| {
                user.must_change = Some(gatelodge_core::model::MustChange::Compromised);
            })
            .await;
        let start = StartFlow {
            tenant: Some(TenantRef::Id(acme.id)),
            ..StartFlow::sign_in(Transport::Token)
        };
        let mut browser = Browser::start(&world, start).await.unwrap();
        let (looking, looker) = (world.clone(), browser.clone());
        let look = async move {
            let sign_in = looking.platform.sign_in();
            for _ in 0..150 {
                let seen = sign_in.view(&looker.handle, &looker.client).await;
                seen.unwrap();
            }
        };
        let answer = slowly(3, browser.word(&world, "ada", "ada's word"));
        let (_, answered) = aligned(steps, look, answer).await;
        answered.unwrap();
        browser.change_word(&world, "second word").await.unwrap();
        assert!(browser.token().is_some());
    }
}

/// A change that was asked for in a session ends with it.
#[tokio::test]
async fn a_session_that_is_ended_while_a_flow_replaces_it_leaves_none_behind() {
    for intent in [Intent::Reprove, Intent::Enrol] {
        for steps in 0..ALIGNMENTS {
            let House { world, acme, .. } = house().await;
            let browser = world.signed_in(&acme, "ada", "ada's word").await;
            let caller = world.caller(&browser).await;
            let start = StartFlow {
                intent,
                session: Some(world.session(&browser).await),
                target: Some(crate::support::provider("code")),
                ..StartFlow::sign_in(Transport::Cookie)
            };
            let mut flow = browser.again(&world, start).await.unwrap();
            if intent == Intent::Enrol {
                flow.word(&world, "ada", "ada's word").await.unwrap();
            }
            let replacing = world.clone();
            let replace = async move {
                let answered = match intent {
                    Intent::Enrol => {
                        let code = [("new_code", "123456")];
                        flow.fill(&replacing, "code", &code).await
                    }
                    _ => flow.word(&replacing, "ada", "ada's word").await,
                };
                (answered, flow)
            };
            let sessions = world.platform.sessions();
            let ((_, flow), left) = aligned(steps, replace, sessions.sign_out(&caller)).await;
            left.unwrap();
            let ends = ends(&world, acme.id).await;
            let signed_out = ends.contains(&Some(EndReason::SignedOut));
            assert!(
                !signed_out || flow.token().is_none(),
                "{intent:?}, {steps} steps: {ends:?}"
            );
        }
    }
}

async fn ends(world: &World, tenant: TenantId) -> Vec<Option<EndReason>> {
    let (sessions, operator) = (world.platform.sessions(), Caller::operator());
    let page = Page::first(100);
    let listed = sessions.list(&operator, tenant, None, false, page).await;
    let ends = listed.unwrap().items.into_iter();
    ends.map(|session| session.ended.map(|end| end.reason))
        .collect()
}

#[tokio::test]
async fn nobody_registers_once_registration_is_switched_off() {
    for steps in 0..ALIGNMENTS {
        let House { world, acme, .. } = house().await;
        let open = |enabled| TenantSettings {
            registration: RegistrationSettings {
                enabled: Some(enabled),
                ..RegistrationSettings::default()
            },
            ..TenantSettings::default()
        };
        world.put_settings(&acme, open(true)).await;
        let start = StartFlow {
            intent: Intent::SignUp,
            tenant: Some(TenantRef::Id(acme.id)),
            ..StartFlow::sign_in(Transport::Cookie)
        };
        let mut browser = Browser::start(&world, start).await.unwrap();
        let registering = world.clone();
        let register = async move {
            let values = [("user_name", "eve"), ("new_password", "eve's word")];
            let registered = browser.fill(&registering, "password", &values);
            slowly(3, registered).await.map(drop)
        };
        let close = async {
            world.put_settings(&acme, open(false)).await;
            world.count(&acme, "user.create").await
        };
        let (_, known) = aligned(3 * steps, register, close).await;
        let now = world.count(&acme, "user.create").await;
        assert_eq!(now, known, "{steps} steps: nobody is made afterwards");
    }
}

/// Two administrators change the same thing, neither from a version that was read.
#[tokio::test]
async fn changes_that_name_no_version_do_not_conflict() {
    for steps in 0..20 {
        let House { world, acme, .. } = house().await;
        let (locking, id) = (world.clone(), acme.id);
        let lock = async move {
            let (tenants, operator) = (locking.platform.tenants(), Caller::operator());
            tenants.lock(&operator, id, NewLock::default()).await
        };
        let patch = TenantPatch {
            display_name: Some(gatelodge_core::model::DisplayName::new("Acme Ltd").unwrap()),
            ..TenantPatch::default()
        };
        let (tenants, operator) = (world.platform.tenants(), Caller::operator());
        let rename = tenants.update(&operator, id, None, patch);
        let (locked, renamed) = aligned(steps, lock, rename).await;
        let versions = [locked.unwrap().version, renamed.unwrap().version];
        assert_eq!(versions.into_iter().max(), Some(acme.version + 2));
    }
}

/// Everything at once, on two nodes: nobody waits for one another in a circle.
#[tokio::test]
async fn many_different_changes_at_once_all_come_to_an_end() {
    let House { world, acme, ada } = house().await;
    let settings = TenantSettings {
        session: SessionSettings {
            limit: Some(2),
            at_limit: Some(AtLimit::ReplaceOldest),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    };
    world.put_settings(&acme, settings.clone()).await;
    let node = world.another_node().await;
    let mut tasks = Vec::new();
    for number in 0..60 {
        let (world, node, acme) = (world.clone(), node.clone(), acme.clone());
        let place = (acme.id, ada.id);
        let settings = settings.clone();
        tasks.push(tokio::spawn(async move {
            let operator = Caller::operator();
            let platform = if number % 2 == 0 {
                &world.platform
            } else {
                &node
            };
            match number % 10 {
                0..4 => {
                    let mut browser = Browser::at_tenant(&world, &acme).await;
                    browser.word(&world, "ada", "ada's word").await?;
                    if let Some(token) = browser.token() {
                        platform.sessions().check(token).await?;
                    }
                }
                4 => drop(
                    platform
                        .sessions()
                        .end_of_user(&operator, place.0, place.1)
                        .await?,
                ),
                5 => drop(platform.users().unlock(&operator, place.0, place.1).await?),
                6 => platform.flush_activity().await?,
                7 => drop(platform.tidy().await?),
                8 => world.put_settings(&acme, settings).await,
                _ => {
                    let lock = NewLock::default();
                    platform.tenants().lock(&operator, acme.id, lock).await?;
                    platform.tenants().unlock(&operator, acme.id).await?;
                }
            }
            Ok::<(), gatelodge_core::Error>(())
        }));
    }
    for task in tasks {
        if let Err(error) = task.await.unwrap() {
            // While the tenant is locked, right words count like wrong ones.
            assert_eq!(error.kind(), ErrorKind::Limited, "{error:?}");
        }
    }
}
