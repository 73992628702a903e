//! `[mail]` and `[sms]`: what is refused, and what follows from what.

use super::Folder;
use crate::config::MailKind;

const SENDER: &str = "sender = \"Example Ltd <id@example.org>\"";

fn refusal(text: &str) -> String {
    Folder::with_config(text).refusal()
}

/// What takes the mails, where the configuration is this.
fn taker(text: &str) -> Option<MailKind> {
    let loaded = Folder::with_config(text).load().unwrap();
    assert!(loaded.warnings().is_empty(), "{:?}", loaded.warnings());
    let config = &loaded.config;
    let policy = loaded.origin_policy(config.server.listen).unwrap();
    config.mail.taker(&policy)
}

const PUBLIC: &str =
    "[server]\norigin = \"https://id.example.org\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n";

#[test]
fn without_a_word_mails_lie_in_a_folder_on_this_machine_and_nowhere_else() {
    assert_eq!(taker(""), Some(MailKind::File));
    assert_eq!(taker(PUBLIC), None);
    let config = Folder::with_config("").load().unwrap().config;
    assert_eq!(config.mail_folder(), config.server.data_dir.join("mail"));
    assert!(config.mail.mailbox().is_some(), "they come from somebody");
    assert_eq!(config.sms.url, None);
}

#[test]
fn a_mail_server_and_a_sender_are_enough() {
    let text = format!("{PUBLIC}[mail]\nhost = \"smtp.example.org\"\n{SENDER}");
    assert_eq!(taker(&text), Some(MailKind::Smtp));
    let text = format!("{PUBLIC}[mail]\nkind = \"file\"");
    assert_eq!(taker(&text), Some(MailKind::File), "where somebody says so");
}

#[test]
fn what_is_missing_is_named() {
    for (text, key) in [
        (
            "[mail]\nhost = \"smtp.example.org\"",
            "`mail.sender` must be set",
        ),
        (
            "[mail]\nsender = \"id@example.org\"",
            "`mail.host` must be set",
        ),
        (
            "[mail]\nkind = \"smtp\"\nsender = \"id@example.org\"",
            "`mail.host` must be set",
        ),
        (
            "[mail]\nhost = \"smtp.example.org\"\nsender = \"id@example.org\"\nuser = \"id\"",
            "`mail.user` is set, and neither",
        ),
        (
            "[mail]\nhost = \"smtp.example.org\"\nsender = \"id@example.org\"\npassword = \"x\"",
            "`mail.user` must be set",
        ),
        (
            "[sms]\nurl = \"https://sms.example.org/\"",
            "`sms.secret_file` must be set",
        ),
        ("[sms]\nsecret = \"x\"", "`sms.url` is not set"),
    ] {
        let refusal = refusal(text);
        assert!(refusal.contains(key), "{text}: {refusal}");
    }
}

#[test]
fn what_is_malformed_is_told_in_words() {
    for (key, value, words) in [
        ("sender", "a, b", "must be one address such as"),
        (
            "sender",
            "a@example.org, b@example.org",
            "must be one address such as",
        ),
        (
            "sender",
            "a\\r\\nBcc: b <id@example.org>",
            "must be one address such as",
        ),
        (
            "host",
            "smtp://smtp.example.org",
            "must be the name of a host",
        ),
        ("host", "smtp.example.org:25", "must be the name of a host"),
        ("tls", "maybe", "must be one of `starttls`, `tls`, `none`"),
        ("kind", "pigeon", "must be one of `smtp`, `file`, `console`"),
    ] {
        let mut text = format!("[mail]\n{key} = \"{value}\"\n");
        if key != "host" {
            text.push_str("host = \"smtp.example.org\"\n");
        }
        if key != "sender" {
            text.push_str(SENDER);
        }
        let refusal = refusal(&text);
        assert!(refusal.contains(words), "{text}: {refusal}");
    }
    let refusal = refusal("[sms]\nsecret = \"x\"\nurl = \"http://sms.example.org/\"");
    assert!(refusal.contains("must be `https://…`"), "{refusal}");
}

/// v5.0.0-12.3.1
#[test]
fn a_mail_server_elsewhere_is_spoken_to_encrypted_unless_somebody_insists() {
    let text = |host: &str, more: &str| {
        format!("[mail]\nhost = \"{host}\"\ntls = \"none\"\n{SENDER}\n{more}\n")
    };
    for host in ["localhost", "127.0.0.1", "::1"] {
        Folder::with_config(&text(host, "")).load().unwrap();
    }
    for host in ["smtp.example.org", "192.0.2.7", "localhost.example.org"] {
        let refusal = refusal(&text(host, ""));
        assert!(refusal.contains("reads every link") || refusal.contains("read every link"));
        assert!(refusal.contains("send_unencrypted"), "{refusal}");
        let loaded = Folder::with_config(&text(host, "send_unencrypted = true"));
        let loaded = loaded.load().unwrap();
        assert_eq!(loaded.warnings().len(), 1, "{:?}", loaded.warnings());
    }
}

#[test]
fn mails_are_printed_on_this_machine_only() {
    let text = format!("[mail]\nkind = \"console\"\n{SENDER}\n");
    Folder::with_config(&text).load().unwrap();
    let public = format!("{PUBLIC}{text}");
    let refusal = refusal(&public);
    assert!(refusal.contains("`mail.kind` is `console`"), "{refusal}");
}

#[test]
fn a_password_is_read_from_its_file_and_never_shown() {
    let text = format!(
        "[mail]\nhost = \"smtp.example.org\"\n{SENDER}\nuser = \"id\"\npassword_file = \"mail.secret\"\n\
         [sms]\nurl = \"https://sms.example.org/\"\nsecret_file = \"sms.secret\"\n"
    );
    let folder = Folder::with_config(&text);
    folder.write("mail.secret", "hunter2\n");
    folder.write("sms.secret", "hunter3\n");
    let loaded = folder.load().unwrap();
    let config = &loaded.config;
    assert_eq!(config.mail.password.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(config.sms.secret.as_ref().unwrap().expose(), "hunter3");
    for shown in [loaded.show(), format!("{config:?}")] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
    let both = folder.load_with(&[("GATELODGE_MAIL__PASSWORD", "hunter4")]);
    let error = both.unwrap_err().to_string();
    assert!(error.contains("and its file are both set"), "{error}");
    assert!(!error.contains("hunter"), "{error}");
}
