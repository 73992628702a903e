//! Lists: pieces, cursors, searches (S45).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, Town, World, on_each_storage, town};

on_each_storage!(
    every_list_is_walked_in_pieces_of_any_size,
    s45_a_cursor_is_good_for_its_own_list_only,
    s45_a_tampered_cursor_is_refused,
    s45_limit_and_cursor_take_nothing_else,
    s45_a_search_is_text_and_nothing_else,
);

/// Each list with the token that reads it, seven entries and more in each.
async fn full(world: &World) -> (Town, Vec<(String, String)>) {
    let town = town(world).await;
    for number in 0..5 {
        world.tenant(&format!("tenant {number}")).await;
        world.person("home", &format!("person {number}")).await;
        world.person("away", &format!("person {number}")).await;
        world.session(&town.citizen).await;
        world.session(&town.mayor).await;
    }
    let home = "/api/v1/tenants/home";
    let lists = [
        ("/api/v1/tenants".to_owned(), &town.root_token),
        (format!("{home}/users"), &town.mayor_token),
        (format!("{home}/sessions"), &town.mayor_token),
        (format!("{home}/audit-events"), &town.mayor_token),
        (
            format!("{}/sessions", town.citizen.path()),
            &town.mayor_token,
        ),
        ("/api/v1/account/sessions".to_owned(), &town.mayor_token),
    ];
    let lists = lists.map(|(path, token)| (path, token.clone()));
    (town, lists.into())
}

async fn piece(world: &World, path: &str, token: &str, query: &str) -> Answer {
    let path = format!("{path}?{query}");
    world.get(path).bearer(token).send().await
}

fn ids(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn every_list_is_walked_in_pieces_of_any_size(world: &World) {
    let (_, lists) = full(world).await;
    for (path, token) in lists {
        let whole = piece(world, &path, &token, "limit=200")
            .await
            .expect(200)
            .json();
        assert!(whole.get("next_cursor").is_none(), "{path}");
        let whole = ids(&whole);
        assert!(whole.len() >= 5, "{path}: {}", whole.len());
        let unique: BTreeSet<_> = whole.iter().collect();
        assert_eq!(unique.len(), whole.len());
        for size in [1, 2, 7, whole.len(), whole.len() + 1] {
            let mut walked = Vec::new();
            let mut query = format!("limit={size}");
            loop {
                let answer = piece(world, &path, &token, &query).await.expect(200).json();
                let found = ids(&answer);
                assert!(found.len() <= size && !found.is_empty(), "{path} by {size}");
                walked.extend(found);
                let Some(next) = answer["next_cursor"].as_str() else {
                    break;
                };
                query = format!("limit={size}&cursor={next}");
            }
            assert_eq!(walked, whole, "{path} by {size}");
        }
        // Without a limit: fifty at most.
        let plain = world
            .get(&path)
            .bearer(&token)
            .send()
            .await
            .expect(200)
            .json();
        assert_eq!(
            ids(&plain),
            whole.iter().take(50).cloned().collect::<Vec<_>>()
        );
    }
}

async fn s45_a_cursor_is_good_for_its_own_list_only(world: &World) {
    let (town, mut lists) = full(world).await;
    // The same kind of list of another tenant and another user.
    lists.push((
        "/api/v1/tenants/away/users".to_owned(),
        town.root_token.clone(),
    ));
    lists.push((
        format!("{}/sessions", town.mayor.path()),
        town.mayor_token.clone(),
    ));
    let mut cursors = Vec::new();
    for (path, token) in &lists {
        let answer = piece(world, path, token, "limit=1")
            .await
            .expect(200)
            .json();
        cursors.push(answer["next_cursor"].as_str().unwrap().to_owned());
    }
    for (list, (path, token)) in lists.iter().enumerate() {
        for (from, cursor) in cursors.iter().enumerate() {
            let answer = piece(world, path, token, &format!("cursor={cursor}")).await;
            if from == list {
                answer.expect(200);
            } else {
                answer.expect_problem(400, "invalid_request");
            }
        }
    }
}

async fn s45_a_tampered_cursor_is_refused(world: &World) {
    let mayor = town(world).await.mayor_token;
    world.person("home", "one more").await;
    let path = "/api/v1/tenants/home/users";
    let first = piece(world, path, &mayor, "limit=1")
        .await
        .expect(200)
        .json();
    let good = first["next_cursor"].as_str().unwrap().to_owned();
    assert!(!good.contains(&ids(&first)[0]), "a cursor tells nothing");
    let mut bad = vec![
        String::new(),
        "AAAA".to_owned(),
        ids(&first)[0].clone(),
        good[1..].to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}%00"),
        "A".repeat(good.len()),
        "A".repeat(8_000),
        "%ff%fe".to_owned(),
        "'%20OR%201=1--".to_owned(),
    ];
    for place in (0..good.len()).step_by(3) {
        let mut text = good.clone().into_bytes();
        text[place] = if text[place] == b'A' { b'B' } else { b'A' };
        bad.push(String::from_utf8(text).unwrap());
    }
    for cursor in bad {
        let answer = piece(world, path, &mayor, &format!("cursor={cursor}")).await;
        answer.expect_problem(400, "invalid_request");
    }
}

