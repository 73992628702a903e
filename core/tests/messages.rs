//! Messages: written with what they speak of, sent afterwards, tried again.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    Platform,
    access::Caller,
    engine::Progress,
    environment::{earlier, later},
    messages::{CLAIM, Delivery, Messages, SendError},
    model::{AuditEvent, Email, Outcome, Tenant, User, UserStatus},
    provider::{LinkPurpose, MessageChannel},
    service::DeleteTenant,
    storage::{Mode, OutboxEntry, Row, RowKind, Scope, Storage},
};

use crate::{
    providers::{CODE, Mailer},
    support::{Browser, MILLISECOND, Post, World, kind, minutes},
};

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) post: Arc<Post>,
    pub(crate) mailer: Arc<Mailer>,
    pub(crate) acme: Tenant,
    pub(crate) ada: User,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Mailer::default()).await
    }

    async fn with(mailer: Mailer) -> Self {
        Self::of(mailer, Post::messages).await
    }

    pub(crate) async fn of(mailer: Mailer, messages: fn(&Arc<Post>) -> Messages) -> Self {
        let (post, mailer) = (Arc::new(Post::default()), Arc::new(mailer));
        let world = World::with(|plan| {
            plan.messages = messages(&post);
            plan.more = vec![("mailer", mailer.clone())];
        })
        .await;
        let acme = world.tenant("acme").await;
        let ada = world.user(&acme, "ada", "ada's word").await;
        let scene = Self {
            world,
            post,
            mailer,
            acme,
            ada,
        };
        scene.address("ada@example.com", true).await;
        scene
    }

    pub(crate) async fn address(&self, address: &str, is_verified: bool) {
        let address = Email::new(address).unwrap();
        self.world
            .alter_user((self.acme.id, self.ada.id), |user| {
                user.email = Some(address);
                user.email_verified = is_verified;
            })
            .await;
    }

    /// Somebody asks for a mail to this user.
    pub(crate) async fn ask(&self, name: &str) -> gatelodge_core::Result<Progress> {
        let mut browser = Browser::at_tenant(&self.world, &self.acme).await;
        browser
            .fill(&self.world, "mailer", &[("user_name", name)])
            .await
    }

    pub(crate) async fn outbox(&self) -> Vec<OutboxEntry> {
        let scope = Scope::Tenant(self.acme.id);
        let mut unit = self.world.storage.begin(scope, Mode::Read).await.unwrap();
        let rows = unit.archive().rows(RowKind::Message, None, 99).await;
        let entries = rows.unwrap().into_iter().filter_map(|row| match row {
            Row::Message(entry) => Some(entry),
            _ => None,
        });
        entries.collect()
    }

    async fn deliver(&self) -> bool {
        self.try_one().await.is_some()
    }

    pub(crate) async fn try_one(&self) -> Option<Delivery> {
        self.world.platform.deliver().await.unwrap()
    }

    /// What the audit log says of messages.
    async fn failures(&self) -> Vec<AuditEvent> {
        let events = self.world.audit(Some(self.acme.id)).await;
        let about_messages = |event: &AuditEvent| event.action == "message.send";
        events.into_iter().filter(about_messages).collect()
    }

    async fn only_failure(&self) -> AuditEvent {
        let mut failures = self.failures().await;
        assert_eq!(failures.len(), 1, "{failures:?}");
        let failure = failures.remove(0);
        assert_eq!(failure.outcome, Outcome::Refused);
        assert_eq!(failure.object_id, Some(self.ada.id.to_string()));
        let written = serde_json::to_string(&failure).unwrap();
        assert!(
            !written.contains(CODE) && !written.contains('@'),
            "{written}"
        );
        failure
    }
}

fn notice() -> Mailer {
    Mailer {
        template: "credential_changed",
        is_notice: true,
        ..Mailer::default()
    }
}

fn busy() -> SendError {
    SendError::Later("it is busy".to_owned())
}

#[tokio::test]
async fn a_message_is_sent_once_to_the_stored_address() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    assert!(scene.post.sent().is_empty(), "nothing is sent meanwhile");
    assert!(scene.deliver().await);
    assert!(!scene.deliver().await);
    let sent = scene.post.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to, "ada@example.com");
    assert_eq!(sent[0].rendered.subject, "code of acme");
    assert_eq!(sent[0].rendered.text.expose(), format!("code={CODE}"));
    assert!(scene.outbox().await.is_empty());
    assert!(scene.failures().await.is_empty());
}

