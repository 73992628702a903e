//! S03: no order of steps leads past one that is demanded. The engine's model
//! test (core/tests/model) walks more kinds of steps; this one walks the door.

use serde_json::{Value, json};

use crate::support::{OTHER_PASSWORD, PASSWORD, Person, World, flow_path, given, on_each_storage};

on_each_storage!(s03_no_order_of_steps_leads_past_the_password_that_must_be_changed);

/// What can be sent to a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// The right password.
    Prove,
    /// The demanded duty, done.
    Change,
    /// The duty's answer under the provider's name.
    Smuggle,
    /// The duty's answer with the step of before.
    Stale,
}

const ACTS: [Act; 4] = [Act::Prove, Act::Change, Act::Smuggle, Act::Stale];

/// Sends an act; answers whether the flow ended in a session.
async fn act(world: &World, flow: &Value, person: &Person, act: Act) -> bool {
    let duty = "duty:change-credential";
    let new = json!({"new_password": OTHER_PASSWORD});
    let body = match act {
        Act::Prove => {
            let answer = json!({"user_name": person.name, "password": PASSWORD});
            json!({"provider": "password", "answer": answer})
        }
        Act::Change => json!({"provider": duty, "answer": new}),
        Act::Smuggle => json!({"provider": "password", "answer": new}),
        Act::Stale => json!({"provider": duty, "answer": new, "step": flow["step"]["id"]}),
    };
    let answer = world.post(flow_path(flow)).json(&body).send().await;
    let has_session = answer.text().contains("\"token\"");
    assert_eq!(
        has_session,
        answer.code().is_empty() && answer.json()["state"] == "complete"
    );
    has_session
}

/// v5.0.0-2.3.1.
async fn s03_no_order_of_steps_leads_past_the_password_that_must_be_changed(world: &World) {
    world.tenant("home").await;
    let mut number = 0;
    for first in ACTS {
        for second in ACTS {
            for third in ACTS {
                number += 1;
                let name = format!("user {number}");
                let person = world.make("home", &name, given(PASSWORD, true)).await;
                let flow = world.begin(json!({"tenant": "home"})).await;
                let (mut proven, mut done) = (false, false);
                for step in [first, second, third] {
                    let allowed = proven && !done && step == Act::Change;
                    let ended = act(world, &flow, &person, step).await;
                    assert_eq!(ended, allowed, "{first:?} {second:?} {third:?}");
                    proven |= step == Act::Prove;
                    done |= ended;
                }
            }
        }
    }
    assert_eq!(number, 64);
}
