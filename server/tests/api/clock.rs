//! R13: the clock jumps by an hour or two years, either way, and is set right again. What was used stays used, nobody gets
//! in twice by what may be had once, and nobody waits for a clock that was wrong.

use std::time::Duration;

use gatelodge_core::{
    environment::{earlier, later},
    provider::LinkPurpose,
};
use serde_json::{Value, json};

use crate::{
    access_tokens::{get, verified},
    devices::{ada, back, come, is_refused, stay},
    link_ends::told,
    support::{MAILED, PASSWORD, World, on_each_storage, town},
};

on_each_storage!(
    s04_a_link_opens_once_however_the_clock_jumps,
    s14_a_device_that_was_replaced_signs_nobody_in_however_the_clock_jumps,
    s06_an_access_token_of_a_wrong_clock_counts_for_nobody_whose_clock_is_right,
    s10_a_lock_of_a_clock_that_was_ahead_keeps_nobody_out_for_years,
);

const HOUR: Duration = Duration::from_secs(60 * 60);
const YEARS: Duration = Duration::from_secs(2 * 365 * 24 * 60 * 60);

/// How far, and whether forward.
const JUMPS: [(Duration, bool); 4] = [(HOUR, true), (HOUR, false), (YEARS, true), (YEARS, false)];

/// Does something while the clock is wrong, sets it right, and does something again.
async fn jump<T>(
    world: &World,
    (far, forward): (Duration, bool),
    what: impl AsyncFn() -> T,
) -> [T; 2] {
    let right = world.platform.now();
    world.clock.set(match forward {
        true => later(right, far),
        false => earlier(right, far),
    });
    let during = what().await;
    world.clock.set(right);
    [during, what().await]
}

/// Opens a link and confirms it; answers whether that is done.
async fn opens(world: &World, purpose: LinkPurpose, token: &str) -> bool {
    let opened = world.open("home", purpose.as_str(), token).await;
    if opened.status == 404 {
        return false;
    }
    let flow: Value = opened.expect(201).json();
    let done = world.fill(&flow, MAILED, json!({})).await;
    assert!([200, 401].contains(&done.status.as_u16()), "{done}");
    done.status == 200
}

async fn s04_a_link_opens_once_however_the_clock_jumps(world: &World) {
    let ada = ada(world).await;
    for of in JUMPS {
        let (reset, invite) = (LinkPurpose::Reset, LinkPurpose::Invite);
        let used = told(world, &ada, reset).await;
        assert!(opens(world, reset, &used).await);
        let unused = told(world, &ada, invite).await;
        let opened = jump(world, of, async || {
            assert!(!opens(world, reset, &used).await, "{of:?}: a used link");
            opens(world, invite, &unused).await
        });
        let opened = opened.await;
        let times = opened.iter().filter(|opened| **opened).count();
        assert_eq!(times, 1, "{of:?}: {opened:?}");
    }
}

async fn s14_a_device_that_was_replaced_signs_nobody_in_however_the_clock_jumps(world: &World) {
    let ada = ada(world).await;
    for of in JUMPS {
        let (_, first) = stay(world, &ada).await;
        let (_, second) = back(world, &first).await;
        world.pass(Duration::from_secs(31));
        jump(world, of, async || {
            is_refused(world, &first).await;
            // Nor does whoever holds the right one have two sign-ins by it.
            let came = come(world, &second).await;
            assert!([201, 401].contains(&came.status.as_u16()), "{came}");
            world.pass(Duration::from_secs(31));
        })
        .await;
        is_refused(world, &first).await;
        is_refused(world, &second).await;
        world.sign_in(&ada, PASSWORD).await.expect(200);
    }
}

async fn s06_an_access_token_of_a_wrong_clock_counts_for_nobody_whose_clock_is_right(
    world: &World,
) {
    let town = town(world).await;
    world.application(town.mayor.tenant, "shop").await;
    for of in JUMPS {
        let [wrong, right] = jump(world, of, async || {
            let bearer = world.session(&town.mayor).await;
            let token = get(world, &bearer, "shop").await;
            verified(world, &token, "shop").await.unwrap();
            token
        })
        .await;
        verified(world, &wrong, "shop").await.unwrap_err();
        verified(world, &right, "shop").await.unwrap();
        // And not much later either.
        world.pass(Duration::from_secs(301));
        verified(world, &wrong, "shop").await.unwrap_err();
        verified(world, &right, "shop").await.unwrap_err();
    }
}

async fn s10_a_lock_of_a_clock_that_was_ahead_keeps_nobody_out_for_years(world: &World) {
    let ada = ada(world).await;
    for of in JUMPS {
        let right = world.platform.now();
        jump(world, of, async || {
            for _ in 0..40 {
                world.sign_in(&ada, "not the password 99").await;
            }
        })
        .await;
        let refused = world.sign_in(&ada, PASSWORD).await;
        assert!([200, 429].contains(&refused.status.as_u16()), "{refused}");
        world.clock.set(later(right, 2 * HOUR));
        world.sign_in(&ada, PASSWORD).await.expect(200);
    }
}