#[tokio::test]
async fn what_a_message_says_is_stored_sealed() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    let entry = scene.outbox().await.remove(0);
    let sealed = String::from_utf8_lossy(&entry.sealed).into_owned();
    assert!(!sealed.contains(CODE) && !sealed.contains("ada@example.com"));
    assert!(!format!("{entry:?}").contains(CODE));
    assert_eq!((entry.tenant, entry.user), (scene.acme.id, scene.ada.id));
}

#[tokio::test]
async fn a_message_moved_to_another_user_is_not_sent() {
    let scene = Scene::new().await;
    let eve = scene.world.user(&scene.acme, "eve", "eve's word").await;
    scene.ask("ada").await.unwrap();
    let entry = scene.outbox().await.remove(0);
    let scope = Scope::Tenant(scene.acme.id);
    let mut unit = scene.world.storage.begin(scope, Mode::Write).await.unwrap();
    let moved = OutboxEntry {
        user: eve.id,
        ..entry
    };
    unit.archive().put(&[Row::Message(moved)]).await.unwrap();
    unit.commit().await.unwrap();
    assert!(scene.deliver().await);
    assert!(scene.post.sent().is_empty());
    let failures = scene.failures().await;
    assert_eq!(failures[0].reason.as_deref(), Some("unreadable"));
    assert!(scene.outbox().await.is_empty());
}

#[tokio::test]
async fn a_message_of_a_refused_turn_is_never_sent() {
    let mailer = Mailer {
        key: Some("taken"),
        ..Mailer::default()
    };
    let scene = Scene::with(mailer).await;
    scene.ask("ada").await.unwrap();
    // The second record has a key that is taken by now.
    let refused = scene.ask("ada").await.unwrap();
    assert!(matches!(refused, Progress::Refused { .. }));
    assert_eq!(scene.outbox().await.len(), 1, "that of the first turn");
}

#[tokio::test]
async fn only_a_verified_address_is_written_to() {
    let scene = Scene::new().await;
    scene.address("ada@example.org", false).await;
    let answer = scene.ask("ada").await.unwrap();
    assert!(matches!(answer, Progress::Next { .. }), "as for anybody");
    assert!(!scene.deliver().await);
    assert_eq!(
        scene.only_failure().await.reason.as_deref(),
        Some("no_address")
    );
}

#[tokio::test]
async fn a_message_that_verifies_the_address_goes_to_one_that_is_not() {
    for template in ["invite", "verify"] {
        let mailer = Mailer {
            template,
            ..Mailer::default()
        };
        let scene = Scene::with(mailer).await;
        scene.address("ada@example.org", false).await;
        scene.ask("ada").await.unwrap();
        assert!(scene.deliver().await);
        assert_eq!(scene.post.sent()[0].to, "ada@example.org");
    }
}

#[tokio::test]
async fn nobody_gets_a_message_for_a_name_that_nobody_has() {
    let scene = Scene::new().await;
    let answer = scene.ask("ghost").await.unwrap();
    assert!(matches!(answer, Progress::Next { .. }), "as for anybody");
    assert!(!scene.deliver().await);
    assert!(scene.failures().await.is_empty());
}

#[tokio::test]
async fn s42_a_code_goes_to_nobody_once_the_address_has_changed() {
    for (address, is_verified) in [("eve@example.com", true), ("ada@example.com", false)] {
        let scene = Scene::new().await;
        scene.ask("ada").await.unwrap();
        scene.address(address, is_verified).await;
        assert_eq!(scene.try_one().await, Some(Delivery::GivenUp));
        assert!(scene.post.sent().is_empty());
        let reason = scene.only_failure().await.reason;
        assert_eq!(reason.as_deref(), Some("address_changed"));
    }
}

/// Whoever has taken an account over cannot silence what is told of that by
/// changing the address.
#[tokio::test]
async fn a_notice_goes_to_the_address_of_the_moment_it_was_written() {
    let scene = Scene::with(notice()).await;
    scene.ask("ada").await.unwrap();
    scene.address("eve@example.com", true).await;
    assert_eq!(scene.try_one().await, Some(Delivery::Sent));
    assert_eq!(scene.post.sent()[0].to, "ada@example.com");
}

