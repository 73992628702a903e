//! Records: keys, owners, bytes, versions, expiry.

use gatelodge_core::{
    ErrorKind,
    model::{RecordId, User},
    storage::{Mode, Record},
};

use crate::{fixtures::provider, world::World};

pub(crate) async fn a_record_comes_back_as_it_was_made(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let password = provider("password");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    let records = [
        w.make.record(&password, None),
        w.make.record(&password, Some(ada.id)),
        Record {
            key: Some(w.make.hash()),
            label: "Ada’s 🔑 — 鍵".to_owned(),
            expires_at: Some(w.make.at(1)),
            ..w.make
                .record(&provider("a-provider-of-thirty-two-letters"), Some(ada.id))
        },
        Record {
            label: String::new(),
            sealed: Vec::new(),
            ..w.make.record(&password, None)
        },
    ];
    for record in records {
        w.write(&acme, async |u| u.records().create(&record).await)
            .await;
        let seen = w
            .read(&acme, async |u| {
                u.records().by_id(&record.provider, record.id).await
            })
            .await;
        assert!(
            seen == Some(record.clone()),
            "every field of `{}` comes back",
            record.label
        );
    }
}

pub(crate) async fn a_record_is_found_by_its_key(w: World) {
    let acme = w.tenant("acme").await;
    let record = Record {
        key: Some(w.make.hash()),
        ..w.make.record(&provider("link"), None)
    };
    let plain = w.make.record(&provider("link"), None);
    w.write(&acme, async |u| {
        u.records().create(&record).await?;
        u.records().create(&plain).await
    })
    .await;
    w.read(&acme, async |u| {
        let found = u
            .records()
            .by_key(&record.provider, &record.key.unwrap())
            .await?;
        assert_eq!(found, Some(record.clone()));
        let found = u.records().by_key(&record.provider, &w.make.hash()).await?;
        assert_eq!(found, None);
        Ok(())
    })
    .await;
}

pub(crate) async fn a_taken_record_key_is_refused(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let key = Some(w.make.hash());
    let keyed = |id| Record {
        key,
        ..w.make.record(&provider(id), None)
    };
    let first = keyed("link");
    w.write(&acme, async |u| u.records().create(&first).await)
        .await;
    let second = keyed("link");
    let kind = w
        .refusal(&acme, async |u| u.records().create(&second).await)
        .await;
    assert_eq!(kind, ErrorKind::AlreadyExists);
    let kind = w
        .refusal(&acme, async |u| {
            u.records()
                .create(&Record {
                    key: None,
                    ..second.clone()
                })
                .await
                .unwrap();
            u.records().update(&second).await
        })
        .await;
    assert_eq!(kind, ErrorKind::AlreadyExists, "by an update neither");
    w.write(&acme, async |u| u.records().create(&keyed("other")).await)
        .await;
    w.write(&other, async |u| u.records().create(&keyed("link")).await)
        .await;
    w.write(&acme, async |u| {
        let kept = u.records().update(&first).await?;
        assert_eq!(kept.key, key, "its own key is free");
        u.records()
            .delete(&first.provider, first.id, kept.version)
            .await?;
        u.records().create(&second).await
    })
    .await;
}

pub(crate) async fn a_taken_record_id_is_refused(w: World) {
    let acme = w.tenant("acme").await;
    let record = w.make.record(&provider("password"), None);
    w.write(&acme, async |u| u.records().create(&record).await)
        .await;
    let kind = w
        .refusal(&acme, async |u| u.records().create(&record).await)
        .await;
    assert_eq!(kind, ErrorKind::AlreadyExists);
}

