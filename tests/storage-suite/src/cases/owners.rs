//! Owners: whose a record with a key is, as the platform finds it.

use gatelodge_core::{
    ErrorKind, Result,
    model::{ProviderId, Tenant, TenantId, User, UserId},
    secret::TokenHash,
    storage::{Record, Row, RowKey, RowKind, Scope},
};

use crate::{fixtures::provider, world::World};

type Owners = Vec<(TenantId, UserId)>;

async fn owners(w: &World, provider: &ProviderId, key: TokenHash) -> Owners {
    w.read(Scope::Platform, async |u| {
        u.records().owners(provider, &key).await
    })
    .await
}

/// A user of this tenant who has a record with this key.
async fn owner(
    w: &World,
    tenant: &Tenant,
    provider: &ProviderId,
    key: TokenHash,
) -> (User, Record) {
    let user = w.make.user(&format!("user of {}", tenant.name.as_str()));
    let record = Record {
        key: Some(key),
        ..w.make.record(provider, Some(user.id))
    };
    w.write(tenant, async |u| {
        u.users().create(&user).await?;
        u.records().create(&record).await
    })
    .await;
    (user, record)
}

pub(crate) async fn the_owners_of_a_key_are_named_by_tenant(w: World) {
    let (google, key) = (provider("google"), w.make.hash());
    assert_eq!(owners(&w, &google, key).await, vec![]);
    let mut expected = Vec::new();
    for number in 0..9 {
        let tenant = w.tenant(&format!("tenant {number}")).await;
        let (user, record) = owner(&w, &tenant, &google, key).await;
        expected.push((tenant.id, user.id));
        // Of the same user, and not what is asked for.
        let others = [
            Record {
                key: Some(w.make.hash()),
                ..w.make.record(&google, record.user)
            },
            w.make.record(&google, record.user),
        ];
        w.write(&tenant, async |u| {
            for other in &others {
                u.records().create(other).await?;
            }
            Ok(())
        })
        .await;
    }
    expected.sort();
    assert_eq!(owners(&w, &google, key).await, expected);
}

pub(crate) async fn a_record_of_nobody_or_of_another_provider_has_no_owner_here(w: World) {
    let (google, key) = (provider("google"), w.make.hash());
    let nobodys = Record {
        key: Some(key),
        ..w.make.record(&google, None)
    };
    let without = w.tenant("without").await;
    w.write(&without, async |u| u.records().create(&nobodys).await)
        .await;
    let foreign = w.tenant("foreign").await;
    let (stranger, _) = owner(&w, &foreign, &provider("google-2"), key).await;
    assert_eq!(owners(&w, &google, key).await, vec![]);
    let acme = w.tenant("acme").await;
    let (ada, _) = owner(&w, &acme, &google, key).await;
    assert_eq!(owners(&w, &google, key).await, vec![(acme.id, ada.id)]);
    assert_eq!(
        owners(&w, &provider("google-2"), key).await,
        vec![(foreign.id, stranger.id)]
    );
}

pub(crate) async fn at_most_a_hundred_owners_are_named(w: World) {
    let (google, key) = (provider("google"), w.make.hash());
    let mut expected = Vec::new();
    for number in 0..101 {
        let tenant = w.tenant(&format!("tenant {number}")).await;
        let (user, _) = owner(&w, &tenant, &google, key).await;
        expected.push((tenant.id, user.id));
    }
    expected.sort();
    expected.pop();
    assert_eq!(owners(&w, &google, key).await, expected);
}

pub(crate) async fn an_expired_record_has_its_owner_until_it_is_removed(w: World) {
    let (google, key) = (provider("google"), w.make.hash());
    let acme = w.tenant("acme").await;
    let (ada, record) = owner(&w, &acme, &google, key).await;
    let expired = Record {
        expires_at: Some(w.make.at(-1)),
        ..record
    };
    w.write(&acme, async |u| u.records().update(&expired).await)
        .await;
    assert_eq!(owners(&w, &google, key).await, vec![(acme.id, ada.id)]);
    let now = w.make.now();
    w.write(&acme, async |u| u.records().delete_expired(now, 9).await)
        .await;
    assert_eq!(owners(&w, &google, key).await, vec![]);
}

