//! Users: uniqueness, logins, lists, versions.

use gatelodge_core::{
    ErrorKind,
    model::{DisplayName, Email, Lock, MustChange, NameKey, User, UserId, UserName, UserStatus},
    storage::{Page, Scope},
};

use crate::world::{World, paged};

pub(crate) async fn a_user_comes_back_as_it_was_made(w: World) {
    let acme = w.tenant("acme").await;
    let lock = Lock::new(Some("left".into()), Some(w.make.at(1)), w.make.now(), false);
    let users = [
        w.make.user("plain"),
        w.make
            .user_with_email("unverified", "ada@example.com", false),
        User {
            display_name: DisplayName::new("Ada, Countess of Lovelace").unwrap(),
            status: UserStatus::Deactivated,
            lock: Some(lock.unwrap()),
            must_change: Some(MustChange::Compromised),
            credential_epoch: i64::MAX,
            ..w.make.user_with_email("full", "ada@example.com", true)
        },
        User {
            must_change: Some(MustChange::Age),
            lock: Some(Lock::new(None, None, w.make.now(), false).unwrap()),
            ..w.make.user("locked for good")
        },
        User {
            must_change: Some(MustChange::Administrator),
            ..w.make.user("told to change")
        },
    ];
    for user in users {
        w.write(&acme, async |u| u.users().create(&user).await)
            .await;
        let seen = w
            .read(&acme, async |u| u.users().by_id(user.id).await)
            .await;
        assert!(
            seen == Some(user.clone()),
            "every field of {} comes back",
            user.user_name
        );
    }
}

pub(crate) async fn a_user_that_was_never_made_is_not_found(w: World) {
    let acme = w.tenant("acme").await;
    let ghost = w.make.user("ghost");
    w.read(&acme, async |u| {
        assert_eq!(u.users().by_id(ghost.id).await?, None);
        assert_eq!(u.users().by_login(&ghost.user_name.key()).await?, None);
        assert_eq!(u.users().grants(ghost.id).await?, vec![]);
        Ok(())
    })
    .await;
    let kinds = [
        w.refusal(&acme, async |u| u.users().update(&ghost).await)
            .await,
        w.refusal(&acme, async |u| u.users().delete(ghost.id, 1).await)
            .await,
        w.refusal(&acme, async |u| u.users().lock_row(ghost.id).await)
            .await,
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 3]);
}

pub(crate) async fn a_taken_user_name_or_id_is_refused(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("Ada");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    let same_id = User {
        id: ada.id,
        ..w.make.user("another")
    };
    for taken in [w.make.user("Ada"), w.make.user("aDA"), same_id] {
        let kind = w
            .refusal(&acme, async |u| u.users().create(&taken).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists, "{}", taken.user_name);
    }
    let users = w
        .read(&acme, async |u| u.users().list(None, Page::first(9)).await)
        .await;
    assert_eq!(users, vec![ada]);
}

pub(crate) async fn an_unverified_address_may_repeat(w: World) {
    let acme = w.tenant("acme").await;
    w.write(&acme, async |u| {
        for (name, is_verified) in [("ada", false), ("bob", true), ("cleo", false)] {
            let user = w
                .make
                .user_with_email(name, "shared@example.com", is_verified);
            u.users().create(&user).await?;
        }
        Ok(())
    })
    .await;
}

pub(crate) async fn a_verified_address_belongs_to_one_user(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user_with_email("ada", "Ada.L@Example.com", true);
    let bob = w.make.user_with_email("bob", "ada.l@example.com", false);
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        u.users().create(&bob).await
    })
    .await;
    let eve = w.make.user_with_email("eve", "ADA.L@example.com", true);
    let kind = w
        .refusal(&acme, async |u| u.users().create(&eve).await)
        .await;
    assert_eq!(kind, ErrorKind::AlreadyExists);

    let bob = User {
        email_verified: true,
        ..bob
    };
    let kind = w
        .refusal(&acme, async |u| u.users().update(&bob).await)
        .await;
    assert_eq!(
        kind,
        ErrorKind::AlreadyExists,
        "neither by verifying it later"
    );

    let updated = w
        .write(&acme, async |u| {
            let without = User {
                email: None,
                email_verified: false,
                ..ada.clone()
            };
            u.users().update(&without).await?;
            u.users().update(&bob).await
        })
        .await;
    assert!(updated.email_verified, "once it is given up it is free");
}

pub(crate) async fn the_same_verified_address_is_free_in_another_tenant(w: World) {
    for name in ["one", "other"] {
        let tenant = w.tenant(name).await;
        let ada = w.make.user_with_email("ada", "ada@example.com", true);
        w.write(&tenant, async |u| u.users().create(&ada).await)
            .await;
    }
}

