//! Every sentence of the pages in one table, so that a host can replace any of them.

use std::collections::BTreeMap;

mod handlers;
mod messages;

/// Why a text could not be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The key is not in the table.
    #[error("`{key}` is not the key of a page text")]
    UnknownKey {
        /// The key that was asked for or configured.
        key: String,
    },
    /// A replaced text uses a placeholder that the original does not have.
    #[error(
        "text `{key}` uses the placeholder `{{{name}}}`, which has no value there; it may use: {allowed}"
    )]
    UnknownPlaceholder {
        /// Key of the text.
        key: String,
        /// The placeholder.
        name: String,
        /// The placeholders of the original, comma separated.
        allowed: String,
    },
    /// A placeholder of the text was given no value.
    #[error("text `{key}` needs a value for `{{{name}}}`")]
    MissingValue {
        /// Key of the text.
        key: String,
        /// The placeholder.
        name: String,
    },
}

/// The texts in force: the English table with a host's replacements.
#[derive(Debug, Clone)]
pub struct Texts {
    entries: BTreeMap<String, String>,
}

impl Texts {
    /// The table with `replacements` put over it.
    ///
    /// # Errors
    /// A key that the table does not have, or a placeholder that the original text does not have.
    pub fn new(replacements: &BTreeMap<String, String>) -> Result<Self, TextError> {
        let mut entries: BTreeMap<String, String> = defaults()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect();
        for (key, text) in replacements {
            let Some(original) = entries.get_mut(key) else {
                return Err(TextError::UnknownKey { key: key.clone() });
            };
            check_placeholders(key, original, text)?;
            original.clone_from(text);
        }
        Ok(Self { entries })
    }

    /// The text `key` with its placeholders filled from `values`.
    ///
    /// With a value called `count`, `key.one` or `key.other` is taken when the table has them.
    ///
    /// # Errors
    /// An unknown key, or a placeholder without a value.
    pub fn fill(&self, key: &str, values: &[(&str, String)]) -> Result<String, TextError> {
        let text = self
            .find(key, values)
            .ok_or_else(|| TextError::UnknownKey {
                key: key.to_owned(),
            })?;
        let mut filled = String::with_capacity(text.len() + 32);
        for piece in pieces(text) {
            match piece {
                Piece::Plain(plain) => filled.push_str(plain),
                Piece::Placeholder(name) => match values.iter().find(|(known, _)| *known == name) {
                    Some((_, value)) => filled.push_str(value),
                    None => {
                        return Err(TextError::MissingValue {
                            key: key.to_owned(),
                            name: name.to_owned(),
                        });
                    }
                },
            }
        }
        Ok(filled)
    }

    fn find(&self, key: &str, values: &[(&str, String)]) -> Option<&str> {
        let plural = values
            .iter()
            .find(|(name, _)| *name == "count")
            .map(|(_, count)| {
                let form = if count == "1" { "one" } else { "other" };
                format!("{key}.{form}")
            });
        plural
            .and_then(|key| self.entries.get(&key))
            .or_else(|| self.entries.get(key))
            .map(String::as_str)
    }
}

enum Piece<'a> {
    Plain(&'a str),
    Placeholder(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        found.push(Piece::Plain(before));
        found.push(Piece::Placeholder(name));
        rest = tail;
    }
    found.push(Piece::Plain(rest));
    found
}

fn placeholders(text: &str) -> Vec<&str> {
    let names = pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Placeholder(name) => Some(name),
        Piece::Plain(_) => None,
    });
    names.collect()
}

fn check_placeholders(key: &str, original: &str, replacement: &str) -> Result<(), TextError> {
    let mut allowed = placeholders(original);
    if key.ends_with(".one") {
        allowed.push("count");
    }
    match placeholders(replacement)
        .into_iter()
        .find(|name| !allowed.contains(name))
    {
        None => Ok(()),
        Some(name) => Err(TextError::UnknownPlaceholder {
            key: key.to_owned(),
            name: name.to_owned(),
            allowed: if allowed.is_empty() {
                "none".to_owned()
            } else {
                allowed.join(", ")
            },
        }),
    }
}

