//! What people are told.

use std::time::Duration;

use gatelodge_core::provider::MessageChannel;

/// What is said in another way for each way that codes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// What the way to confirm a sign-in is called.
    pub(crate) label: &'static str,
    /// What an address is called.
    pub(crate) address: &'static str,
    /// The HTML `autocomplete` token of an address.
    pub(crate) autocomplete: &'static str,
    /// The most characters of a typed address.
    pub(crate) most_typed: u32,
    /// How an address is written.
    pub(crate) help: Option<&'static str>,
    /// The button that leads to another one.
    pub(crate) other: &'static str,
    /// What is missing where none was typed.
    pub(crate) missing: &'static str,
    /// What is wrong with one that can be none.
    pub(crate) malformed: &'static str,
    /// What setting one up means. NIST SP 800-63B-4 (section 3.2.9) and ASVS 6.6.1
    /// ask that people are told the risk.
    pub(crate) set_up: &'static str,
}

const MAIL: Words = Words {
    label: "Code by e-mail",
    address: "E-mail address",
    autocomplete: "email",
    // RFC 5321 section 4.5.3.1.3.
    most_typed: 254,
    help: None,
    other: "Use another address",
    missing: "Enter your e-mail address.",
    malformed: "This is no e-mail address.",
    set_up: "A code is sent to this address now, and whenever you sign in. If whoever reads this \
             mailbox can also replace your password, it protects you little: if you can, set up \
             an authenticator app instead.",
};

const SMS: Words = Words {
    label: "Code by SMS",
    address: "Telephone number",
    autocomplete: "tel",
    // With a space around each digit, and some.
    most_typed: 64,
    help: Some("With the country code, such as +49 30 123456."),
    other: "Use another number",
    missing: "Enter your telephone number.",
    malformed: "Enter the number with the country code, such as +49 30 123456.",
    set_up: "A code is sent to this number now, and whenever you sign in. Somebody who talks your \
             telephone company into it can get your messages: if you can, set up an \
             authenticator app instead.",
};

impl Words {
    pub(crate) fn of(channel: MessageChannel) -> &'static Self {
        match channel {
            MessageChannel::Mail => &MAIL,
            MessageChannel::Sms => &SMS,
        }
    }
}

/// What somebody is told who has to wait for another code.
pub(crate) fn told(wait: Duration) -> String {
    match wait.as_secs().div_ceil(60) {
        0 | 1 => "A code was sent a moment ago. You can have another one in a minute.".to_owned(),
        minutes => format!(
            "Many codes were sent within an hour. You can have another one in {minutes} minutes."
        ),
    }
}