async fn s45_limit_and_cursor_take_nothing_else(world: &World) {
    let (_, lists) = full(world).await;
    for (path, token) in lists {
        for query in [
            "limit=0",
            "limit=201",
            "limit=-1",
            "limit=1.0",
            "limit=",
            "limit=1e2",
            "limit=0x10",
            "limit=%201",
            "limit=4294967297",
            "limit=1;drop",
            "limit=1&limit=2",
            "offset=5",
            "sort=name",
            "order=asc",
            "fields=password",
            "limit[]=1",
            "cursor=x&cursor=y",
            "page=2",
            "Limit=1",
        ] {
            let answer = piece(world, &path, &token, query).await;
            answer.expect_problem(400, "invalid_request");
        }
        piece(world, &path, &token, "limit=1").await.expect(200);
        piece(world, &path, &token, "limit=200").await.expect(200);
    }
}

/// What makes a database stumble that reads a search as anything but text.
const UGLY: [&str; 24] = [
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "%",
    "_",
    "%%",
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    "\u{0}",
    "x\u{0}y",
    "*",
    "?",
    "[a-z]",
    "{\"$gt\":\"\"}",
    "\u{1F600}",
    "\u{202e}",
    "e\u{301}",
    "\u{fdfa}",
    "--",
    "/*",
    "\r\n",
    "ß",
];

/// v5.0.0-1.2.4.
async fn s45_a_search_is_text_and_nothing_else(world: &World) {
    let town = town(world).await;
    let encode = |text: &str| {
        let mut url = url::Url::parse("http://x/").unwrap();
        url.query_pairs_mut().append_pair("search", text);
        url.query().unwrap().to_owned()
    };
    let lists = [
        ("/api/v1/tenants", &town.root_token),
        ("/api/v1/tenants/home/users", &town.mayor_token),
    ];
    for (path, token) in lists {
        let all = piece(world, path, token, "search=")
            .await
            .expect(200)
            .json();
        assert_eq!(ids(&all).len(), if path.ends_with("users") { 2 } else { 3 });
        for text in UGLY {
            let found = piece(world, path, token, &encode(text)).await.expect(200);
            assert_eq!(found.json()["items"], json!([]), "{text:?} in {path}");
        }
        let long = piece(world, path, token, &encode(&"ﷺ".repeat(3_000))).await;
        assert_eq!(long.expect(200).json()["items"], json!([]));
        let twice = piece(world, path, token, "search=a&search=b").await;
        twice.expect_problem(400, "invalid_request");
        let broken = piece(world, path, token, "search=%ff").await;
        assert!(matches!(broken.status.as_u16(), 200 | 400), "{broken}");
    }
    let odd = world.person("home", "100%_'\"\\[x]").await;
    for text in ["%", "_", "'", "\"", "\\", "[x]", "100%_'\"\\[X]"] {
        let found = piece(world, lists[1].0, lists[1].1, &encode(text)).await;
        assert_eq!(
            ids(&found.expect(200).json()),
            [odd.id.to_string()],
            "{text}"
        );
    }
}