/// Every key with its English text.
pub fn defaults() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    TEMPLATES
        .iter()
        .chain(handlers::ENTRIES)
        .chain(messages::ENTRIES)
}

/// What the templates say. `{name}` is a placeholder; `.one` and `.other` are chosen by `count`.
const TEMPLATES: &[(&str, &str)] = &[
    // The frame around every page.
    ("frame.skip", "Skip to content"),
    ("frame.navigation", "Main"),
    ("frame.footer", "Footer"),
    ("frame.home", "{brand}, start page"),
    ("frame.signed_in_as", "Signed in as {name}"),
    ("frame.sign_out", "Sign out"),
    ("frame.error_title", "Error: {title}"),
    ("frame.account", "Your account"),
    ("frame.users", "Users"),
    ("frame.tenants", "Organisations"),
    // Form fields.
    ("field.optional", "optional"),
    ("field.min_length.one", "At least {count} character."),
    ("field.min_length.other", "At least {count} characters."),
    ("field.error_prefix", "Error:"),
    ("field.choose", "Please choose"),
    ("field.tenant", "Organisation"),
    (
        "field.tenant.help",
        "The short name your organisation signs in with.",
    ),
    ("field.user_name", "User name"),
    ("field.display_name", "Display name"),
    ("field.email", "E-mail address"),
    ("field.password", "Password"),
    ("field.new_password", "New password"),
    ("field.stay", "Keep me signed in on this device"),
    (
        "field.remember_name",
        "Remember my user name on this device",
    ),
    ("errors.title", "Please check what you entered"),
    ("errors.field", "{label}: {error}"),
    ("field.too_short.one", "Use at least {count} character."),
    ("field.too_short.other", "Use at least {count} characters."),
    ("field.missing", "Please fill this in."),
    // Signing in and up.
    ("flow.sign_in.title", "Sign in"),
    ("flow.for_application", "You then go on to {name}."),
    ("flow.sign_up.title", "Create your account"),
    ("flow.second_step.title", "Confirm it’s you"),
    (
        "flow.refused",
        "That didn’t work. Check what you entered and try again.",
    ),
    ("flow.or", "or"),
    ("flow.change_tenant", "Change"),
    ("flow.tenant", "Organisation: {tenant}"),
    ("flow.continue", "Continue"),
    ("flow.sign_in", "Sign in"),
    ("flow.sign_up", "Create account"),
    ("flow.check_again", "Check again"),
    ("flow.create_account", "Create an account"),
    ("flow.have_account", "I already have an account"),
    ("flow.forgot_password", "Forgot your password?"),
    ("flow.links", "More options"),
    // The account page.
    ("account.title", "Your account"),
    ("account.greeting", "Hello, {name}"),
    ("account.security.title", "Security"),
    (
        "account.security.text",
        "What keeps others out of your account.",
    ),
    ("account.current.title", "This sign-in"),
    (
        "account.current.text",
        "You stay signed in until it ends, or until you sign out.",
    ),
    ("account.tenant", "Organisation"),
    ("account.user_name", "User name"),
    ("account.signed_in_with", "Signed in with"),
    ("account.signed_in_at", "Signed in"),
    ("account.ends", "Ends"),
    ("account.ends_idle", "Ends when idle for"),
    ("account.mailbox.title", "E-mail address"),
    (
        "account.mailbox.text",
        "Where we reach you, and how you get back in if you forget your password.",
    ),
    ("account.mailbox.no_address", "No e-mail address"),
    (
        "account.mailbox.none",
        "Without one, only an administrator can help you back in.",
    ),
    (
        "account.mailbox.unverified",
        "Not confirmed yet: nothing is sent to it.",
    ),
    ("account.mailbox.verified", "Confirmed"),
    ("account.mailbox.add", "Add"),
    ("account.mailbox.verify", "Confirm"),
    ("account.mailbox.change", "Change"),
    ("account.methods.title", "Ways to sign in"),
    (
        "account.methods.text",
        "What you can use to prove that it’s you.",
    ),
    (
        "account.methods.none",
        "No way to sign in has been set up yet.",
    ),
    ("account.elsewhere.title", "Your other organisations"),
    (
        "account.elsewhere.text",
        "You are known there by the same account elsewhere, and need not sign in again.",
    ),
    ("account.elsewhere.switch", "Switch"),
    ("account.connections.title", "Linked accounts"),
    (
        "account.connections.text",
        "Accounts elsewhere that you can sign in here with.",
    ),
    ("account.sessions.title", "Where you are signed in"),
    (
        "account.sessions.text",
        "If you don’t recognise one of these, end it and change your password.",
    ),
    ("account.devices.title", "Devices that stay signed in"),
    (
        "account.devices.text",
        "They sign you in without a password. Forget one that you no longer use; it is then signed out.",
    ),
    // Devices, here and in the console.
    ("devices.since", "Since"),
    ("devices.last_used", "Last used"),
    ("devices.until", "Until"),
    ("devices.forget", "Forget"),
    (
        "devices.forget_named",
        "Forget {device}, kept signed in since {since}",
    ),
    // Sessions, here and in the console.
    ("sessions.this_one", "This device"),
    ("sessions.started", "Signed in"),
    ("sessions.last_active", "Last active"),
    ("sessions.address", "Address"),
    ("sessions.application", "Application"),
    ("sessions.end", "End"),
    (
        "sessions.end_named",
        "End the session on {device}, signed in {started}",
    ),
    ("sessions.end_others.one", "End the other session"),
    (
        "sessions.end_others.other",
        "End all {count} other sessions",
    ),
    ("sessions.end_all.one", "End the session"),
    ("sessions.end_all.other", "End all {count} sessions"),
    ("sessions.none", "Not signed in anywhere."),
    // States.
    ("state.active", "Active"),
    ("state.locked", "Locked"),
    ("state.deactivated", "Deactivated"),
    // The console.
    ("console.search", "Search"),
    ("console.search_button", "Search"),
    ("console.clear", "Clear"),
    ("console.next", "Next page"),
    ("console.first", "Back to the start"),
    ("console.pages", "Pages"),
    ("console.cancel", "Cancel"),
    ("console.id", "Id"),
    ("console.overview", "Overview"),
    (
        "console.overview.text",
        "Facts that only the system changes.",
    ),
    ("console.danger.title", "Far-reaching changes"),
    (
        "console.danger.text",
        "Each of these says what will happen before it does.",
    ),
    ("console.users.title", "Users"),
    ("console.users.text", "People who can sign in to {tenant}."),
    ("console.users.search", "Name or e-mail address"),
    ("console.users.new", "New user"),
    ("console.users.none", "There are no users yet."),
    ("console.users.none_found", "No user matches “{query}”."),
    ("console.users.column.user", "User"),
    ("console.users.column.email", "E-mail"),
    ("console.users.column.state", "State"),
    ("console.users.column.created", "Created"),
    ("console.users.count.one", "{count} user"),
    ("console.users.count.other", "{count} users"),
    ("console.user.back", "All users"),
    ("console.user.factors.title", "Second factors"),
    (
        "console.user.factors.text",
        "What confirms a sign-in. Remove one that is lost; all sessions of the user end.",
    ),
    (
        "console.user.factors.remove_named",
        "Remove: {label}, {detail}",
    ),
    ("console.user.devices.title", "Devices"),
    (
        "console.user.devices.text",
        "Where this user stays signed in without a password. Forgetting one ends its sessions.",
    ),
    ("console.user.sessions.title", "Sessions"),
    (
        "console.user.sessions.text",
        "Where this person is signed in now.",
    ),
    ("console.lock.title", "Lock"),
    (
        "console.lock.text",
        "While locked, every way to sign in is refused and open sessions end.",
    ),
    ("console.lock.locked", "Locked"),
    ("console.lock.locked_until", "Locked until {until}"),
    ("console.lock.no_end", "Until somebody unlocks it."),
    ("console.lock.reason", "Reason: {reason}"),
    ("console.lock.unlock", "Unlock"),
    (
        "console.created.copy",
        "Copy it and hand it over in a safe way.",
    ),
    (
        "console.created.once",
        "This is shown only now. It is not stored in readable form, so it cannot be shown again.",
    ),
    ("console.created.user_name", "User name"),
    ("console.created.sign_in_address", "Sign-in address"),
    ("console.created.expires", "Valid until"),
    (
        "console.created.must_change",
        "It has to be changed at the first sign-in.",
    ),
    ("console.tenants.title", "Organisations"),
    (
        "console.tenants.text",
        "Each has its own users, rules and sign-in page.",
    ),
    ("console.tenants.search", "Name or display name"),
    ("console.tenants.new", "New organisation"),
    ("console.tenants.none", "There are no organisations yet."),
    (
        "console.tenants.none_found",
        "No organisation matches “{query}”.",
    ),
    ("console.tenants.column.tenant", "Organisation"),
    ("console.tenants.column.users", "Users"),
    ("console.tenants.column.state", "State"),
    ("console.tenants.column.created", "Created"),
    ("console.tenants.own", "Yours"),
    ("console.tenants.count.one", "{count} organisation"),
    ("console.tenants.count.other", "{count} organisations"),
    ("console.tenant.back", "All organisations"),
    ("console.rules.title", "Ways to sign in"),
    (
        "console.rules.text",
        "What is asked of people, and which requirements that falls short of. It is configured for all organisations.",
    ),
    // Set-up.
    ("setup.title", "Set up {brand}"),
    (
        "setup.text",
        "You are the first one here. This makes your organisation and the account that administers everything.",
    ),
    (
        "setup.once",
        "The set-up link works once. After this page it is gone.",
    ),
    ("setup.submit", "Create"),
    // Signed out.
    ("signed_out.title", "You are signed out"),
    (
        "signed_out.text",
        "This device no longer has access. You can close this page.",
    ),
    ("signed_out.again", "Sign in again"),
    (
        "signed_out.elsewhere",
        "This device no longer has access. You are still signed in at {name}, which lets whoever uses this browser in again unasked.",
    ),
    ("signed_out.there_too", "Sign out at {name} too"),
    // Results and refusals.
    ("message.code", "Code"),
    ("message.request_id", "Request"),
    ("message.retry", "You can try again {when}."),
    ("message.home", "Go to the start page"),
    ("message.done.title", "Done"),
    ("message.done.text", "The change has been made."),
    ("message.bad_request.title", "That request can’t be read"),
    (
        "message.bad_request.text",
        "The page that sent it may be out of date. Go back, reload it and try again.",
    ),
    ("message.forbidden.title", "You may not do this"),
    (
        "message.forbidden.text",
        "Your account does not have the permission for it. An administrator of your organisation can help.",
    ),
    ("message.not_found.title", "Nothing here"),
    (
        "message.not_found.text",
        "The address may be mistyped, or what was here is gone.",
    ),
    (
        "message.method_not_allowed.title",
        "This address can’t be used that way",
    ),
    (
        "message.method_not_allowed.text",
        "Go back and use the buttons of the page.",
    ),
    ("message.conflict.title", "Somebody was faster"),
    (
        "message.conflict.text",
        "This was changed while you looked at it. Go back, reload the page and try again.",
    ),
    ("message.gone.title", "This has expired"),
    (
        "message.gone.text",
        "For your safety a started sign-in or a link lasts only a short time. Please start again.",
    ),
    ("message.too_many_requests.title", "Too many tries"),
    (
        "message.too_many_requests.text",
        "To keep accounts safe we slow down after many tries in a row.",
    ),
    ("message.internal.title", "Something broke on our side"),
    (
        "message.internal.text",
        "Nothing you did caused it. It has been logged with the number below.",
    ),
    ("message.unavailable.title", "Not available for a moment"),
    (
        "message.unavailable.text",
        "The server is busy or being looked after. Nothing was changed; please try again shortly.",
    ),
];
