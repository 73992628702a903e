//! Third parties on the pages: their buttons, and the way to them.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{StatusCode, header};
use gatelodge_core::{
    Result,
    model::FactorClass,
    provider::{
        Answer, Context, Description, Entry, Finding, Mark, Provider, Rechecked, Shape, State,
        Step, ThirdParty, Turn,
    },
};
use serde_json::json;
use url::Url;

use crate::{
    browser::{Answer as Page, Browser},
    world::World,
};

const AWAY: &str = "https://id.example/authorize?a=1&b=2;c='%22";

/// Sends people away, and refuses whoever comes back.
struct Party {
    label: &'static str,
    mark: Mark,
}

impl Party {
    fn named(label: &'static str, shapes: &[(&str, Option<&str>)]) -> Arc<dyn Provider> {
        let shape = |(path, fill): &(&str, Option<&str>)| Shape {
            path: (*path).to_owned(),
            fill: fill.map(str::to_owned),
        };
        let mark = Mark::new(shapes.iter().map(shape).collect()).unwrap();
        Arc::new(Self { label, mark })
    }
}

#[async_trait]
impl Provider for Party {
    fn describe(&self) -> Description {
        Description {
            kind: "party".to_owned(),
            label: self.label.to_owned(),
            class: FactorClass::Federated,
            amr: "fed".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: true,
            inline: false,
            links: Vec::new(),
            silent: false,
            third_party: true,
            mark: self.mark.clone(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        let url = AWAY.parse().unwrap();
        Ok(Turn::step(Step::Redirect { url }))
    }

    async fn resume(&self, _: &Context<'_>, _: State, _: Answer) -> Result<Turn> {
        Ok(Turn::refused("unknown"))
    }

    fn third_party(&self) -> Option<&dyn ThirdParty> {
        Some(self)
    }
}

#[async_trait]
impl ThirdParty for Party {
    async fn refresh(&self, _: &Context<'_>) -> Result<()> {
        Ok(())
    }

    async fn recheck(&self, _: &Context<'_>, _: &State) -> Result<Rechecked> {
        Ok(Rechecked::Unknown {})
    }

    fn proves_anew(&self) -> bool {
        true
    }

    async fn sign_out(&self, _: &Context<'_>, _: &Url) -> Option<Url> {
        None
    }

    async fn diagnose(&self, _: &Context<'_>) -> Vec<Finding> {
        Vec::new()
    }
}

fn two() -> Vec<(&'static str, Arc<dyn Provider>)> {
    let tiles = [("M1 1h9v9h-9z", Some("#f25022")), ("M12 12h9v9h-9z", None)];
    vec![
        ("globe", Party::named("Globe", &tiles)),
        ("plain", Party::named("Plain & Co", &[])),
    ]
}

async fn world() -> World {
    let world = World::with_ways(|_| {}, two()).await;
    world.tenant("acme").await;
    world
}

/// Presses the button of a third party.
async fn chosen(browser: &mut Browser, page: &Page, provider: &str) -> Page {
    let forms = page.forms();
    let form = forms.iter().find(|f| f.hidden("provider") == provider);
    let fields: Vec<_> = form
        .unwrap()
        .hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    browser.post("/t/acme/sign-in", &fields).await
}

#[tokio::test]
async fn third_parties_are_buttons_with_their_marks_below_the_form() {
    let world = world().await;
    let page = world.browser().get("/t/acme/sign-in").await;
    let place = |text: &str| page.body.find(text).unwrap_or_else(|| panic!("no {text}"));
    let order = [
        "name=\"password\"",
        "class=\"or\"",
        "with Globe",
        "with Plain",
    ]
    .map(place);
    assert!(order.is_sorted(), "{order:?}");
    let mark = "<svg class=\"third-party-mark\" viewBox=\"0 0 24 24\" aria-hidden=\"true\" focusable=\"false\">\
                <path d=\"M1 1h9v9h-9z\" fill=\"#f25022\"></path>\
                <path d=\"M12 12h9v9h-9z\" fill=\"currentColor\"></path></svg>";
    let globe = format!(
        "<button class=\"button button-third-party\">{mark}<span>Continue with Globe</span></button>"
    );
    assert!(page.body.contains(&globe), "{}", page.body);
    let plain = "<button class=\"button button-third-party\"><span>Continue with Plain &amp; Co</span></button>";
    assert!(page.body.contains(plain), "{}", page.body);
}

#[tokio::test]
async fn the_browser_goes_on_to_a_third_party_by_itself() {
    let world = world().await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let sent = chosen(&mut browser, &page, "globe").await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert!(
        sent.location()
            .unwrap()
            .starts_with("/t/acme/sign-in?flow=")
    );
    let leaving = browser.follow(sent).await;
    assert_eq!(leaving.status, StatusCode::OK);
    let onward: Url = AWAY.parse().unwrap();
    assert_eq!(leaving.headers[header::REFRESH], format!("0;url={onward}"));
    // Not by the form's redirects, against which browsers would hold this.
    let policy = leaving.headers[header::CONTENT_SECURITY_POLICY].to_str();
    assert!(policy.unwrap().contains("form-action 'self';"));
    leaving.assert_says("Taking you to Globe. If nothing happens, use the button.");
    assert!(leaving.links().contains(&onward.to_string()));
    assert!(leaving.body.contains("class=\"button button-third-party\""));
    assert!(leaving.forms().is_empty());
}

#[tokio::test]
async fn a_page_that_says_what_went_wrong_leads_nowhere_by_itself() {
    let world = world().await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    let sent = chosen(&mut browser, &page, "globe").await;
    let leaving = browser.follow(sent).await;
    let (_, flow) = leaving.path.split_once("flow=").unwrap();
    let fields = [("flow", flow), ("provider", "globe"), ("code", "1234")];
    // Only programs bring codes in this way.
    let wrong = browser.post("/t/acme/sign-in", &fields).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.headers.contains_key(header::REFRESH));
    assert!(!wrong.body.contains("Taking you to"));
}

#[tokio::test]
async fn where_third_parties_are_all_there_is_nothing_divides_them() {
    let world = World::without_password(two()).await;
    world.tenant("acme").await;
    let mut browser = world.browser();
    let page = browser.get("/t/acme/sign-in").await;
    page.assert_says("Continue with Globe");
    assert!(!page.body.contains("class=\"or\""));
    assert_eq!(page.forms().len(), 2);
    // It is a first step like any other: shown again, it is the same flow.
    let again = browser.get("/t/acme/sign-in").await;
    let flow = |page: &Page| page.forms()[0].hidden("flow").to_owned();
    assert_eq!(flow(&again), flow(&page));
    again.assert_says("Sign in");
}

#[tokio::test]
async fn a_client_gets_what_it_needs_to_draw_the_buttons() {
    let world = world().await;
    let body = json!({"intent": "sign_in", "tenant": "acme", "transport": "token"});
    let flow = world.browser().api("/api/v1/sign-in/flows", &body).await;
    let ways = flow["step"]["providers"].as_array().unwrap();
    let expected = json!({
        "id": "globe", "kind": "party", "label": "Globe", "third_party": true,
        "mark": [{"path": "M1 1h9v9h-9z", "fill": "#f25022"}, {"path": "M12 12h9v9h-9z"}],
    });
    assert_eq!(ways[1], expected);
    let plain = json!({"id": "plain", "kind": "party", "label": "Plain & Co", "third_party": true});
    assert_eq!(ways[2], plain);
    assert!(ways[0].get("third_party").is_none() && ways[0].get("mark").is_none());
}