pub(crate) async fn an_update_changes_everything_but_id_and_creation(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user_with_email("ada", "ada@example.com", true);
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    let changed = User {
        user_name: UserName::new("lovelace").unwrap(),
        display_name: DisplayName::new("Lady Lovelace").unwrap(),
        email: Some(Email::new("lovelace@example.com").unwrap()),
        email_verified: false,
        status: UserStatus::Deactivated,
        lock: Some(Lock::new(Some("why".into()), None, w.make.now(), false).unwrap()),
        must_change: Some(MustChange::Administrator),
        credential_epoch: 5,
        created_at: w.make.at(77),
        ..ada.clone()
    };
    let updated = w
        .write(&acme, async |u| u.users().update(&changed).await)
        .await;
    assert_eq!(updated.version, 2);
    let expected = User {
        created_at: ada.created_at,
        version: 2,
        ..changed
    };
    w.read(&acme, async |u| {
        let seen = u.users().by_id(ada.id).await?;
        assert!(
            seen == Some(expected.clone()),
            "every field but two is changed"
        );
        assert_eq!(u.users().by_login(&ada.user_name.key()).await?, None);
        let seen = u.users().by_login(&expected.user_name.key()).await?;
        assert_eq!(seen, Some(expected.clone()));
        Ok(())
    })
    .await;
    let mut plain = updated;
    plain.email = None;
    plain.lock = None;
    plain.must_change = None;
    let updated = w
        .write(&acme, async |u| u.users().update(&plain).await)
        .await;
    assert_eq!(
        (updated.version, updated.email, updated.lock),
        (3, None, None)
    );
}

pub(crate) async fn an_update_cannot_take_another_users_name(w: World) {
    let acme = w.tenant("acme").await;
    let (ada, bob) = (w.make.user("ada"), w.make.user("bob"));
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        u.users().create(&bob).await
    })
    .await;
    let renamed = |name: &str| User {
        user_name: UserName::new(name).unwrap(),
        ..bob.clone()
    };
    let taken = renamed("ADA");
    let kind = w
        .refusal(&acme, async |u| u.users().update(&taken).await)
        .await;
    assert_eq!(kind, ErrorKind::AlreadyExists);
    let own = renamed("BOB");
    let updated = w.write(&acme, async |u| u.users().update(&own).await).await;
    assert_eq!(updated.user_name, own.user_name);
}

pub(crate) async fn a_stale_user_is_not_written(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    let with_epoch = |credential_epoch| User {
        credential_epoch,
        ..ada.clone()
    };
    let (first, second) = (with_epoch(1), with_epoch(2));
    let current = w
        .write(&acme, async |u| u.users().update(&first).await)
        .await;
    let kind = w
        .refusal(&acme, async |u| u.users().update(&second).await)
        .await;
    assert_eq!(kind, ErrorKind::Conflict);
    for version in [0, 1, 3] {
        let kind = w
            .refusal(&acme, async |u| u.users().delete(ada.id, version).await)
            .await;
        assert_eq!(kind, ErrorKind::Conflict, "version {version}");
    }
    let seen = w.read(&acme, async |u| u.users().by_id(ada.id).await).await;
    assert!(seen == Some(current), "nothing is lost");
}

pub(crate) async fn a_user_signs_in_by_name_or_verified_address(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user_with_email("Ada", "ada@example.com", true);
    let bob = w.make.user_with_email("bob", "bob@example.com", false);
    let named_like_an_address = w.make.user("Ada@Example.com");
    let by_login = async |login: &str| {
        let login = NameKey::of(login);
        w.read(&acme, async |u| u.users().by_login(&login).await)
            .await
    };
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        u.users().create(&bob).await
    })
    .await;
    assert_eq!(by_login("ADA").await, Some(ada.clone()));
    assert_eq!(by_login("ADA@example.COM").await, Some(ada.clone()));
    assert_eq!(by_login("bob").await, Some(bob));
    assert_eq!(by_login("bob@example.com").await, None, "not verified");
    w.write(&acme, async |u| {
        u.users().create(&named_like_an_address).await
    })
    .await;
    let found = by_login("ada@example.com").await;
    assert_eq!(
        found,
        Some(named_like_an_address),
        "a name goes before an address"
    );
    assert_eq!(by_login("ada").await, Some(ada));
}

pub(crate) async fn no_login_text_is_too_odd_to_be_looked_up(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    for text in [
        "",
        "\0",
        "ada\0",
        "'; drop table users; --",
        "\\",
        "%",
        "a_a",
        "\u{fffd}",
    ] {
        let login = NameKey::of(text);
        let found = w
            .read(&acme, async |u| u.users().by_login(&login).await)
            .await;
        assert_eq!(found, None, "{text:?}");
        let found = w
            .read(Scope::Platform, async |u| {
                u.users().candidates(&login).await
            })
            .await;
        assert_eq!(found, vec![], "{text:?}");
    }
    let long = NameKey::of(&"x".repeat(100_000));
    let found = w
        .read(&acme, async |u| u.users().by_login(&long).await)
        .await;
    assert_eq!(found, None);
}

