//! S28: where a browser goes in the end is a path of this server, or the flow
//! does not begin.

use serde_json::json;

use crate::support::{World, on_each_storage};

on_each_storage!(s28_only_paths_of_this_server_are_returned_to);

pub(crate) const ELSEWHERE: [&str; 62] = [
    "",
    " ",
    "account",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https://evil.example",
    "http://evil.example",
    "HTTPS://EVIL.EXAMPLE",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "http:\\\\evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:x",
    "mailto:a@b.example",
    "ftp://evil.example",
    "@evil.example",
    "user@evil.example",
    "//user@evil.example",
    "//localhost:8080@evil.example",
    "http://localhost:8080@evil.example",
    "http://localhost:8080.evil.example",
    "http://localhost:8080/account",
    "//localhost:8080/account",
    "/\tevil",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    "\n/account",
    " /account",
    "/account ",
    "/account\u{0}",
    "/a\r\nSet-Cookie: x=1",
    "/a%0d%0aSet-Cookie:x\u{a0}",
    "/%2f%2fevil.example",
    "/%2Fevil.example",
    "/%5cevil.example",
    "/%5C%5Cevil.example",
    "/%252f%252fevil.example",
    "/%25255cevil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/./%2e//evil.example",
    "/x/..//evil.example",
    "/%2e%2e//evil.example",
    "?next=//evil.example",
    "#//evil.example",
    "/ünicode",
    "/\u{ff0f}evil.example",
    "/\u{2215}evil.example",
    "\u{2028}/account",
    "/\u{202e}account",
];

/// v5.0.0-3.7.2.
async fn s28_only_paths_of_this_server_are_returned_to(world: &World) {
    let begin = async |return_to: &str| {
        let body = json!({"transport": "token", "return_to": return_to});
        let call = world.post("/api/v1/sign-in/flows").json(&body);
        call.send().await
    };
    for elsewhere in ELSEWHERE {
        let answer = begin(elsewhere).await;
        let answer = answer.expect_problem(422, "validation_failed");
        assert_eq!(answer.fields(), ["return_to"], "{elsewhere:?}");
    }
    let long = format!("/{}", "a".repeat(4_000));
    assert_eq!(begin(&long).await.fields(), ["return_to"]);
    for here in [
        "/",
        "/account",
        "/t/home/account?tab=1&x=//y",
        "/a/../account",
        "/a;b=c",
    ] {
        begin(here).await.expect(201);
    }
}
