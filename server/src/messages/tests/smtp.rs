//! What a mail server gets, and what becomes of its answers.

use std::fs;

use gatelodge_core::messages::{Outgoing, SendError, Sender as _};
use tempfile::TempDir;

use super::{
    super::{FolderSender, mail::compose},
    CANARY, config, outgoing, sender,
    server::{Certificate, Encryption, MailServer, Manner, authority, certificate},
    smtp,
};
use crate::config::{MailConfig, MailTls, Secret};

fn words(result: Result<(), SendError>) -> String {
    let error = result.unwrap_err().to_string();
    assert!(!error.contains(CANARY) && !error.contains('@'), "{error}");
    error
}

/// Trusts this certificate beside those of the machine.
fn trusting(config: MailConfig, certificate: &Certificate) -> (MailConfig, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, &certificate.pem).unwrap();
    let ca_file = Some(file);
    (MailConfig { ca_file, ..config }, folder)
}

#[tokio::test]
async fn a_mail_arrives_once_with_both_of_its_parts() {
    let server = MailServer::start(Encryption::None).await;
    let sender = smtp(&config(server.port, MailTls::None));
    let outgoing = outgoing("ada@example.com");
    sender.send(&outgoing).await.unwrap();
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.from, "id@example.org");
    assert_eq!(mail.to, ["ada@example.com"]);
    let header = |name: &str| mail.header(name).unwrap_or_default();
    assert_eq!(header("From"), "\"Example Ltd\" <id@example.org>");
    assert_eq!(header("To"), "ada@example.com");
    assert_eq!(header("Subject"), "Your code for Acme");
    assert_eq!(
        header("Message-ID"),
        format!("<{}@example.org>", outgoing.id)
    );
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert!(!header("Date").is_empty());
    assert!(header("Content-Type").starts_with("multipart/alternative"));
    let text = mail.decoded();
    let plain = text.find("Content-Type: text/plain").unwrap();
    let html = text.find("Content-Type: text/html").unwrap();
    assert!(
        plain < html,
        "what is best comes last (RFC 2046 section 5.1.4)"
    );
    assert_eq!(text.matches(CANARY).count(), 2);
}

