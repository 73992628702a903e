//! The keys of records, of all tenants.

use gatelodge_core::storage::{KeyOwner, Page, Record, Scope};

use crate::{fixtures::provider, world::World};

pub(crate) async fn keys_and_whose_they_are_are_listed_page_by_page(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let (link, foreign) = (provider("link"), provider("foreign"));
    let shared = w.make.hash();
    let mut expected = Vec::new();
    for tenant in [&acme, &other] {
        let ada = w.make.user("ada");
        let keyed = |id, key, user| Record {
            key,
            ..w.make.record(id, user)
        };
        let own = [shared, w.make.hash(), w.make.hash()];
        let mut records: Vec<_> = own
            .iter()
            .map(|key| keyed(&link, Some(*key), Some(ada.id)))
            .collect();
        records[1].expires_at = Some(w.make.at(-1));
        records.extend([
            keyed(&link, None, Some(ada.id)),
            keyed(&link, Some(w.make.hash()), None),
            keyed(&foreign, Some(w.make.hash()), Some(ada.id)),
        ]);
        w.write(tenant, async |u| {
            u.users().create(&ada).await?;
            for record in &records {
                u.records().create(record).await?;
            }
            Ok(())
        })
        .await;
        expected.extend(own.map(|key| KeyOwner {
            key,
            tenant: tenant.id,
            user: ada.id,
        }));
    }
    expected.sort_by_key(|owner| (owner.key, owner.tenant));
    let mut seen = Vec::new();
    let mut page = Page::first(2);
    loop {
        let piece = w
            .read(Scope::Platform, async |u| {
                u.records().keyed(&link, page).await
            })
            .await;
        let Some(last) = piece.last() else {
            break;
        };
        assert!(piece.len() <= 2);
        page.after = Some((last.key, last.tenant));
        seen.extend(piece);
        assert!(seen.len() <= expected.len(), "no row comes twice");
    }
    assert_eq!(seen, expected);
}
