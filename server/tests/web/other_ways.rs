//! Steps that the password never asks for: a third party, waiting, a script.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use gatelodge_core::{
    Result,
    model::FactorClass,
    provider::{
        Action, Answer, ChallengeKind, Context, Description, Display, Entry, Field, FieldKind,
        Form, Provider, Role, State, Step, Turn,
    },
    secret::Secret,
};
use serde_json::json;

use crate::world::World;

/// Shows one step, and another one after any answer.
struct Shows {
    label: &'static str,
    inline: bool,
    first: Step,
    then: Step,
}

#[async_trait]
impl Provider for Shows {
    fn describe(&self) -> Description {
        Description {
            kind: "shows".to_owned(),
            label: self.label.to_owned(),
            class: FactorClass::Possession,
            amr: "swk".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: true,
            inline: self.inline,
            links: Vec::new(),
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        Ok(Turn::step(self.first.clone()))
    }

    async fn resume(&self, _: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        Ok(Turn::step(self.then.clone()))
    }
}

fn away() -> Step {
    Step::Redirect {
        url: "https://id.example/authorize?a=1&b=2".parse().unwrap(),
    }
}

fn wait() -> Step {
    Step::Wait {
        poll_after_ms: 1_000,
    }
}

async fn world(label: &'static str, inline: bool, first: Step, then: Step) -> World {
    let way: Arc<dyn Provider> = Arc::new(Shows {
        label,
        inline,
        first,
        then,
    });
    let world = World::with_ways(|_| {}, vec![("other", way)]).await;
    world.tenant("acme").await;
    world
}

#[tokio::test]
async fn what_leads_elsewhere_is_reached_by_a_button_and_then_a_link() {
    let world = world("Example", false, away(), Step::Enrolled {}).await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    page.assert_says("Continue with Example");
    let forms = page.forms();
    let way = forms.iter().find(|form| form.hidden("provider") == "other");
    let fields: Vec<_> = way
        .unwrap()
        .hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let chosen = browser.post("/t/acme/sign-in", &fields).await;
    // A form may not lead to another host, so the way out is a link of its own page.
    let leaving = browser.follow(chosen).await;
    assert!(leaving.path.starts_with("/t/acme/sign-in?flow="));
    let out = "https://id.example/authorize?a=1&b=2".to_owned();
    assert!(leaving.links().contains(&out), "{:?}", leaving.links());
    assert!(leaving.forms().is_empty());
}

#[tokio::test]
async fn waiting_asks_again_at_the_press_of_a_button() {
    let world = world("Phone", true, Step::Prompt { form: code() }, wait()).await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let step = page.forms().remove(1);
    let mut fields: Vec<_> = step
        .hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.push(("code", "1234"));
    let sent = browser.post("/t/acme/sign-in", &fields).await;
    let waiting = browser.follow(sent).await;
    waiting.assert_says("Check again");
    let again = browser.submit_on(&waiting, "/t/acme/sign-in", &[]).await;
    assert_eq!(again.status, StatusCode::OK);
    again.assert_says("Check again");
}

fn code() -> Form {
    Form {
        message: Some("Type the code <now>.".to_owned()),
        fields: vec![Field::new(
            "code",
            FieldKind::Code,
            Role::Code,
            "Code",
            "one-time-code",
        )],
        display: vec![
            Display::Text {
                label: "Phone".to_owned(),
                value: "…42".to_owned(),
            },
            Display::Secret {
                label: "Key".to_owned(),
                value: Secret::new("JBSW-Y3DP"),
            },
        ],
        actions: vec![Action {
            id: "again".to_owned(),
            label: "Send a new code".to_owned(),
            style: Default::default(),
        }],
    }
}

#[tokio::test]
async fn a_form_is_shown_with_its_words_values_and_buttons() {
    let world = world("Phone", true, Step::Prompt { form: code() }, wait()).await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    for text in [
        "Type the code <now>.",
        "…42",
        "JBSW-Y3DP",
        "Send a new code",
    ] {
        page.assert_says(text);
    }
    assert!(!page.body.contains("<now>"));
    let step = page.forms().remove(1);
    let mut fields: Vec<_> = step
        .hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.push(("action", "again"));
    let sent = browser.post("/t/acme/sign-in", &fields).await;
    browser.follow(sent).await.assert_says("Check again");
    // A button that is not on the form is no answer.
    let mut fresh = world.browser();
    let page = fresh.get("/t/acme/sign-in").await;
    let flow = page.forms().remove(1);
    let fields = [
        ("flow", flow.hidden("flow")),
        ("provider", "other"),
        ("action", "other"),
    ];
    let refused = fresh.post("/t/acme/sign-in", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("There is no such button.");
}

#[tokio::test]
async fn what_needs_a_script_says_so_and_leaves_the_other_ways() {
    let challenge = Step::Challenge {
        challenge: ChallengeKind::WebauthnGet,
        options: json!({"challenge": "x"}),
    };
    let world = world("Passkey", true, challenge.clone(), challenge).await;
    let page = world.browser().get("/t/acme/sign-in").await;
    page.assert_says("needs a script in the browser");
    assert_eq!(page.forms().len(), 1);
    assert_eq!(page.form("/t/acme/sign-in").hidden("provider"), "password");
}
