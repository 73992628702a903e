//! `gatelodge mail …`, and what `config check` says of mails.

use std::fs;

use crate::installation::Installation;

/// An installation with this `[mail]`, whose database nobody has made yet.
fn installation(mail: &str) -> (Installation, String) {
    let installation = Installation::empty();
    let file = installation.path("mail.toml");
    let sender = "sender = \"Example Ltd <id@example.org>\"";
    fs::write(&file, format!("[mail]\n{sender}\n{mail}\n")).unwrap();
    (installation, file.display().to_string())
}

/// The arguments that send a test mail.
fn test_mail(config: &str) -> [&str; 6] {
    [
        "mail",
        "test",
        "--to",
        "ada@example.com",
        "--config",
        config,
    ]
}

#[test]
fn a_test_mail_lands_in_the_folder_for_mails() {
    let (installation, config) = installation("kind = \"file\"\nfolder = \"sent\"");
    let arguments = test_mail(&config);
    let answer = installation.run(&arguments).done();
    assert!(
        answer.contains("The mail to ada@example.com was taken by"),
        "{answer}"
    );
    let mails: Vec<_> = fs::read_dir(installation.path("sent")).unwrap().collect();
    assert_eq!(mails.len(), 1);
    let mail = fs::read_to_string(mails[0].as_ref().unwrap().path()).unwrap();
    assert!(mail.contains("To: ada@example.com"), "{mail}");
    assert!(mail.contains("Subject: A test mail of Gatelodge"), "{mail}");
    assert!(
        !installation.path("gatelodge.db").exists(),
        "no database is made"
    );
}

#[test]
fn a_test_mail_is_printed_where_mails_are() {
    let (installation, config) = installation("kind = \"console\"");
    let arguments = test_mail(&config);
    let answer = installation.run(&arguments).done();
    assert!(
        answer.contains("This is a test of the mail configuration"),
        "{answer}"
    );
}

#[test]
fn a_mail_server_that_is_not_there_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mail = format!("host = \"127.0.0.1\"\nport = {port}\ntls = \"none\"");
    let (installation, config) = installation(&mail);
    let arguments = test_mail(&config);
    let message = installation.run(&arguments).refused(1);
    let place = format!("127.0.0.1:{port} did not take the mail");
    assert!(message.contains(&place), "{message}");
    assert!(message.contains("could not be reached"), "{message}");
}

#[test]
fn without_a_word_a_test_mail_lies_in_the_folder_of_data() {
    let installation = Installation::empty();
    let answer = installation.line("mail test --to ada@example.com").done();
    assert!(answer.contains("was taken by the folder `"), "{answer}");
    let answer = installation.line("mail test --to ada");
    assert_eq!(answer.code, 2, "{}", answer.errors);
}

#[test]
fn where_no_mail_is_sent_there_is_nothing_to_try() {
    let installation = Installation::empty();
    let file = installation.path("public.toml");
    let server =
        "[server]\norigin = \"https://id.example.org\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n";
    fs::write(&file, server).unwrap();
    let config = file.display().to_string();
    let arguments = test_mail(&config);
    let message = installation.run(&arguments).refused(1);
    let words = "no mail is sent: set `mail.host` and `mail.sender`, or `mail.kind`";
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_configuration_is_checked_with_its_certificates_and_templates() {
    let (installation, config) = installation("host = \"smtp.example.org\"\nca_file = \"ca.pem\"");
    fs::write(installation.path("ca.pem"), "no certificate").unwrap();
    let check = ["config", "check", "--config", &config];
    let message = installation.run(&check).refused(1);
    assert!(
        message.contains("`mail.ca_file` names a file without certificates"),
        "{message}"
    );
    let (installation, config) = installation_with_template("{{ tenant");
    let check = ["config", "check", "--config", &config];
    let message = installation.run(&check).refused(1);
    assert!(
        message.contains("reset.txt") && message.contains("line 1"),
        "{message}"
    );
}

fn installation_with_template(text: &str) -> (Installation, String) {
    let mail = "host = \"smtp.example.org\"\n[pages]\ntemplate_dir = \"templates\"";
    let (installation, config) = installation(mail);
    let folder = installation.path("templates/mail");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("reset.txt"), text).unwrap();
    (installation, config)
}