pub(crate) async fn a_record_of_an_unknown_user_is_not_found(w: World) {
    let acme = w.tenant("acme").await;
    let ghost = w.make.user("ghost");
    let record = w.make.record(&provider("password"), Some(ghost.id));
    let kind = w
        .refusal(&acme, async |u| u.records().create(&record).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
}

pub(crate) async fn a_record_of_another_provider_is_not_there(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let (own, foreign) = (provider("own"), provider("foreign"));
    let record = Record {
        key: Some(w.make.hash()),
        ..w.make.record(&foreign, Some(ada.id))
    };
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        u.records().create(&record).await
    })
    .await;
    w.read(&acme, async |u| {
        assert_eq!(u.records().by_id(&own, record.id).await?, None);
        assert_eq!(u.records().by_key(&own, &record.key.unwrap()).await?, None);
        assert_eq!(u.records().by_user(&own, ada.id).await?, vec![]);
        Ok(())
    })
    .await;
    let renamed = Record {
        provider: own.clone(),
        ..record.clone()
    };
    let kinds = [
        w.refusal(&acme, async |u| u.records().update(&renamed).await)
            .await,
        w.refusal(&acme, async |u| {
            u.records().delete(&own, record.id, 1).await
        })
        .await,
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 2]);
    let removed = w
        .write(&acme, async |u| {
            u.records().delete_by_user(&own, ada.id).await
        })
        .await;
    assert_eq!(removed, 0);
    let seen = w
        .read(&acme, async |u| {
            u.records().by_id(&foreign, record.id).await
        })
        .await;
    assert_eq!(seen, Some(record));
}

pub(crate) async fn a_users_records_are_listed_by_id(w: World) {
    let acme = w.tenant("acme").await;
    let (ada, bob) = (w.make.user("ada"), w.make.user("bob"));
    let password = provider("password");
    let mut expected = Vec::new();
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        u.users().create(&bob).await?;
        u.records()
            .create(&w.make.record(&password, Some(bob.id)))
            .await?;
        u.records().create(&w.make.record(&password, None)).await?;
        for number in 0..9 {
            let expires_at = (number % 2 == 0).then(|| w.make.at(-5));
            let record = Record {
                expires_at,
                ..w.make.record(&password, Some(ada.id))
            };
            u.records().create(&record).await?;
            expected.push(record);
        }
        Ok(())
    })
    .await;
    expected.sort_by_key(|record| record.id);
    let seen = w
        .read(&acme, async |u| {
            u.records().by_user(&password, ada.id).await
        })
        .await;
    assert_eq!(seen, expected, "expired ones too");
}

pub(crate) async fn at_most_a_thousand_records_of_a_user_are_listed(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    let password = provider("password");
    let mut ids = Vec::new();
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        for _ in 0..1_001 {
            let record = w.make.record(&password, Some(ada.id));
            u.records().create(&record).await?;
            ids.push(record.id);
        }
        Ok(())
    })
    .await;
    ids.sort();
    ids.pop();
    let seen: Vec<RecordId> = w
        .read(&acme, async |u| {
            u.records().by_user(&password, ada.id).await
        })
        .await
        .iter()
        .map(|record| record.id)
        .collect();
    assert!(seen == ids, "the first thousand, sorted");
    let removed = w
        .write(&acme, async |u| {
            u.records().delete_by_user(&password, ada.id).await
        })
        .await;
    assert_eq!(removed, 1_001);
}

pub(crate) async fn an_update_changes_key_label_expiry_and_bytes_only(w: World) {
    let acme = w.tenant("acme").await;
    let (ada, bob) = (w.make.user("ada"), w.make.user("bob"));
    let record = w.make.record(&provider("password"), Some(ada.id));
    w.write(&acme, async |u| {
        u.users().create(&ada).await?;
        u.users().create(&bob).await?;
        u.records().create(&record).await
    })
    .await;
    let changed = Record {
        key: Some(w.make.hash()),
        label: "renamed".to_owned(),
        expires_at: Some(w.make.at(9)),
        sealed: vec![9; 99],
        ..record.clone()
    };
    let unwanted = Record {
        user: Some(bob.id),
        created_at: w.make.at(-9),
        ..changed.clone()
    };
    let updated = w
        .write(&acme, async |u| u.records().update(&unwanted).await)
        .await;
    assert_eq!(updated.version, 2);
    let expected = Record {
        version: 2,
        ..changed
    };
    w.read(&acme, async |u| {
        let seen = u.records().by_id(&record.provider, record.id).await?;
        assert!(seen == Some(expected.clone()), "these fields are changed");
        let seen = u
            .records()
            .by_key(&record.provider, &expected.key.unwrap())
            .await?;
        assert_eq!(seen, Some(expected.clone()));
        assert_eq!(u.records().by_user(&record.provider, bob.id).await?, vec![]);
        Ok(())
    })
    .await;
    let plain = Record {
        key: None,
        expires_at: None,
        ..expected.clone()
    };
    let updated = w
        .write(&acme, async |u| u.records().update(&plain).await)
        .await;
    assert!(
        updated
            == Record {
                version: 3,
                ..plain
            },
        "key and expiry can be taken away"
    );
    let seen = w
        .read(&acme, async |u| {
            u.records()
                .by_key(&record.provider, &expected.key.unwrap())
                .await
        })
        .await;
    assert_eq!(seen, None);
}