#[tokio::test]
async fn a_code_of_somebody_who_was_switched_off_is_not_sent() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    let who = (scene.acme.id, scene.ada.id);
    let switch_off = |user: &mut User| user.status = UserStatus::Deactivated;
    scene.world.alter_user(who, switch_off).await;
    assert_eq!(scene.try_one().await, Some(Delivery::GivenUp));
    let reason = scene.only_failure().await.reason;
    assert_eq!(reason.as_deref(), Some("user_deactivated"));
}

#[tokio::test]
async fn a_notice_is_left_out_where_nothing_sends_it() {
    let mailer = Arc::new(notice());
    let world = World::with(|plan| plan.more = vec![("mailer", mailer)]).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let name = [("user_name", "ada")];
    let answer = browser.fill(&world, "mailer", &name).await.unwrap();
    assert!(matches!(answer, Progress::Next { .. }));
}

#[tokio::test]
async fn a_link_is_carried_by_its_purpose_and_token() {
    let mailer = Mailer {
        link: Some((LinkPurpose::SignIn, "abc-DEF_123.~")),
        ..Mailer::default()
    };
    let scene = Scene::with(mailer).await;
    scene.ask("ada").await.unwrap();
    assert_eq!(scene.try_one().await, Some(Delivery::Sent));
    let text = format!("code={CODE} sign-in=abc-DEF_123.~");
    assert_eq!(scene.post.sent()[0].rendered.text.expose(), text);
}

#[tokio::test]
async fn s07_a_message_cannot_say_where_its_link_leads() {
    let long: &'static str = "a".repeat(1_025).leak();
    for token in ["", "a&b", "a#b", "a%2eb", "a b", "a\r\nb", "ä", long] {
        let mailer = Mailer {
            link: Some((LinkPurpose::Reset, token)),
            ..Mailer::default()
        };
        let scene = Scene::with(mailer).await;
        let refused = kind(scene.ask("ada").await);
        assert_eq!(refused, gatelodge_core::ErrorKind::Internal, "{token}");
        assert!(scene.outbox().await.is_empty());
    }
    for name in ["link", "code", "Link", ""] {
        let mailer = Mailer {
            value: Some(name),
            ..Mailer::default()
        };
        let scene = Scene::with(mailer).await;
        let refused = kind(scene.ask("ada").await);
        assert_eq!(refused, gatelodge_core::ErrorKind::Internal, "`{name}`");
    }
}

/// R13
#[tokio::test]
async fn an_hour_that_the_clock_jumps_there_and_back_loses_no_message() {
    let mailer = || Mailer {
        lasts: minutes(180),
        ..Mailer::default()
    };
    let hour = minutes(60);
    // Forward, while a message is to be tried again.
    let scene = Scene::with(mailer()).await;
    let start = scene.world.platform.now();
    scene.ask("ada").await.unwrap();
    scene.post.answer([busy(), busy()]);
    assert_eq!(scene.try_one().await, Some(Delivery::Postponed));
    scene.world.clock.set(later(start, hour));
    assert_eq!(scene.try_one().await, Some(Delivery::Postponed));
    scene.world.clock.set(start);
    scene.world.platform.tidy().await.unwrap();
    assert_eq!(scene.try_one().await, None, "it waits, an hour at most");
    scene.world.pass(hour + minutes(1));
    assert_eq!(scene.try_one().await, Some(Delivery::Sent));
    // Back.
    let scene = Scene::with(mailer()).await;
    scene.ask("ada").await.unwrap();
    scene.world.clock.set(earlier(start, hour));
    scene.world.platform.tidy().await.unwrap();
    assert_eq!(scene.try_one().await, None);
    scene.world.pass(hour);
    assert_eq!(scene.try_one().await, Some(Delivery::Sent));
}

