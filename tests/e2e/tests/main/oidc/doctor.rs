//! `gatelodge provider doctor` against a real third party, with and without what is usually wrong.

use gatelodge_e2e::{
    place::{Finished, Place},
    third_party::ThirdParty,
};

use super::{PASSWORD, connection};

/// Where a server without any configuration is.
const HERE: &str = "http://localhost:8080";

/// A place that no server was started in yet.
async fn place(there: &ThirdParty) -> Place {
    there.client("oidc", HERE).await;
    Place::with_config(PASSWORD)
}

async fn asked(place: &Place, connection: &str) -> Finished {
    place.configure(&format!("{PASSWORD}{connection}"));
    place.run(&["provider", "doctor", "--all"]).await
}

/// What is said of a fault, beside the lines about what is good.
fn says(finished: &Finished, words: &[&str]) {
    assert_ne!(finished.code, Some(0), "{finished:?}");
    for word in words {
        assert!(
            finished.stdout.contains(word),
            "`{word}` is not said: {finished:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_is_right_is_found_to_be_so() {
    let there = ThirdParty::start().await;
    let place = place(&there).await;
    let finished = asked(&place, &connection(there.issuer(), "oidc", "")).await;
    println!("{}", finished.stdout);
    let said = finished.succeeded();
    for check in [
        "The metadata of",
        "A published key can verify tokens.",
        "refuses a wrong code, and not the client",
        "none gets anybody in",
        "sends people back to the callback address",
        "/callback/oidc",
    ] {
        assert!(said.contains(check), "`{check}` is not said: {said}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_connection_is_said_with_what_to_do() {
    let there = ThirdParty::start().await;
    let place = place(&there).await;
    let issuer = there.issuer();
    let right = connection(issuer, "oidc", "");
    let unreachable = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let planted = [
        (
            right.replace(issuer, &format!("{issuer}/")),
            vec!["BAD", "issuer"],
        ),
        (
            right.replace(issuer, &issuer.replace("127.0.0.1", "localhost")),
            vec!["BAD", "Copy `issuer`"],
        ),
        (
            right.replace("canary-of", "canary-off"),
            vec!["BAD", "invalid_client", "Copy `client_id` and secret"],
        ),
        (
            right.replace("client_id = \"oidc\"", "client_id = \"other\""),
            vec!["BAD", "invalid_client"],
        ),
        (
            right.replace(issuer, &unreachable),
            vec!["BAD", "does not open"],
        ),
        (
            connection(issuer, "oidc", "algorithms = [\"ES256\"]"),
            vec!["BAD", "No published key is for ES256."],
        ),
    ];
    for (configuration, words) in planted {
        let finished = asked(&place, &configuration).await;
        println!(
            "{configuration}\n{}\n{}\n",
            finished.stdout, finished.stderr
        );
        says(&finished, &words);
    }
}

#[tokio::test]
async fn a_callback_that_is_not_registered_there_is_found() {
    let there = ThirdParty::start().await;
    let place = place(&there).await;
    there.client("elsewhere", "http://localhost:8081").await;
    let configuration = connection(there.issuer(), "elsewhere", "");
    let finished = asked(&place, &configuration).await;
    let words = ["does not send people back to", "/callback/oidc", "register"];
    says(&finished, &words);
}

#[tokio::test]
async fn plain_http_is_refused_unless_the_configuration_says_that_it_is_this_machine() {
    let there = ThirdParty::start().await;
    let place = place(&there).await;
    let plain = connection(there.issuer(), "oidc", "").replace("loopback = true", "");
    let finished = asked(&place, &plain).await;
    println!("{} {}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for words in ["issuer", "loopback = true"] {
        assert!(finished.stderr.contains(words), "{finished:?}");
    }
}
