//! What mails and text messages say. `{lasts}` is a length of time, `{until}` and `{at}` are times.

/// Keys and English texts, part of the one table.
pub(super) const ENTRIES: &[(&str, &str)] = &[
    (
        "mail.footer",
        "This mail was sent by {brand} for {tenant}. Nobody reads answers to it.",
    ),
    (
        "mail.link_until",
        "The link works once, for {lasts}: until {until}.",
    ),
    (
        "mail.code_until",
        "The code works once, for {lasts}: until {until}.",
    ),
    (
        "mail.copy_link",
        "If the button does not work, copy this address into your browser:",
    ),
    ("mail.at", "{date} at {time} UTC"),
    ("mail.invite.subject", "You are invited to {tenant}"),
    (
        "mail.invite.text",
        "Somebody who looks after {tenant} has made an account for you. Open this link to set it up:",
    ),
    ("mail.invite.button", "Set up my account"),
    (
        "mail.invite.otherwise",
        "If you do not know {tenant}, ignore this mail. Nobody can use the account without the link.",
    ),
    ("mail.reset.subject", "Choose a new password for {tenant}"),
    (
        "mail.reset.text",
        "Somebody, probably you, asked for a new password for your account at {tenant}. Open this link to choose one:",
    ),
    ("mail.reset.button", "Choose a new password"),
    (
        "mail.reset.otherwise",
        "If you did not ask for it, ignore this mail. Your password stays as it is.",
    ),
    ("mail.verify.subject", "Confirm your e-mail address"),
    (
        "mail.verify.text",
        "This address was entered for an account at {tenant}. Open this link to confirm that it is yours:",
    ),
    ("mail.verify.button", "Confirm this address"),
    (
        "mail.verify.otherwise",
        "If you have no account there, ignore this mail. The address is not used until somebody confirms it.",
    ),
    ("mail.magic_link.subject", "Sign in to {tenant}"),
    (
        "mail.magic_link.text",
        "Somebody, probably you, asked to sign in to {tenant} by a link. Open it to sign in:",
    ),
    ("mail.magic_link.button", "Sign in"),
    (
        "mail.magic_link.otherwise",
        "If you did not ask for it, ignore this mail. Hand the link to nobody: whoever has it can sign in as you.",
    ),
    ("mail.code.subject", "Your code for {tenant}"),
    (
        "mail.code.text",
        "Enter this code where you were asked for it, to show {tenant} that this address is yours:",
    ),
    (
        "mail.code.otherwise",
        "If you did not ask for it, ignore this mail. Tell the code to nobody, whoever they say they are.",
    ),
    (
        "mail.second_factor_code.subject",
        "Your code to sign in to {tenant}",
    ),
    (
        "mail.second_factor_code.text",
        "Somebody, probably you, is signing in to {tenant}. Enter this code where it is asked for:",
    ),
    (
        "mail.second_factor_code.otherwise",
        "If you are not signing in, somebody else knows your password: choose a new one. Tell the code to nobody, whoever they say they are.",
    ),
    (
        "mail.credential_changed.subject",
        "How you sign in was changed",
    ),
    (
        "mail.credential_changed.text",
        "A password or another way to sign in to your account at {tenant} was changed on {at}. If that was you, there is nothing to do.",
    ),
    (
        "mail.credential_changed.otherwise",
        "If it was not you, choose a new password at once, and tell somebody who looks after {tenant}.",
    ),
    (
        "mail.identity_linked.subject",
        "Another account was linked to yours",
    ),
    (
        "mail.identity_linked.text",
        "On {at} an account elsewhere was linked to your account at {tenant}, so that it can be used to sign in. If that was you, there is nothing to do.",
    ),
    (
        "mail.identity_linked.otherwise",
        "If it was not you, sign in, unlink it on your account page, choose a new password, and tell somebody who looks after {tenant}.",
    ),
    (
        "mail.address_changed.subject",
        "Your e-mail address is being changed",
    ),
    (
        "mail.address_changed.text",
        "On {at} another e-mail address was set for your account at {tenant}. If that was you, there is nothing to do. This is the last mail to this address.",
    ),
    (
        "mail.address_changed.otherwise",
        "If it was not you, tell somebody who looks after {tenant} at once.",
    ),
    ("mail.page_link.subject", "A page at {tenant} for you"),
    (
        "mail.page_link.text",
        "Open this link to see a page at {tenant}:",
    ),
    ("mail.page_link.button", "See the page"),
    (
        "mail.page_link.otherwise",
        "If you expected no such link, do not open it. Hand it to nobody: whoever has it sees the page as you.",
    ),
    ("mail.or_code", "Or enter this code where you asked for it:"),
    (
        "mail.device_stolen.subject",
        "A device that was remembered may have been copied",
    ),
    (
        "mail.device_stolen.text",
        "On {at} somebody used what a browser of yours keeps to stay signed in to {tenant}, after it had been replaced. It may have been copied, so that browser is signed out. Your other devices stay signed in.",
    ),
    (
        "mail.device_stolen.otherwise",
        "Sign in again. If you do not know how this came about, change your password, and tell somebody who looks after {tenant}.",
    ),
    (
        "mail.test.footer",
        "This mail was sent by {brand}. Nobody reads answers to it.",
    ),
    ("mail.test.subject", "A test mail of {brand}"),
    (
        "mail.test.text",
        "This is a test of the mail configuration of {origin}, made on {at}. It works.",
    ),
    (
        "sms.code",
        "{code} is your code for {tenant}. It works for {lasts}. Tell it to nobody.",
    ),
    (
        "sms.second_factor_code",
        "{code} is your code to sign in to {tenant}. It works for {lasts}. Tell it to nobody.",
    ),
];
