//! Several processes on one database.

use std::thread;

use crate::installation::{Answer, Installation};

#[test]
fn commands_work_while_a_server_holds_the_database() {
    let installation = Installation::empty();
    let server = installation.server();
    installation.line("tenant create acme").done();
    let made = installation.json("user create -t acme --user-name ada");
    let password = made["initial_password"].as_str().unwrap();
    assert_eq!(installation.json("tenant list")["items"][0]["name"], "acme");

    // The server sees at once what a command wrote.
    let start = serde_json::json!({ "tenant": "acme", "transport": "token" });
    let (status, flow) = server.request("POST", "/api/v1/sign-in/flows", None, &start);
    assert_eq!(status, 201, "{flow}");
    assert!(!flow.to_string().contains(password));
}

#[test]
fn of_several_commands_that_race_for_a_name_one_wins() {
    let installation = Installation::empty();
    let _server = installation.server();
    let answers: Vec<Answer> = thread::scope(|scope| {
        let command = || installation.line("tenant create acme");
        let running: Vec<_> = (0..4).map(|_| scope.spawn(command)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let won = answers.iter().filter(|answer| answer.code == 0).count();
    assert_eq!(won, 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.code != 0) {
        let message = answer.refused(1);
        assert!(message.contains("already taken"), "{message}");
    }
}

#[test]
fn commands_that_run_at_once_all_get_their_turn() {
    let installation = Installation::with_tenants(&["acme"]);
    let _server = installation.server();
    thread::scope(|scope| {
        for number in 0..8 {
            let installation = &installation;
            scope.spawn(move || {
                let name = format!("user{number}");
                let arguments = [
                    "user",
                    "create",
                    "-t",
                    "acme",
                    "--no-password",
                    "--user-name",
                ];
                let arguments: Vec<_> = arguments.into_iter().chain([name.as_str()]).collect();
                installation.run(&arguments).done();
            });
        }
    });
    let listed = installation.json("user list -t acme");
    assert_eq!(listed["items"].as_array().unwrap().len(), 8);
}
