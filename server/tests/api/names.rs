//! S42: which names and addresses are the same one, and which are none. Every
//! storage says the same, since the key under which they are compared is ours.

use serde_json::{Value, json};

use crate::support::{PASSWORD, World, on_each_storage, town};

on_each_storage!(
    s42_a_name_in_another_writing_is_the_same_name,
    s42_names_that_differ_in_an_accent_are_two,
    s42_what_is_not_one_plain_address_is_refused,
    s42_an_address_is_kept_as_it_was_given,
);

const USERS: &str = "/api/v1/tenants/home/users";

/// Pairs that one person could take for the same name.
const SAME: [(&str, &str); 10] = [
    ("Ada", "aDA"),
    ("straße", "STRASSE"),
    ("\u{fb01}n", "FIN"),
    ("e\u{301}va", "\u{c9}va"),
    ("\u{ff21}\u{ff42}e", "abe"),
    ("\u{3a3}ofia", "\u{3c2}ofia"),
    ("\u{212a}elvin", "kelvin"),
    ("\u{1d4d1}ob", "bob"),
    ("\u{2163}", "iv"),
    ("o\u{308}\u{304}", "\u{22b}"),
];

/// Pairs that are two names, whatever a database's collation makes of them.
const DIFFERENT: [(&str, &str); 6] = [
    ("jose", "jos\u{e9}"),
    ("muller", "m\u{fc}ller"),
    ("ilker", "\u{131}lker"),
    ("pa\u{308}r", "par"),
    // Latin and Cyrillic: not confused by us, whoever reads them may.
    ("paypal", "p\u{430}ypal"),
    ("o_k", "oxk"),
];

async fn make(world: &World, token: &str, body: Value) -> (u16, Value) {
    let answer = world.post(USERS).bearer(token).json(&body).send().await;
    (answer.status.as_u16(), answer.json())
}

async fn s42_a_name_in_another_writing_is_the_same_name(world: &World) {
    let mayor = town(world).await.mayor_token;
    for (one, other) in SAME {
        let mine = json!({"user_name": one, "password": PASSWORD, "must_change_password": false});
        assert_eq!(make(world, &mayor, mine).await.0, 201, "{one}");
        let (status, body) = make(world, &mayor, json!({"user_name": other})).await;
        assert_eq!(
            (status, &body["code"]),
            (409, &json!("already_exists")),
            "{other}"
        );
        // And it signs in, in either writing.
        for name in [one, other] {
            let flow = world.begin(json!({"tenant": "home"})).await;
            world.enter(&flow, name, PASSWORD).await.expect(200);
        }
    }
}

async fn s42_names_that_differ_in_an_accent_are_two(world: &World) {
    let mayor = town(world).await.mayor_token;
    let mut ids = Vec::new();
    for (one, other) in DIFFERENT {
        for name in [one, other] {
            let (status, body) = make(world, &mayor, json!({"user_name": name})).await;
            assert_eq!(status, 201, "{name}: {body}");
            ids.push(body["id"].to_string());
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2 * DIFFERENT.len());
}

async fn s42_what_is_not_one_plain_address_is_refused(world: &World) {
    let mayor = town(world).await.mayor_token;
    for (number, address) in [
        "ada",
        "@example.com",
        "ada@",
        "a@b@example.com",
        "ada\u{ff20}example.com",
        "\"ada@evil.example\"@example.com",
        "ada@example.com,eve@evil.example",
        "ada@example.com;eve@evil.example",
        "ada@example.com eve@evil.example",
        "ada@example.com\r\nBcc: eve@evil.example",
        "ada@example.com\u{0}.evil.example",
        "Ada <ada@example.com>",
        "ada(at)@example.com",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ada@localhost",
        "ada@example..com",
        "ada@.example.com",
        "ada@example.com,evil.example",
        "ada@example.com;evil.example",
        "ada@(evil.example)example.com",
        "ada@\"evil.example",
        "ada@exa_mple.com",
        "ada@-example.com",
        "ada@example-.com",
        "ada\u{200b}@example.com",
        "ada@example.com\u{202e}",
        ".ada@example.com",
        "a..a@example.com",
        "=?utf-8?q?ada?=@evil.example@example.com",
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"user_name": format!("user {number}"), "email": address});
        let (status, body) = make(world, &mayor, body).await;
        assert_eq!(
            (status, &body["code"]),
            (422, &json!("validation_failed")),
            "{address:?}"
        );
        assert_eq!(body["errors"][0]["field"], "email", "{address:?}");
    }
}

/// Mail will go to what is stored, so that must be what was given: no letter
/// folded, none taken for another.
async fn s42_an_address_is_kept_as_it_was_given(world: &World) {
    let mayor = town(world).await.mayor_token;
    for (number, (given, kept)) in [
        ("Ada@Example.COM", "Ada@example.com"),
        ("ada@b\u{fc}cher.example", "ada@xn--bcher-kva.example"),
        ("m\u{131}ke@example.com", "m\u{131}ke@example.com"),
        ("Stra\u{df}e@example.com", "Stra\u{df}e@example.com"),
        ("a+b@example.com", "a+b@example.com"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"user_name": format!("user {number}"), "email": given});
        let (status, body) = make(world, &mayor, body).await;
        assert_eq!((status, &body["email"]), (201, &json!(kept)), "{body}");
        assert_eq!(body["email_verified"], false);
    }
}