pub(crate) async fn at_most_two_candidates_are_named(w: World) {
    let mut expected = Vec::new();
    let login = NameKey::of("ADA@example.com");
    let candidates = || async {
        w.read(Scope::Platform, async |u| {
            u.users().candidates(&login).await
        })
        .await
    };
    assert_eq!(candidates().await, vec![]);
    let by_address = w.make.user_with_email("ada", "ada@example.com", true);
    let unverified = w.make.user_with_email("bob", "ada@example.com", false);
    let by_name = w.make.user("Ada@Example.com");
    for (name, user, can_sign_in) in [
        ("unverified", &unverified, false),
        ("address", &by_address, true),
        ("name", &by_name, true),
        ("third", &by_name, true),
        ("fourth", &by_name, true),
    ] {
        let tenant = w.tenant(name).await;
        w.write(&tenant, async |u| u.users().create(user).await)
            .await;
        if can_sign_in {
            expected.push((tenant.id, user.id));
        }
        expected.sort();
        let two: Vec<_> = expected.iter().copied().take(2).collect();
        assert_eq!(candidates().await, two, "after tenant `{name}`");
    }
}

pub(crate) async fn a_name_goes_before_an_address_among_candidates_too(w: World) {
    let acme = w.tenant("acme").await;
    let by_address = w.make.user_with_email("ada", "ada@example.com", true);
    let by_name = w.make.user("ada@example.com");
    w.write(&acme, async |u| {
        u.users().create(&by_address).await?;
        u.users().create(&by_name).await
    })
    .await;
    let login = NameKey::of("ada@example.com");
    let candidates = w
        .read(Scope::Platform, async |u| {
            u.users().candidates(&login).await
        })
        .await;
    assert_eq!(
        candidates,
        vec![(acme.id, by_name.id)],
        "one tenant, one answer"
    );
}

pub(crate) async fn pages_of_users_make_up_the_whole_list(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let mut made = Vec::new();
    for number in 0..15 {
        let user = w.make.user(&format!("user {number}"));
        for tenant in [&acme, &other] {
            w.write(tenant, async |u| u.users().create(&user).await)
                .await;
        }
        made.push(user);
    }
    made.sort_by_key(|user| user.id);
    let key = NameKey::of("user");
    for search in [None, Some(&key)] {
        let list = paged(
            |user: &User| user.id,
            async |page| {
                w.read(&acme, async |u| u.users().list(search, page).await)
                    .await
            },
        )
        .await;
        assert_eq!(list, made);
    }
}

pub(crate) async fn a_page_stays_where_it_is_while_users_come_and_go(w: World) {
    let acme = w.tenant("acme").await;
    let mut made: Vec<_> = (0..6).map(|n| w.make.user(&format!("user {n}"))).collect();
    made.sort_by_key(|user| user.id);
    w.write(&acme, async |u| {
        u.users().create(&made[1]).await?;
        u.users().create(&made[2]).await?;
        u.users().create(&made[4]).await
    })
    .await;
    let page = |page| w.read(&acme, async move |u| u.users().list(None, page).await);
    assert_eq!(page(Page::first(2)).await, made[1..3]);
    w.write(&acme, async |u| {
        u.users().create(&made[0]).await?;
        u.users().create(&made[3]).await?;
        u.users().create(&made[5]).await?;
        u.users().delete(made[2].id, 1).await
    })
    .await;
    let next = page(Page::after(made[2].id, 9)).await;
    assert_eq!(next, made[3..], "the last row may even be gone");
    assert_eq!(page(Page::first(u32::MAX)).await.len(), 5);
}

pub(crate) async fn users_are_searched_by_the_key_of_name_display_name_and_address(w: World) {
    let acme = w.tenant("acme").await;
    let ada = User {
        display_name: DisplayName::new("Gräfin Ａｄａ").unwrap(),
        ..w.make
            .user_with_email("lovelace", "analyst@example.com", false)
    };
    let bob = w.make.user("bob");
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        u.users().create(&bob).await
    })
    .await;
    let found = async |search: &str| -> Vec<UserId> {
        let search = NameKey::of(search);
        let users = w
            .read(&acme, async |u| {
                u.users().list(Some(&search), Page::first(9)).await
            })
            .await;
        users.iter().map(|user| user.id).collect()
    };
    for search in ["LOVE", "gräfin", "GRÄFIN ADA", "ANALYST@", "lovelace"] {
        assert_eq!(found(search).await, vec![ada.id], "{search}");
    }
    assert_eq!(found("bo").await, vec![bob.id]);
    assert_eq!(found("").await.len(), 2, "every name contains nothing");
    for search in ["grafin", "lovelacegr", "lovelace gr", "zz"] {
        assert_eq!(found(search).await, vec![], "{search}");
    }
}