#[tokio::test]
async fn one_connection_carries_several_mails() {
    let server = MailServer::start(Encryption::None).await;
    let sender = smtp(&config(server.port, MailTls::None));
    for _ in 0..3 {
        sender.send(&outgoing("ada@example.com")).await.unwrap();
        // The pool takes the connection back beside this.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.mails().len(), 3);
    assert_eq!(server.sessions(), 1);
}

#[tokio::test]
async fn a_mail_and_a_password_go_over_an_encrypted_connection() {
    let good = certificate("localhost");
    for is_starttls in [true, false] {
        let (encryption, tls) = if is_starttls {
            (Encryption::Starttls(good.config.clone()), MailTls::Starttls)
        } else {
            (Encryption::Tls(good.config.clone()), MailTls::Tls)
        };
        let server = MailServer::start(encryption).await;
        let (mut config, _folder) = trusting(config(server.port, tls), &good);
        config.user = Some("id@example.org".to_owned());
        config.password = Some(Secret::from("hunter2".to_owned()));
        smtp(&config)
            .send(&outgoing("ada@example.com"))
            .await
            .unwrap();
        assert!(server.mails()[0].is_encrypted, "starttls: {is_starttls}");
        assert!(server.heard().contains("AUTH"), "it signed in");
    }
}

/// v5.0.0-12.3.2
#[tokio::test]
async fn s48_a_mail_server_with_a_wrong_certificate_gets_nothing() {
    let (good, other) = (certificate("localhost"), certificate("elsewhere.test"));
    let stranger = certificate("localhost");
    // For another name, though trusted; for the right name, though nobody trusts it.
    for (shown, trusted) in [(&other, &other), (&stranger, &good)] {
        for tls in [MailTls::Starttls, MailTls::Tls] {
            let encryption = match tls {
                MailTls::Tls => Encryption::Tls(shown.config.clone()),
                _ => Encryption::Starttls(shown.config.clone()),
            };
            let server = MailServer::start(encryption).await;
            let (mut config, _folder) = trusting(config(server.port, tls), trusted);
            config.user = Some("id@example.org".to_owned());
            config.password = Some(Secret::from("hunter2".to_owned()));
            let sent = smtp(&config).send(&outgoing("ada@example.com")).await;
            assert!(matches!(sent, Err(SendError::Later(_))), "{sent:?}");
            let told = words(sent);
            assert!(told.contains("no secure connection"), "{told}");
            let heard = server.heard();
            for said in ["MAIL", "RCPT", "AUTH", CANARY, "ada@"] {
                assert!(!heard.contains(said), "{tls:?}: {heard}");
            }
        }
    }
}

#[tokio::test]
async fn whoever_tries_the_mail_server_out_learns_what_is_wrong_with_its_certificate() {
    let (good, authority) = (certificate("localhost"), authority("localhost"));
    for (shown, trusted, said) in [
        (
            &good,
            &authority,
            "signed by nobody that this machine trusts",
        ),
        (&authority, &authority, "says that it is an authority's"),
    ] {
        let server = MailServer::start(Encryption::Tls(shown.config.clone())).await;
        let (config, _folder) = trusting(config(server.port, MailTls::Tls), trusted);
        let mail = outgoing("ada@example.com");
        let failed = smtp(&config).hand_over(&mail).await.unwrap_err();
        let details = failed.details();
        assert!(details.contains(said), "{details}");
        assert!(details.contains("`mail.ca_file`"), "{details}");
    }
}

/// Somebody in between who takes the offer of encryption away.
#[tokio::test]
async fn s48_a_mail_server_that_offers_no_encryption_gets_nothing() {
    let server = MailServer::start(Encryption::None).await;
    let sender = smtp(&config(server.port, MailTls::Starttls));
    let sent = sender.send(&outgoing("ada@example.com")).await;
    assert!(matches!(sent, Err(SendError::Later(_))), "{sent:?}");
    assert!(!server.heard().contains("MAIL"), "{}", server.heard());
}

#[tokio::test]
async fn what_a_mail_server_says_decides_whether_a_mail_is_tried_again() {
    let server = MailServer::start(Encryption::None).await;
    let sender = smtp(&config(server.port, MailTls::None));
    for (answer, is_final) in [
        ("421 4.3.2 closing", false),
        ("450 4.2.1 the mailbox of ada@example.com is busy", false),
        ("535 5.7.8 who are you", false),
        ("550 5.1.1 no ada@example.com here", true),
        ("553 5.1.3 what an address", true),
    ] {
        server.behave(Manner::Says(answer));
        let sent = sender.send(&outgoing("ada@example.com")).await;
        assert_eq!(
            matches!(sent, Err(SendError::Never(_))),
            is_final,
            "{answer}"
        );
        let words = words(sent);
        assert!(
            words.ends_with(answer.split(' ').next().unwrap()),
            "{words}"
        );
    }
    assert!(server.mails().is_empty());
    server.behave(Manner::Takes);
    sender.send(&outgoing("ada@example.com")).await.unwrap();
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_or_goes_away_is_tried_again() {
    let server = MailServer::start(Encryption::None).await;
    let sender = smtp(&config(server.port, MailTls::None));
    server.behave(Manner::HangsUp);
    let sent = sender.send(&outgoing("ada@example.com")).await;
    assert!(matches!(sent, Err(SendError::Later(_))), "{sent:?}");
    words(sent);
    let port = server.port;
    drop(server);
    let sent = sender.send(&outgoing("ada@example.com")).await;
    assert!(matches!(sent, Err(SendError::Later(_))), "{sent:?}");
    words(sent);
    let server = MailServer::at(port, Encryption::None).await;
    sender.send(&outgoing("ada@example.com")).await.unwrap();
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_server_that_hangs_is_given_up_in_time() {
    let server = MailServer::start(Encryption::None).await;
    server.behave(Manner::Hangs);
    let mut config = config(server.port, MailTls::None);
    config.timeout_seconds = 1;
    let sent = smtp(&config).send(&outgoing("ada@example.com")).await;
    assert!(matches!(sent, Err(SendError::Later(_))), "{sent:?}");
    assert!(words(sent).contains("in time"));
}

/// v5.0.0-1.3.11
#[test]
fn s47_nothing_that_is_shown_begins_a_header() {
    let bad = [
        "a\r\nBcc: eve@example.net",
        "a\nBcc: eve@example.net",
        "a\rb",
        "a\u{0}b",
    ];
    for text in bad {
        let mut mail = outgoing("ada@example.com");
        text.clone_into(&mut mail.rendered.subject);
        assert!(compose(&sender(), &mail).is_err(), "{text:?} as a subject");
        let to = format!("ada@example.com{}", text.get(1..).unwrap());
        assert!(compose(&sender(), &outgoing(&to)).is_err(), "{to:?}");
        let config = MailConfig {
            sender: Some(format!("{text} <id@example.org>")),
            ..MailConfig::default()
        };
        assert_eq!(config.mailbox(), None, "{text:?} as a sender");
    }
    // Letters beyond ASCII are encoded, and stay one line.
    let mut mail = outgoing("ada@example.com");
    mail.rendered.subject = format!("Grüße {}", "ä".repeat(300));
    let text = compose(&sender(), &mail).unwrap().formatted();
    let text = String::from_utf8(text).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let names: Vec<_> = head
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name.to_owned()))
        .collect();
    let known = [
        "Message-ID",
        "From",
        "To",
        "Subject",
        "Auto-Submitted",
        "MIME-Version",
        "Date",
        "Content-Type",
    ];
    assert!(
        names.iter().all(|name| known.contains(&name.as_str())),
        "{names:?}"
    );
}

#[test]
fn s42_a_mail_goes_to_one_mailbox_only() {
    for address in [
        "ada@example.com,eve@example.net",
        "ada@example.com;eve@example.net",
        "ada@example.com eve@example.net",
        "<ada@example.com>",
        "Ada <ada@example.com>",
        "ada@example.com>,<eve@example.net",
        "ada@example.com\u{2028}eve@example.net",
        "ada\u{ff20}example.com",
        "ada",
        "",
    ] {
        assert!(
            compose(&sender(), &outgoing(address)).is_err(),
            "{address:?}"
        );
    }
    for address in [
        "ada@example.com",
        "ada+x@xn--bcher-kva.example",
        "o'neil@example.com",
    ] {
        let mail = compose(&sender(), &outgoing(address)).unwrap();
        assert_eq!(mail.envelope().to().len(), 1);
        assert_eq!(mail.envelope().to()[0].to_string(), address);
    }
}

#[tokio::test]
async fn an_address_that_no_mail_can_be_sent_to_is_given_up() {
    let server = MailServer::start(Encryption::None).await;
    let sender = smtp(&config(server.port, MailTls::None));
    let sent = sender.send(&outgoing("nobody")).await;
    assert!(matches!(sent, Err(SendError::Never(_))), "{sent:?}");
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn a_mail_in_a_folder_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("mail");
    let to_folder = FolderSender {
        folder: folder.clone(),
        sender: sender(),
    };
    let mail: Outgoing = outgoing("ada@example.com");
    // Sent twice, it is one file.
    to_folder.send(&mail).await.unwrap();
    to_folder.send(&mail).await.unwrap();
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].file_name(), format!("{}.eml", mail.id).as_str());
    let mode = files[0].metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(files[0].path()).unwrap();
    assert!(text.contains("To: ada@example.com") && text.contains(CANARY));
}

#[test]
fn the_file_of_certificates_has_to_hold_some() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let config = MailConfig {
        ca_file: Some(file.clone()),
        ..config(25, MailTls::Tls)
    };
    let wrong = || super::SmtpSender::new(&config, sender()).err().unwrap();
    assert!(wrong().contains("cannot be read"));
    fs::write(&file, "no certificate").unwrap();
    assert!(wrong().contains("without certificates"));
    let two = [certificate("a.test").pem, certificate("b.test").pem].concat();
    fs::write(&file, two).unwrap();
    assert!(super::SmtpSender::new(&config, sender()).is_ok());
}
