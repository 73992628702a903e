//! Messages to an address or a number that somebody gave to a provider.

use gatelodge_core::{
    ErrorKind,
    messages::Delivery,
    model::{User, UserStatus},
    provider::MessageChannel,
};

use crate::{
    messages::Scene,
    providers::Mailer,
    support::{Post, kind},
};

/// What somebody gave to a provider is not compared with the stored address.
#[tokio::test]
async fn a_code_goes_where_the_person_said_whatever_is_stored() {
    let mailer = Mailer {
        to: Some("own@example.net"),
        ..Mailer::default()
    };
    let scene = Scene::of(mailer, Post::messages).await;
    scene.address("ada@example.com", false).await;
    scene.ask("ada").await.unwrap();
    scene.address("eve@example.com", true).await;
    assert_eq!(scene.try_one().await, Some(Delivery::Sent));
    assert_eq!(scene.post.sent()[0].to, "own@example.net");
    let who = (scene.acme.id, scene.ada.id);
    scene.ask("ada").await.unwrap();
    let switch_off = |user: &mut User| user.status = UserStatus::Deactivated;
    scene.world.alter_user(who, switch_off).await;
    assert_eq!(scene.try_one().await, Some(Delivery::GivenUp));
    assert_eq!(scene.post.sent().len(), 1);
}

#[tokio::test]
async fn a_text_message_goes_to_a_number_that_was_given_and_to_no_other() {
    let sms = |to| Mailer {
        channel: MessageChannel::Sms,
        to,
        ..Mailer::default()
    };
    let scene = Scene::of(sms(Some("+4930123456")), Post::messages_and_sms).await;
    let all = [MessageChannel::Mail, MessageChannel::Sms];
    assert_eq!(scene.world.platform.channels(), all);
    scene.ask("ada").await.unwrap();
    assert_eq!(scene.try_one().await, Some(Delivery::Sent));
    assert_eq!(scene.post.sent()[0].to, "+4930123456");
    let scene = Scene::of(sms(None), Post::messages_and_sms).await;
    let error = scene.ask("ada").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("none is stored"), "{error}");
    assert!(scene.outbox().await.is_empty());
}

#[tokio::test]
async fn s42_a_message_to_what_is_no_address_is_a_fault() {
    for to in ["", "a@example.com\r\nBcc: b@example.com", "+49\u{0}30"] {
        let mailer = Mailer {
            to: Some(to),
            ..Mailer::default()
        };
        let scene = Scene::of(mailer, Post::messages).await;
        let refused = kind(scene.ask("ada").await);
        assert_eq!(refused, ErrorKind::Internal, "{to:?}");
        assert!(scene.outbox().await.is_empty());
    }
}