/// R13
#[tokio::test]
async fn two_years_that_the_clock_jumps_leave_nothing_that_is_sent_late() {
    let years = Duration::from_secs(2 * 365 * 24 * 60 * 60);
    // Forward: what was asked for before has long expired.
    let scene = Scene::new().await;
    let start = scene.world.platform.now();
    scene.ask("ada").await.unwrap();
    scene.world.clock.set(later(start, years));
    assert_eq!(scene.try_one().await, None);
    scene.world.platform.tidy().await.unwrap();
    let reason = scene.only_failure().await.reason;
    assert_eq!(reason.as_deref(), Some("expired"));
    // And back: what was asked for meanwhile would be good for two years.
    let scene = Scene::new().await;
    scene.world.clock.set(later(start, years));
    scene.ask("ada").await.unwrap();
    scene.world.clock.set(start);
    assert_eq!(scene.try_one().await, None);
    scene.world.platform.tidy().await.unwrap();
    assert!(scene.outbox().await.is_empty());
    let reason = scene.only_failure().await.reason;
    assert_eq!(reason.as_deref(), Some("made_in_future"));
    // What is asked for afterwards is sent.
    scene.ask("ada").await.unwrap();
    assert_eq!(scene.try_one().await, Some(Delivery::Sent));
}

#[tokio::test]
async fn what_could_not_be_sent_is_tried_again_after_growing_pauses() {
    let mailer = Mailer {
        lasts: minutes(600),
        ..Mailer::default()
    };
    let scene = Scene::with(mailer).await;
    scene.ask("ada").await.unwrap();
    let pauses = [10, 30, 120, 600, 1_800, 3_600, 3_600].map(Duration::from_secs);
    scene.post.answer(pauses.map(|_| busy()));
    for pause in pauses {
        assert!(scene.deliver().await);
        scene.world.pass(pause - MILLISECOND);
        assert!(!scene.deliver().await, "before {pause:?} have passed");
        scene.world.pass(MILLISECOND);
    }
    assert!(scene.deliver().await);
    let sent = scene.post.sent();
    assert_eq!(sent.len(), 8);
    assert!(
        sent.iter().all(|again| *again == sent[0]),
        "always the same"
    );
    assert!(scene.outbox().await.is_empty());
    assert!(scene.failures().await.is_empty());
}

#[tokio::test]
async fn what_is_pointless_is_given_up_and_audited_once() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    scene.post.answer((0..9).map(|_| busy()));
    for seconds in [10, 30, 120, 600] {
        assert!(scene.deliver().await);
        scene.world.pass(Duration::from_secs(seconds));
    }
    assert!(!scene.deliver().await);
    assert_eq!(scene.post.sent().len(), 4, "a fifth would come too late");
    let failure = scene.only_failure().await;
    assert_eq!(failure.reason.as_deref(), Some("expired"));
    let tries = failure.changes.iter().find(|c| c.field == "tries");
    assert_eq!(tries.unwrap().new.as_deref(), Some("4"));
    assert!(scene.outbox().await.is_empty());
}

#[tokio::test]
async fn what_is_refused_is_given_up_at_once() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    let never = SendError::Never("there is no such mailbox".to_owned());
    scene.post.answer([never]);
    assert!(scene.deliver().await);
    let failure = scene.only_failure().await;
    assert_eq!(failure.reason.as_deref(), Some("rejected"));
    scene.world.pass(minutes(5));
    assert!(!scene.deliver().await);
}

#[tokio::test]
async fn a_broken_template_is_tried_again() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    scene.post.misspell(true);
    assert!(scene.deliver().await);
    scene.post.misspell(false);
    scene.world.pass(Duration::from_secs(10));
    assert!(scene.deliver().await);
    assert_eq!(scene.post.sent().len(), 1);
}

#[tokio::test]
async fn messages_that_nobody_sent_are_removed_and_audited() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    scene.world.pass(minutes(10) + CLAIM);
    scene.world.platform.tidy().await.unwrap();
    assert_eq!(scene.outbox().await.len(), 1, "until the millisecond after");
    scene.world.pass(MILLISECOND);
    assert!(!scene.deliver().await, "it is not sent any more");
    scene.world.platform.tidy().await.unwrap();
    assert!(scene.outbox().await.is_empty());
    assert_eq!(
        scene.only_failure().await.reason.as_deref(),
        Some("expired")
    );
}

/// Starts to send, and stops in the middle of it.
async fn begin_to_send(scene: &Scene, platform: &Platform) {
    let all = u32::try_from(Post::DESKS).unwrap();
    let permits = scene.post.open.acquire_many(all).await.unwrap();
    let platform = platform.clone();
    let sending = tokio::spawn(async move { platform.deliver().await });
    while scene.outbox().await.iter().all(|entry| entry.tries == 0) {
        tokio::task::yield_now().await;
    }
    sending.abort();
    let _aborted = sending.await;
    drop(permits);
}

