//! R5 for links and the codes beside them: of many who open one link or enter the code of its mail at once, at two
//! servers on one database, one succeeds.

use gatelodge_e2e::{api::Api, world::HOME};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    pair::{
        AT_ONCE, CONFIRM, MAILED, Pair, all_at_once, ask_to_verify, begin, fill, once, path_of,
        text,
    },
    races::counted,
    report::Outcome,
    site::{Kind, PASSWORD},
};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Invite,
    Reset,
    Verify,
    SignIn,
    Page,
}

impl Purpose {
    const ALL: [Self; 5] = [
        Self::Invite,
        Self::Reset,
        Self::Verify,
        Self::SignIn,
        Self::Page,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::SignIn => "sign-in",
            Self::Page => "page",
        }
    }

    /// Whether a session has begun once the link was used.
    fn begins_a_session(self) -> bool {
        matches!(self, Self::SignIn | Self::Page)
    }
}

/// What may be had once: a link, and where its mail holds one, the code.
struct Artefact {
    token: String,
    code: Option<String>,
    /// The flows that asked for the mail, in each of which its code counts.
    asked: Vec<Value>,
}

/// For each purpose: 64 use one link at once, half of them at each server; where its mail has a code, every fourth one
/// enters that instead. Afterwards link and code are tried once more.
pub async fn redemption(kind: Kind, times: usize) -> Outcome {
    let mut outcome = Outcome::of(match kind {
        Kind::Sqlite => "race-links-sqlite",
        Kind::Postgres => "race-links-postgres",
    });
    let pair = Pair::on(kind).await;
    for round in 0..times {
        for purpose in Purpose::ALL {
            let user = format!("ada-{}-{round}", purpose.name());
            race(&pair, purpose, &user, &mut outcome).await;
        }
    }
    outcome
}

async fn race(pair: &Pair, purpose: Purpose, user: &str, outcome: &mut Outcome) {
    let id = match purpose {
        Purpose::Verify => pair.user(user).await,
        _ => pair.verified_user(user).await,
    };
    let artefact = match purpose {
        Purpose::Invite | Purpose::Page => told(pair, purpose, &id).await,
        Purpose::Reset | Purpose::SignIn | Purpose::Verify => mailed(pair, purpose, user).await,
    };
    let both = pair.both();
    let late_flow = opened(&both[0], purpose, &artefact.token).await;
    let mut tries = Vec::new();
    for number in 0..AT_ONCE {
        let program = both[number / 2 % 2].clone();
        let coded = artefact.code.clone().filter(|_| number % 4 == 0);
        tries.push(match coded {
            Some(code) => {
                let flow = artefact.asked[number / 4].clone();
                (program, flow, json!({ "code": code }))
            }
            None => {
                let flow = opened(&program, purpose, &artefact.token).await;
                (program, flow, json!({}))
            }
        });
    }
    let statuses = all_at_once(|number| {
        let (program, flow, values) = tries[number].clone();
        async move { Some(fill(&program, &flow, MAILED, values).await.status) }
    });
    let statuses = counted(statuses.await);
    let what = purpose.name();
    once(outcome, &format!("a link `{what}`"), &statuses);
    outcome.add_answers(&statuses, &[Some(200), Some(401)]);
    late(&both[1], purpose, &artefact, &late_flow, outcome).await;
    let begun = pair.sessions(&id).await;
    let expected = match purpose {
        // The one in which it was asked for.
        Purpose::Verify => 1,
        _ => usize::from(purpose.begins_a_session()),
    };
    outcome.expect(begun == expected, || {
        format!("{begun} sessions of one link of purpose `{what}`")
    });
    outcome.acknowledged += AT_ONCE;
    outcome.faults += 1;
}

/// What was used is worth nothing, in flows of before and in new ones.
async fn late(
    program: &Api,
    purpose: Purpose,
    artefact: &Artefact,
    flow: &Value,
    outcome: &mut Outcome,
) {
    let what = purpose.name();
    let held = fill(program, flow, MAILED, json!({})).await.status;
    outcome.expect(held == 401, || {
        format!("a page of a used link `{what}`: {held}")
    });
    let again = open(program, purpose, &artefact.token).await.0;
    outcome.expect(again == 404, || format!("a used link `{what}`: {again}"));
    if let (Some(code), Some(flow)) = (&artefact.code, artefact.asked.last()) {
        let again = fill(program, flow, MAILED, json!({ "code": code })).await;
        outcome.expect(again.status == 401, || {
            format!("a used code `{what}`: {}", again.status)
        });
    }
}

/// A link that an administrator makes and hands over.
async fn told(pair: &Pair, purpose: Purpose, user: &str) -> Artefact {
    let mut new = json!({ "purpose": purpose.name(), "delivery": "told" });
    if purpose == Purpose::Page {
        new["page"] = json!("/reports/7");
    }
    let path = format!("/api/v1/tenants/{HOME}/users/{user}/links");
    let made = pair.world.administrator.post(&path, new).await.expect(201);
    Artefact {
        token: token(pair, &text(&made["link"])),
        code: None,
        asked: Vec::new(),
    }
}

/// A link with a code that somebody asks for, in as many flows as answers with the code; and one more. One mail is sent.
async fn mailed(pair: &Pair, purpose: Purpose, user: &str) -> Artefact {
    let [here, _] = pair.both();
    let program = match purpose {
        Purpose::Verify => here.sign_in(HOME, user, PASSWORD).await,
        _ => here,
    };
    let mut asking = JoinSet::new();
    for _ in 0..=AT_ONCE / 4 {
        let (program, user) = (program.clone(), user.to_owned());
        asking.spawn(async move { ask(&program, purpose, &user).await });
    }
    let asked = asking.join_all().await;
    let mail = pair.mail(user, subject(purpose)).await;
    let link = mail.lines().find(|line| line.contains("/link/")).unwrap();
    Artefact {
        token: token(pair, link),
        code: Some(pair.code(&mail)),
        asked,
    }
}

fn subject(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Invite => "You are invited",
        Purpose::Reset => "Choose a new password",
        Purpose::Verify => CONFIRM,
        Purpose::SignIn => "Sign in to",
        Purpose::Page => "A page at",
    }
}

/// A flow in which a mail was asked for.
async fn ask(program: &Api, purpose: Purpose, user: &str) -> Value {
    let name = json!({ "user_name": user });
    let start = match purpose {
        Purpose::Verify => return ask_to_verify(program, user).await,
        Purpose::Reset => json!({ "tenant": HOME, "intent": "recover" }),
        _ => json!({ "tenant": HOME }),
    };
    let flow = begin(program, start).await.expect(201);
    if purpose == Purpose::SignIn {
        let chosen = json!({ "provider": MAILED });
        program.post(&path_of(&flow), chosen).await.expect(200);
    }
    fill(program, &flow, MAILED, name).await.expect(200)
}

/// What a link's address holds.
fn token(pair: &Pair, address: &str) -> String {
    let (_, token) = address.split_once("?token=").unwrap();
    pair.keep_secret(token);
    token.to_owned()
}

/// Opens a link; nothing is done with it.
async fn open(program: &Api, purpose: Purpose, token: &str) -> (u16, Value) {
    let link = json!({ "purpose": purpose.name(), "token": token });
    let answer = begin(program, json!({ "tenant": HOME, "link": link })).await;
    (answer.status, answer.body)
}

async fn opened(program: &Api, purpose: Purpose, token: &str) -> Value {
    let (status, flow) = open(program, purpose, token).await;
    assert_eq!(status, 201, "{flow}");
    flow
}
