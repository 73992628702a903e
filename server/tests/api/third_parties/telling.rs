//! S41, S47: what an answer tells of accounts here, and what becomes of a third party's
//! texts on pages and in logs.

use serde_json::json;

use super::{
    House, connection, some_at_a_time,
    visitor::{form_of, unescaped},
};
use crate::{
    logs::{TEXT, UGLY, check, keep, kept},
    support::{Answer, World, on_each_storage},
};

on_each_storage!(
    s41_an_address_that_nobody_proved_tells_nothing,
    s41_a_button_tells_nobody_who_is_linked,
    s47_what_a_third_party_says_is_one_line_and_no_html,
);

/// A page without what differs by chance, and without what the person said of themselves.
fn comparable(page: &Answer, said: &[&str]) -> String {
    let mut text = unescaped(&page.text());
    for said in said {
        text = text.replace(said, "<said>");
    }
    let flow = page.path.split("flow=").nth(1).unwrap_or("no flow");
    let text = text.replace(flow, "<flow>");
    // The step's name is made by chance.
    let mut pieces = text.split("name=\"step\" value=\"");
    let mut plain = pieces.next().unwrap().to_owned();
    for piece in pieces {
        plain.push_str("<step>");
        plain.push_str(piece.split_once('"').unwrap().1);
    }
    format!("{} {plain}", page.status)
}

async fn s41_an_address_that_nobody_proved_tells_nothing(world: &World) {
    let policies = ["create", "ask", "refuse"];
    let rules = policies.map(|policy| [(policy, true), (policy, false)]);
    let connections = rules.into_iter().flatten().map(|(policy, linking)| {
        let id = format!("{policy}-{linking}");
        connection(&id, json!({"new_accounts": policy, "linking": linking}))
    });
    let connections: Vec<_> = connections.collect();
    let ids: Vec<_> = connections.iter().map(|(id, _)| id.clone()).collect();
    let house = House::on(world, connections, |_| {}).await;
    house.world.invited("vera").await;
    house.world.person_with_password("home", "una").await;
    let all = ids.iter().map(async |id| {
        let mut pages = Vec::new();
        for (number, name) in ["vera", "una", "nobody"].into_iter().enumerate() {
            let address = format!("{name}@example.com");
            let said = json!({"email": address, "email_verified": false});
            house.says(id, &said);
            let mut visitor = house.visitor();
            let subject = format!("subject-{number}");
            let page = visitor.come("/t/home", id, &subject).await;
            assert!(visitor.session().await.is_none(), "{id}: {page}");
            pages.push(comparable(&page, &[&address, name, &subject]));
        }
        pages.dedup();
        assert_eq!(pages.len(), 1, "{id}: {pages:#?}");
    });
    some_at_a_time(3, all).await;
}

/// Before anybody has proven anything all are sent the same way: nothing that is asked
/// first says whether an account is linked.
async fn s41_a_button_tells_nobody_who_is_linked(world: &World) {
    let house = House::usual(world).await;
    let mut linked = house.visitor();
    linked.come("/t/home", "plain", "ada").await;
    let mut pages = Vec::new();
    for hint in ["ada@people.example", "nobody@people.example"] {
        let mut visitor = house.visitor();
        let path = format!("/t/home/sign-in?again=1&login_hint={hint}");
        let page = visitor.open(&path).await;
        let url = visitor.choose(&page, "plain").await;
        assert!(!url.as_str().contains("people.example"), "{url}");
        let names: Vec<_> = url
            .query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect();
        pages.push(names);
    }
    pages.dedup();
    assert_eq!(pages.len(), 1);
    // Who has an account elsewhere only is told the same as who has none.
    let refuses = json!({"new_accounts": "refuse"});
    let house = House::on(world, vec![connection("plain", refuses)], |_| {}).await;
    let ada = house.user_at("away", "ada", "ada@elsewhere.example").await;
    let mut own = house.visitor();
    own.sign_in(&ada).await;
    own.link(&ada, "plain", "ada").await;
    assert_eq!(house.links(&ada).await.len(), 1);
    let mut pages = Vec::new();
    for subject in ["ada", "nobody"] {
        let mut visitor = house.visitor();
        let page = visitor.come("/t/home", "plain", subject).await;
        pages.push(comparable(&page, &[subject]));
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "{pages:#?}");
}

