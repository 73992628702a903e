//! What has expired is removed, in every tenant.

use std::time::Duration;

use gatelodge_core::{
    environment::later,
    model::{RecordId, Tenant, User},
    storage::{Mode, Record, Scope, Storage as _},
};

use crate::support::{World, minutes, provider};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn keep(world: &World, tenant: &Tenant, user: &User, lives: Option<Duration>) -> RecordId {
    let record = Record {
        id: RecordId::generate(world.platform.environment()),
        provider: provider("two"),
        user: Some(user.id),
        key: None,
        label: String::new(),
        expires_at: lives.map(|lives| later(world.now(), lives)),
        created_at: world.now(),
        version: 1,
        sealed: Vec::new(),
    };
    let scope = Scope::Tenant(tenant.id);
    let mut unit = world.storage.begin(scope, Mode::Write).await.unwrap();
    unit.records().create(&record).await.unwrap();
    unit.commit().await.unwrap();
    record.id
}

async fn is_there(world: &World, tenant: &Tenant, id: RecordId) -> bool {
    let scope = Scope::Tenant(tenant.id);
    let mut unit = world.storage.begin(scope, Mode::Read).await.unwrap();
    let found = unit.records().by_id(&provider("two"), id).await.unwrap();
    found.is_some()
}

#[tokio::test]
async fn expired_records_are_removed_a_day_later_in_every_tenant() {
    let world = World::new().await;
    let mut kept = Vec::new();
    for number in 0..60 {
        let tenant = world.tenant(&format!("tenant-{number}")).await;
        let user = world.user(&tenant, "ada", "ada's word").await;
        let short = keep(&world, &tenant, &user, Some(minutes(1))).await;
        let long = keep(&world, &tenant, &user, Some(minutes(2))).await;
        let endless = keep(&world, &tenant, &user, None).await;
        kept.push((tenant, short, long, endless));
    }
    world.pass(DAY + minutes(1));
    world.platform.tidy().await.unwrap();
    for (tenant, short, ..) in &kept {
        assert!(is_there(&world, tenant, *short).await, "a day is not over");
    }
    world.pass(Duration::from_secs(1));
    // So many tenants take more than one turn.
    for _ in 0..4 {
        world.platform.tidy().await.unwrap();
    }
    for (tenant, short, long, endless) in &kept {
        assert!(!is_there(&world, tenant, *short).await);
        assert!(is_there(&world, tenant, *long).await);
        assert!(is_there(&world, tenant, *endless).await);
    }
}