#[tokio::test]
async fn a_message_is_nobody_elses_until_its_claim_ends() {
    let scene = Scene::new().await;
    let other = scene.world.another_node().await;
    scene.ask("ada").await.unwrap();
    begin_to_send(&scene, &scene.world.platform).await;
    assert_eq!(other.deliver().await.unwrap(), None, "it is claimed");
    scene.world.pass(CLAIM);
    assert_eq!(other.deliver().await.unwrap(), Some(Delivery::Sent));
    assert_eq!(scene.post.sent().len(), 1);
    assert!(scene.outbox().await.is_empty());
}

#[tokio::test]
async fn several_servers_send_each_message_once() {
    let scene = Scene::new().await;
    let other = scene.world.another_node().await;
    for _ in 0..6 {
        scene.ask("ada").await.unwrap();
    }
    let drain =
        |platform: Platform| async move { while platform.deliver().await.unwrap().is_some() {} };
    let platform = scene.world.platform.clone();
    tokio::join!(drain(platform.clone()), drain(other), drain(platform));
    let mut ids: Vec<_> = scene.post.sent().iter().map(|sent| sent.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), scene.post.sent().len()), (6, 6));
}

#[tokio::test]
async fn a_message_of_a_deleted_user_is_not_sent() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    let scope = Scope::Tenant(scene.acme.id);
    let mut unit = scene.world.storage.begin(scope, Mode::Write).await.unwrap();
    let ada = unit.users().by_id(scene.ada.id).await.unwrap().unwrap();
    unit.users().delete(ada.id, ada.version).await.unwrap();
    unit.commit().await.unwrap();
    assert!(!scene.deliver().await);
    assert!(scene.post.sent().is_empty());
}

#[tokio::test]
async fn a_message_of_a_deleted_tenant_is_not_sent() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    let how = DeleteTenant {
        force: true,
        version: None,
    };
    let tenants = scene.world.platform.tenants();
    let operator = Caller::operator();
    tenants.delete(&operator, scene.acme.id, how).await.unwrap();
    assert_eq!(scene.try_one().await, None);
    assert!(scene.post.sent().is_empty());
}

#[tokio::test]
async fn whoever_waits_for_a_message_is_told() {
    let scene = Scene::new().await;
    scene.ask("ada").await.unwrap();
    let told = scene.world.platform.message_added();
    tokio::time::timeout(Duration::from_secs(5), told)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_provider_knows_what_can_be_sent() {
    let scene = Scene::new().await;
    Browser::at_tenant(&scene.world, &scene.acme).await;
    let told = scene.mailer.told.lock().unwrap().clone();
    assert_eq!(told, [MessageChannel::Mail]);
    assert_eq!(scene.world.platform.channels(), [MessageChannel::Mail]);
}

#[tokio::test]
async fn without_a_sender_asking_for_a_message_is_a_fault_that_names_what_is_missing() {
    for (channel, words) in [
        (MessageChannel::Mail, "`mail` is not configured"),
        (MessageChannel::Sms, "`sms` is not configured"),
    ] {
        let mailer = Arc::new(Mailer {
            channel,
            ..Mailer::default()
        });
        let offered = mailer.clone();
        let world = World::with(|plan| plan.more = vec![("mailer", offered)]).await;
        let acme = world.tenant("acme").await;
        world.user(&acme, "ada", "ada's word").await;
        let mut browser = Browser::at_tenant(&world, &acme).await;
        assert!(mailer.told.lock().unwrap().is_empty());
        let asked = browser
            .fill(&world, "mailer", &[("user_name", "ada")])
            .await;
        let error = asked.unwrap_err();
        assert!(error.message().contains(words), "{error}");
        assert!(!world.platform.sends_messages());
        assert_eq!(world.platform.deliver().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_message_that_lasts_for_ever_is_a_fault() {
    let mailer = Mailer {
        lasts: Duration::from_secs(31 * 24 * 60 * 60),
        ..Mailer::default()
    };
    let scene = Scene::with(mailer).await;
    let kind = kind(scene.ask("ada").await);
    assert_eq!(kind, gatelodge_core::ErrorKind::Internal);
    assert!(scene.outbox().await.is_empty());
}