const HTML: [&str; 4] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'; </title></svg>{{ 7*7 }}",
    "javascript:alert(1)",
];

fn odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

async fn s47_what_a_third_party_says_is_one_line_and_no_html(world: &World) {
    keep(&TEXT);
    let creates = json!({"new_accounts": "create"});
    let asks = json!({"new_accounts": "ask"});
    let both = vec![connection("plain", creates), connection("asking", asks)];
    let house = House::on(world, both, |_| {}).await;
    let ada = house.user_at("home", "ada", "ada@elsewhere.example").await;
    let mut own = house.visitor();
    own.sign_in(&ada).await;
    for (number, ugly) in UGLY.into_iter().chain(HTML).enumerate() {
        let said = json!({
            "name": ugly, "preferred_username": ugly, "email": ugly, "picture": ugly,
            "locale": ugly, "org": ugly,
        });
        for id in ["plain", "asking"] {
            house.says(id, &said);
            let subject = format!("{ugly}{number}");
            let mut visitor = house.visitor();
            let page = visitor.come("/t/home", id, &subject).await;
            is_clean(&page);
            if let Some(new) = forms_of_new(&page) {
                let page = visitor
                    .send(&new, &[("user_name", &format!("{id}-{number}"))])
                    .await;
                is_clean(&page);
            }
        }
        own.link(&ada, "plain", &format!("own {ugly}")).await;
    }
    // Errors of the third party are not shown either.
    let errors = UGLY.into_iter().chain(HTML).map(async |ugly| {
        let mut visitor = house.visitor();
        let url = visitor.leave("/t/home", "plain").await;
        let mut brought = house.outside.authorize("plain", &url, "somebody");
        brought.remove("code");
        for name in ["error", "error_description", "error_uri"] {
            brought.insert(name.to_owned(), ugly.into());
        }
        is_clean(&visitor.back("plain", &brought).await);
    });
    some_at_a_time(6, errors).await;
    let page = own.open("/t/home/account").await;
    is_clean(&page);
    for link in house.links(&ada).await {
        assert!(
            !link.name.chars().any(odd) && link.name.trim() == link.name,
            "{link:?}"
        );
    }
    for event in house.events("home").await {
        let texts = event
            .changes
            .iter()
            .flat_map(|change| [&change.old, &change.new]);
        for text in texts.flatten().chain(&event.reason) {
            assert!(!text.chars().any(odd), "{event:?}");
        }
        let line = serde_json::to_string(&event).unwrap();
        assert!(!line.contains('\n'), "{line}");
    }
    check(&kept(&TEXT), &[], |line| {
        let time = line.split(' ').next().unwrap_or_default();
        time.parse::<jiff::Timestamp>().is_ok()
    });
}

fn forms_of_new(page: &Answer) -> Option<super::visitor::Form> {
    let asked = super::visitor::forms_of(page, "duty:new-account");
    asked.first().map(|_| form_of(page, "duty:new-account"))
}

/// No tag, attribute or character of a third party's is on a page.
fn is_clean(page: &Answer) {
    let text = page.text();
    for part in ["<script", "<img", "onerror=alert(1)>", "49", "</svg>{{"] {
        let is_there = match part {
            "49" => text.contains("</title>49") || text.contains(" 49 "),
            part => text.contains(part),
        };
        assert!(!is_there, "{part}: {page}");
    }
    let bad = |c: char| odd(c) && c != '\n';
    assert!(!text.chars().any(bad), "{page}");
    assert!(!text.contains("href=\"javascript"), "{page}");
}