pub(crate) async fn a_record_without_its_key_or_its_row_has_no_owner(w: World) {
    let (google, key, another) = (provider("google"), w.make.hash(), w.make.hash());
    let acme = w.tenant("acme").await;
    let (ada, record) = owner(&w, &acme, &google, key).await;
    let given = |key, version| Record {
        key,
        version,
        ..record.clone()
    };
    let renamed = given(Some(another), 1);
    w.write(&acme, async |u| u.records().update(&renamed).await)
        .await;
    assert_eq!(owners(&w, &google, key).await, vec![]);
    assert_eq!(owners(&w, &google, another).await, vec![(acme.id, ada.id)]);
    let plain = given(None, 2);
    w.write(&acme, async |u| u.records().update(&plain).await)
        .await;
    assert_eq!(owners(&w, &google, another).await, vec![]);
    let again = given(Some(key), 3);
    w.write(&acme, async |u| u.records().update(&again).await)
        .await;
    assert_eq!(owners(&w, &google, key).await, vec![(acme.id, ada.id)]);
    w.write(&acme, async |u| {
        u.records().delete(&google, record.id, 4).await
    })
    .await;
    assert_eq!(owners(&w, &google, key).await, vec![]);
}

pub(crate) async fn a_deleted_user_or_tenant_owns_nothing(w: World) {
    let (google, key) = (provider("google"), w.make.hash());
    let (acme, gone) = (w.tenant("acme").await, w.tenant("gone").await);
    let (ada, _) = owner(&w, &acme, &google, key).await;
    owner(&w, &gone, &google, key).await;
    assert_eq!(owners(&w, &google, key).await.len(), 2);
    w.write(Scope::Platform, async |u| {
        u.tenants().delete(gone.id, gone.version).await
    })
    .await;
    assert_eq!(owners(&w, &google, key).await, vec![(acme.id, ada.id)]);
    w.write(&acme, async |u| u.users().delete(ada.id, ada.version).await)
        .await;
    assert_eq!(owners(&w, &google, key).await, vec![]);
}

pub(crate) async fn owners_are_named_to_the_platform_only(w: World) {
    let (google, key) = (provider("google"), w.make.hash());
    let acme = w.tenant("acme").await;
    owner(&w, &acme, &google, key).await;
    let ask = async |place: Scope| {
        w.refusal(place, async |u| asked(u, &google, &key).await)
            .await
    };
    assert_eq!(ask(Scope::Tenant(acme.id)).await, ErrorKind::Unsupported);
    let kind = w
        .refusal(Scope::Platform, async |u| {
            u.enter(acme.id).await.unwrap();
            asked(u, &google, &key).await
        })
        .await;
    assert_eq!(kind, ErrorKind::Unsupported, "once a tenant was entered");
}

async fn asked(u: &mut crate::world::Unit, provider: &ProviderId, key: &TokenHash) -> Result<()> {
    u.records().owners(provider, key).await.map(drop)
}

pub(crate) async fn records_that_are_put_and_removed_change_who_owns(w: World) {
    let (google, key) = (provider("google"), w.make.hash());
    let acme = w.tenant("acme").await;
    let user = w.make.user("ada");
    let record = Record {
        key: Some(key),
        ..w.make.record(&google, Some(user.id))
    };
    w.write(&acme, async |u| {
        let rows = [Row::User(user.clone()), Row::Record(record.clone())];
        for row in rows {
            u.archive().put(&[row]).await?;
        }
        Ok(())
    })
    .await;
    let owned = vec![(acme.id, user.id)];
    assert_eq!(owners(&w, &google, key).await, owned);
    let replaced = Record {
        key: Some(w.make.hash()),
        ..record.clone()
    };
    w.write(&acme, async |u| {
        u.archive().put(&[Row::Record(replaced.clone())]).await
    })
    .await;
    assert_eq!(owners(&w, &google, key).await, vec![]);
    assert_eq!(owners(&w, &google, replaced.key.unwrap()).await, owned);
    w.write(&acme, async |u| {
        let key = RowKey::Id(record.id.as_uuid());
        u.archive().remove(RowKind::Record, &[key]).await
    })
    .await;
    assert_eq!(owners(&w, &google, replaced.key.unwrap()).await, vec![]);
}