pub(crate) async fn a_stale_record_is_not_written(w: World) {
    let acme = w.tenant("acme").await;
    let record = w.make.record(&provider("password"), None);
    w.write(&acme, async |u| u.records().create(&record).await)
        .await;
    let labelled = |label: &str| Record {
        label: label.to_owned(),
        ..record.clone()
    };
    let (first, second) = (labelled("first"), labelled("second"));
    let current = w
        .write(&acme, async |u| u.records().update(&first).await)
        .await;
    let kind = w
        .refusal(&acme, async |u| u.records().update(&second).await)
        .await;
    assert_eq!(kind, ErrorKind::Conflict);
    for version in [0, 1, 3] {
        let result = w
            .attempt(&acme, Mode::Write, async |u| {
                u.records()
                    .delete(&record.provider, record.id, version)
                    .await
            })
            .await;
        assert_eq!(
            result.unwrap_err().kind(),
            ErrorKind::Conflict,
            "version {version}"
        );
    }
    let seen = w
        .read(&acme, async |u| {
            u.records().by_id(&record.provider, record.id).await
        })
        .await;
    assert!(seen == Some(current), "nothing is lost");
}

pub(crate) async fn a_record_is_removed_once(w: World) {
    let acme = w.tenant("acme").await;
    let record = w.make.record(&provider("link"), None);
    let delete = async || {
        w.attempt(&acme, Mode::Write, async |u| {
            u.records()
                .delete(&record.provider, record.id, record.version)
                .await
        })
        .await
    };
    assert_eq!(delete().await.unwrap_err().kind(), ErrorKind::NotFound);
    w.write(&acme, async |u| u.records().create(&record).await)
        .await;
    delete().await.unwrap();
    assert_eq!(delete().await.unwrap_err().kind(), ErrorKind::NotFound);
    let kind = w
        .refusal(&acme, async |u| u.records().update(&record).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
}

pub(crate) async fn a_users_records_of_one_provider_are_removed_together(w: World) {
    let acme = w.tenant("acme").await;
    let users: [User; 2] = ["ada", "bob"].map(|name| w.make.user(name));
    let (password, totp) = (provider("password"), provider("totp"));
    w.write(&acme, async |u| {
        for user in &users {
            u.users().create(user).await?;
            for provider in [&password, &password, &totp] {
                u.records()
                    .create(&w.make.record(provider, Some(user.id)))
                    .await?;
            }
        }
        u.records().create(&w.make.record(&password, None)).await
    })
    .await;
    let [ada, bob] = &users;
    let delete = async || {
        w.write(&acme, async |u| {
            u.records().delete_by_user(&password, ada.id).await
        })
        .await
    };
    assert_eq!(delete().await, 2);
    assert_eq!(delete().await, 0);
    w.read(&acme, async |u| {
        assert_eq!(u.records().by_user(&password, ada.id).await?, vec![]);
        assert_eq!(u.records().by_user(&totp, ada.id).await?.len(), 1);
        assert_eq!(u.records().by_user(&password, bob.id).await?.len(), 2);
        Ok(())
    })
    .await;
}

pub(crate) async fn the_records_of_all_users_are_removed_together(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let users = [w.make.user("ada"), w.make.user("bob")];
    let (device, totp) = (provider("device"), provider("totp"));
    let key = w.make.record(&device, None);
    w.write(&acme, async |u| {
        for user in &users {
            u.users().create(user).await?;
            for provider in [&device, &device, &totp] {
                u.records()
                    .create(&w.make.record(provider, Some(user.id)))
                    .await?;
            }
        }
        u.records().create(&key).await
    })
    .await;
    let eve = w.make.user("eve");
    w.write(&other, async |u| {
        u.users().create(&eve).await?;
        u.records()
            .create(&w.make.record(&device, Some(eve.id)))
            .await
    })
    .await;
    let delete = async || {
        w.write(&acme, async |u| u.records().delete_of_users(&device).await)
            .await
    };
    assert_eq!(delete().await, 4);
    assert_eq!(delete().await, 0);
    w.read(&acme, async |u| {
        for user in &users {
            assert_eq!(u.records().by_user(&device, user.id).await?, vec![]);
            assert_eq!(u.records().by_user(&totp, user.id).await?.len(), 1);
        }
        assert_eq!(u.records().by_id(&device, key.id).await?, Some(key.clone()));
        Ok(())
    })
    .await;
    w.read(&other, async |u| {
        assert_eq!(u.records().by_user(&device, eve.id).await?.len(), 1);
        Ok(())
    })
    .await;
}

pub(crate) async fn an_expired_record_is_found_until_it_is_removed(w: World) {
    let acme = w.tenant("acme").await;
    let record = Record {
        key: Some(w.make.hash()),
        expires_at: Some(w.make.at(-1)),
        ..w.make.record(&provider("link"), None)
    };
    w.write(&acme, async |u| u.records().create(&record).await)
        .await;
    w.read(&acme, async |u| {
        let found = u.records().by_id(&record.provider, record.id).await?;
        assert_eq!(found, Some(record.clone()));
        let found = u
            .records()
            .by_key(&record.provider, &record.key.unwrap())
            .await?;
        assert_eq!(found, Some(record.clone()));
        Ok(())
    })
    .await;
}

pub(crate) async fn records_are_removed_from_the_millisecond_after_their_end(w: World) {
    let acme = w.tenant("acme").await;
    let ending = |millis| Record {
        expires_at: Some(w.make.at(millis)),
        ..w.make.record(&provider("link"), None)
    };
    let unending = w.make.record(&provider("link"), None);
    let (before, at, after) = (ending(-1), ending(0), ending(1));
    w.write(&acme, async |u| {
        for record in [&before, &at, &after, &unending] {
            u.records().create(record).await?;
        }
        Ok(())
    })
    .await;
    let remove = async |now| {
        w.write(&acme, async |u| u.records().delete_expired(now, 9).await)
            .await
    };
    let left = || async {
        let mut left = Vec::new();
        for record in [&before, &at, &after, &unending] {
            let found = w
                .read(&acme, async |u| {
                    u.records().by_id(&record.provider, record.id).await
                })
                .await;
            left.push(found.is_some());
        }
        left
    };
    assert_eq!(remove(w.make.now()).await, 1);
    assert_eq!(left().await, [false, true, true, true]);
    assert_eq!(remove(w.make.at(1)).await, 1);
    assert_eq!(left().await, [false, false, true, true]);
    assert_eq!(remove(w.make.at(i64::from(u32::MAX))).await, 1);
    assert_eq!(
        left().await,
        [false, false, false, true],
        "what has no end stays"
    );
}

pub(crate) async fn expired_records_are_removed_of_all_providers_and_piece_by_piece(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    for tenant in [&acme, &other] {
        w.write(tenant, async |u| {
            for number in 0..5 {
                let record = Record {
                    expires_at: Some(w.make.at(-1)),
                    ..w.make
                        .record(&provider(&format!("provider-{number}")), None)
                };
                u.records().create(&record).await?;
            }
            Ok(())
        })
        .await;
    }
    let remove = async |tenant, limit| {
        let now = w.make.now();
        w.write(tenant, async |u| {
            u.records().delete_expired(now, limit).await
        })
        .await
    };
    assert_eq!(remove(&acme, 0).await, 0);
    assert_eq!(remove(&acme, 2).await, 2);
    assert_eq!(remove(&acme, 2).await, 2);
    assert_eq!(remove(&acme, 2).await, 1);
    assert_eq!(remove(&acme, 2).await, 0);
    assert_eq!(
        remove(&other, u32::MAX).await,
        5,
        "another tenant's are left to it"
    );
}
