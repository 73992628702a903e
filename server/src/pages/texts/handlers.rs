//! What the handlers of the pages put into views: headings, labels, results, times.

/// Keys and English texts, part of the one table.
pub(super) const ENTRIES: &[(&str, &str)] = &[
    // Times, lengths of time, devices.
    ("time.just_now", "just now"),
    ("time.ago.minutes.one", "{count} minute ago"),
    ("time.ago.minutes.other", "{count} minutes ago"),
    ("time.in.seconds.one", "in {count} second"),
    ("time.in.seconds.other", "in {count} seconds"),
    ("time.in.minutes.one", "in {count} minute"),
    ("time.in.minutes.other", "in {count} minutes"),
    ("time.today", "today at {time} UTC"),
    ("time.yesterday", "yesterday at {time} UTC"),
    ("time.tomorrow", "tomorrow at {time} UTC"),
    ("time.on", "{date} at {time} UTC"),
    ("length.minutes.one", "{count} minute"),
    ("length.minutes.other", "{count} minutes"),
    ("length.hours.one", "{count} hour"),
    ("length.hours.other", "{count} hours"),
    ("length.days.one", "{count} day"),
    ("length.days.other", "{count} days"),
    ("device.browser_on", "{browser} on {system}"),
    ("device.unknown", "Unknown program"),
    // The result of the last change.
    (
        "notice.address_verified",
        "Your e-mail address is confirmed.",
    ),
    ("notice.activated", "The account can be used again."),
    (
        "notice.credential_changed",
        "Changed. All other devices were signed out.",
    ),
    (
        "notice.identity_linked",
        "Linked. You can sign in with it from now on.",
    ),
    (
        "notice.own_factor_removed",
        "Removed. All other devices were signed out.",
    ),
    (
        "notice.deactivated",
        "Deactivated. Signing in is refused until somebody activates the account again.",
    ),
    (
        "notice.change_required",
        "A new password has to be chosen at the next sign-in.",
    ),
    ("notice.deleted", "The user has been deleted."),
    (
        "notice.factor_removed",
        "The second factor has been removed, and all sessions have ended.",
    ),
    (
        "notice.link_sent",
        "A mail is on its way. Its link works once.",
    ),
    (
        "notice.user_invited",
        "The user has been created, and an invitation is on its way.",
    ),
    (
        "notice.grants_changed",
        "The permissions have been changed.",
    ),
    ("notice.locked", "Locked."),
    ("notice.saved", "Saved."),
    ("notice.device_forgotten", "The device is forgotten."),
    ("notice.session_ended", "The session has ended."),
    ("notice.sessions_ended", "The sessions have ended."),
    (
        "notice.set_up",
        "All set. Sign in with the account you have just made.",
    ),
    (
        "notice.tenant_created",
        "The organisation has been created.",
    ),
    (
        "notice.tenant_deleted",
        "The organisation has been deleted.",
    ),
    ("notice.unlocked", "Unlocked."),
    (
        "notice.user_created",
        "The user has been created and has no password yet.",
    ),
    // Forms that come back.
    (
        "form.conflict",
        "This was changed while you looked at it. Here is how it stands now.",
    ),
    (
        "form.tenant_taken",
        "There is already an organisation with this name.",
    ),
    ("form.user_taken", "There is already a user with this name."),
    // Signing in and up.
    ("flow.choose_tenant.title", "Choose your organisation"),
    ("flow.recover.title", "Forgot your password?"),
    ("flow.back_to_sign_in", "Back to sign-in"),
    (
        "link.over",
        "This link does not work, or no longer does: each works once and for a while. Ask for a new one.",
    ),
    ("link.not_now", "Back to sign-in"),
    ("link.invite.title", "Set up your account"),
    (
        "link.invite.text",
        "You were invited. Go on to choose how you sign in.",
    ),
    ("link.invite.button", "Set up my account"),
    ("link.reset.title", "Choose a new password"),
    (
        "link.reset.text",
        "Go on to choose a new password. Until you have, the old one stays as it is.",
    ),
    ("link.reset.button", "Choose a new password"),
    ("link.verify.title", "Confirm your e-mail address"),
    (
        "link.verify.text",
        "Confirm that you have received this mail and that the address is yours.",
    ),
    ("link.verify.button", "Confirm"),
    ("link.sign-in.title", "Sign in"),
    (
        "link.sign-in.text",
        "You are about to sign in, in this browser.",
    ),
    ("link.sign-in.button", "Sign in"),
    ("link.page.title", "A page for you"),
    (
        "link.page.text",
        "Go on to the page that this link leads to.",
    ),
    ("link.page.button", "Go on"),
    ("flow.duty.title", "Before you go on"),
    ("flow.new_account.title", "You are new here"),
    ("flow.new_account.link_title", "Link your account"),
    ("flow.link.title", "Link {method}"),
    (
        "flow.link.text",
        "You are led to {method}, choose an account there, and can sign in here with it from then on.",
    ),
    (
        "flow.linking",
        "Sign in to your account here. From then on {name} at {method} gets into it too: go on only if that is you.",
    ),
    (
        "flow.notice.cancelled",
        "You came back without having signed in there. Try again, or sign in another way.",
    ),
    (
        "flow.notice.not_linked",
        "Nobody here is linked to that account. Sign in another way, and link it on your account page.",
    ),
    (
        "flow.notice.linked_elsewhere",
        "That account is linked to somebody else here.",
    ),
    (
        "flow.notice.barred",
        "That account may not sign in here. Sign in with another one, or ask whoever looks after this organisation.",
    ),
    (
        "flow.notice.failed",
        "That did not work. Try again, or sign in another way.",
    ),
    ("flow.set_up.title", "{method}"),
    ("flow.add_factor.title", "Add a second step"),
    (
        "flow.add_factor.now",
        "Your organisation asks for a second step at sign-in, so that a password alone lets nobody in. Set one up to go on.",
    ),
    (
        "flow.add_factor.later",
        "Your organisation asks for a second step at sign-in, starting {when}. Set one up now, or go on and do it later.",
    ),
    ("flow.add_factor.choose", "{method}"),
    ("flow.remove_factor.title", "Remove {method}?"),
    ("flow.continue_with", "Continue with {method}"),
    (
        "flow.leaving",
        "Taking you to {method}. If nothing happens, use the button.",
    ),
    ("flow.start_again", "Start again"),
    (
        "flow.wait",
        "Something has to be confirmed elsewhere first. Then check again here.",
    ),
    (
        "flow.needs_script",
        "One of the ways to go on needs a script in the browser. These pages do not offer it yet.",
    ),
    (
        "flow.no_way",
        "There is no way to go on here. An administrator of your organisation can help.",
    ),
    // Set-up.
    (
        "setup.tenant.help",
        "Its short name, part of the sign-in address.",
    ),
    (
        "setup.wrong_link",
        "This set-up link is wrong, used or expired. The server prints a new one when it starts, \
         as long as nobody has been set up.",
    ),
    // Leaving.
    ("sign_out.title", "Sign out?"),
    ("sign_out.text", "This device will no longer have access."),
    // The account page.
    ("account.and", " and "),
    ("account.manage_users", "Manage users"),
    ("account.method.none", "Not set up"),
    ("account.connection.none", "Not linked"),
    ("account.connection.one", "{name}, linked {when}"),
    ("account.connection.many", "{count} linked"),
    ("account.connection.link", "Link"),
    ("account.connection.link_another", "Link another"),
    ("account.connection.unlink", "Unlink…"),
    ("account.method.one", "Set up {when}"),
    ("account.method.one_named", "{name}, set up {when}"),
    ("account.method.many", "{count} set up"),
    ("account.method.change", "Change"),
    ("account.method.set_up", "Set up"),
    ("account.method.remove", "Remove…"),
    ("account.security.since", "The present one since {when}"),
    ("account.security.factor.title", "Second step"),
    ("account.security.factor.on", "On"),
    ("account.security.factor.off", "Off"),
    ("account.security.factor.and", ", "),
    (
        "account.security.factor.none",
        "Whoever learns your password gets in. A second step keeps them out.",
    ),
    (
        "account.security.factor.due",
        "Your organisation asks for one, starting {when}.",
    ),
    (
        "account.security.factor.required",
        "Your organisation asks for one: you set it up at your next sign-in, or now.",
    ),
    (
        "account.security.spare.none",
        "None. Without them, a lost phone keeps you out too.",
    ),
    ("account.security.spare.set_up", "Set up"),
    ("account.security.spare.left.one", "{count} left"),
    ("account.security.spare.left.other", "{count} left"),
    (
        "account.security.spare.few.one",
        "Only {count} left. Make new ones before you need them.",
    ),
    (
        "account.security.spare.few.other",
        "Only {count} left. Make new ones before you need them.",
    ),
    ("account.security.spare.running_out", "Running out"),
    ("account.security.spare.make", "Make some"),
    ("account.security.spare.renew", "Make new ones"),
    ("account.security.signed_in", "Signed in"),
    ("account.security.sessions.one", "{count} open session"),
    ("account.security.sessions.other", "{count} open sessions"),
    (
        "account.security.devices.one",
        "{count} device that stays signed in",
    ),
    (
        "account.security.devices.other",
        "{count} devices that stay signed in",
    ),
    ("account.security.review", "Review"),
    ("sessions.no_address", "Address unknown"),
    // The console.
    ("console.save", "Save changes"),
    ("console.delete", "Delete…"),
    ("console.deactivate", "Deactivate…"),
    ("console.delete.ask", "Delete {name}?"),
    ("console.deactivate.ask", "Deactivate {name}?"),
    (
        "console.delete.what_stays",
        "Statistics and the audit log stay.",
    ),
    ("console.created_at", "Created"),
    (
        "console.sessions_end.one",
        "{count} open session ends at once.",
    ),
    (
        "console.sessions_end.other",
        "{count} open sessions end at once.",
    ),
    (
        "console.sessions_end_over",
        "More than {number} open sessions end at once.",
    ),
    ("console.confirm.type", "Type “{name}” to confirm"),
    ("console.confirm.mistyped", "This is not the name."),
    ("console.names.title", "Names"),
    ("console.second_factor.title", "Second factor"),
    (
        "console.second_factor.text",
        "Whether people confirm their sign-in with something beside the password. Whoever has set something up is always asked for it.",
    ),
    ("console.second_factor.everyone", "For everyone"),
    (
        "console.second_factor.administrators",
        "For administrators, where that is more",
    ),
    ("console.second_factor.inherit", "As the platform says"),
    (
        "console.second_factor.as_everyone",
        "No rule of their own here",
    ),
    ("console.second_factor.off", "Off: cannot be set up"),
    ("console.second_factor.optional", "Optional"),
    (
        "console.second_factor.required",
        "Required: whoever has none sets one up at sign-in",
    ),
    ("console.second_factor.from", "Required from"),
    (
        "console.second_factor.from.help",
        "A day such as 2027-01-31, which begins at midnight UTC. Until then people are reminded at each sign-in. Empty: at once.",
    ),
    ("console.ways.title", "Ways to sign in"),
    (
        "console.ways.text",
        "Which of the configured ways are offered here. Whoever has set up a second factor is asked for it all the same, and whoever is signed in stays so.",
    ),
    ("console.ways.whose", "Offered are"),
    ("console.ways.inherit", "Those that the platform offers"),
    ("console.ways.own", "Those that are ticked"),
    (
        "console.lock.user.text",
        "While locked, every way to sign in is refused.",
    ),
    (
        "console.lock.tenant.text",
        "While locked, nobody of this organisation can sign in.",
    ),
    ("console.lock.user.submit", "Lock this user"),
    ("console.lock.tenant.submit", "Lock this organisation"),
    ("console.lock.reason.label", "Reason"),
    ("console.lock.reason.help", "Only administrators see it."),
    ("console.lock.duration", "For how long"),
    (
        "console.lock.duration.unlimited",
        "Until somebody unlocks it",
    ),
    ("console.lock.duration.1h", "1 hour"),
    ("console.lock.duration.1d", "1 day"),
    ("console.lock.duration.7d", "7 days"),
    ("console.lock.duration.30d", "30 days"),
    ("console.lock.keep_sessions", "Let open sessions go on"),
    (
        "console.users.new.text",
        "They sign in with the user name. Everything else can be changed later.",
    ),
    ("console.users.create", "Create user"),
    ("console.users.first_password", "First password"),
    (
        "console.users.first_password.invite",
        "Send an invitation to choose one, to the e-mail address",
    ),
    (
        "console.users.first_password.generate",
        "Make one and show it to me once",
    ),
    ("console.users.first_password.none", "None for now"),
    ("console.created.title", "{name} can sign in now"),
    (
        "console.created.text",
        "Hand over the first password below.",
    ),
    ("console.created.first_password", "First password"),
    ("console.created.open", "Open {name}"),
    (
        "console.user.names.text",
        "The user name is what they sign in with.",
    ),
    ("console.user.link.invite.title", "Invitation"),
    (
        "console.user.link.invite.text",
        "Sends a link to the e-mail address. It shows that the address is theirs, and lets them choose a password.",
    ),
    ("console.user.link.invite.submit", "Send an invitation"),
    ("console.user.link.reset.title", "Forgotten password"),
    (
        "console.user.link.reset.text",
        "Sends a link to choose a new password to the e-mail address. You never see it, and the present password works until then.",
    ),
    ("console.user.link.reset.submit", "Send a reset link"),
    ("console.email.verified", "Verified"),
    ("console.email.unverified", "Not verified"),
    ("console.factor_missing", "Second factor"),
    (
        "console.factor_missing.now",
        "Required, not set up: to be done at the next sign-in",
    ),
    (
        "console.factor_missing.later",
        "Not set up; required from: {when}",
    ),
    (
        "console.remove_factor.ask",
        "Remove a second factor of {name}?",
    ),
    (
        "console.user.remove_factor.text",
        "For somebody who has lost it. Make sure that it is really this person who asks.",
    ),
    (
        "console.user.remove_factor.which",
        "{which} stops working at once.",
    ),
    (
        "console.user.remove_factor.again",
        "Whoever has to have a second factor sets a new one up at the next sign-in.",
    ),
    ("console.user.remove_factor.submit", "Remove"),
    ("console.must_change", "Next sign-in"),
    (
        "console.must_change.administrator",
        "A new password has to be chosen: an administrator set the present one or asked for another.",
    ),
    (
        "console.must_change.compromised",
        "A new password has to be chosen: the present one is known to others.",
    ),
    (
        "console.must_change.age",
        "A new password has to be chosen: the present one is too old.",
    ),
    (
        "console.rules.breaks",
        "Falls short of {requirement}: {text}",
    ),
    ("console.require_change.title", "New password"),
    (
        "console.require_change.text",
        "At the next sign-in the user chooses a new password, after everything else that is asked for. You neither see nor choose it.",
    ),
    ("console.require_change.reason", "Why"),
    (
        "console.require_change.administrator",
        "It shall be another one: sessions go on",
    ),
    (
        "console.require_change.compromised",
        "Somebody else may know it: all sessions end now",
    ),
    ("console.require_change.submit", "Ask for a new password"),
    ("console.grants.title", "Administration"),
    (
        "console.grants.text",
        "What this user may do beyond the own account.",
    ),
    (
        "console.grant.platform_administrator",
        "Administers the platform",
    ),
    (
        "console.grant.platform_administrator.help",
        "Every organisation, with its users and settings.",
    ),
    (
        "console.grant.tenant_administrator",
        "Administers this organisation",
    ),
    (
        "console.grant.tenant_administrator.help",
        "Its users, their sessions and its settings.",
    ),
    ("console.user.activate.title", "Deactivated"),
    (
        "console.user.activate.text",
        "Signing in is refused. Nothing has been deleted.",
    ),
    ("console.user.activate.submit", "Activate"),
    ("console.user.deactivate.title", "Deactivate this user"),
    (
        "console.user.deactivate.text",
        "Signing in is refused until the account is activated again. Nothing is deleted.",
    ),
    ("console.user.deactivate.submit", "Deactivate user"),
    ("console.user.delete.title", "Delete this user"),
    (
        "console.user.delete.text",
        "Removes the account and its personal data for good. This cannot be undone.",
    ),
    ("console.user.delete.submit", "Delete user"),
    (
        "console.user.delete.name_free",
        "The user name “{name}” becomes free.",
    ),
    ("console.tenants.create", "Create organisation"),
    ("console.tenant.name", "Name"),
    (
        "console.tenant.name.help",
        "Part of its sign-in address, 1 to 50 characters.",
    ),
    (
        "console.tenant.rename.help",
        "Part of its sign-in address. When it changes, the old address stops working.",
    ),
    ("console.tenant.users", "Its users"),
    ("console.tenant.sign_in_address", "Sign-in address"),
    ("console.tenant.delete.title", "Delete this organisation"),
    (
        "console.tenant.delete.text",
        "Removes the organisation and everything that is its own for good. This cannot be undone.",
    ),
    (
        "console.tenant.delete.consequence",
        "All its users are deleted, with their ways to sign in.",
    ),
    ("console.tenant.delete.force", "End the open sessions"),
    ("console.tenant.delete.submit", "Delete organisation"),
    ("console.settings.title", "Rules"),
    (
        "console.settings.text",
        "What is left empty follows the platform.",
    ),
    ("console.settings.in_force", "In force now: {value}."),
    ("console.settings.registration", "Accounts are made by"),
    (
        "console.settings.registration.inherit",
        "As on the platform",
    ),
    ("console.settings.registration.off", "Administrators only"),
    (
        "console.settings.registration.on",
        "Anybody who opens the sign-up page",
    ),
    (
        "console.settings.idle_minutes",
        "A sign-in ends when idle for",
    ),
    (
        "console.settings.absolute_minutes",
        "A sign-in ends at the latest after",
    ),
    ("console.settings.minutes", "minutes"),
    // Refusals with words of their own.
    (
        "enter.over",
        "This way into the application is over or was used already. Open the application again.",
    ),
    ("message.refused.title", "This can’t be done now"),
    ("message.start_again", "Start again"),
    ("message.stale_form.title", "This page is out of date"),
    (
        "message.stale_form.text",
        "Nothing was changed. Go back, reload the page and try again.",
    ),
    (
        "message.foreign_origin.title",
        "This came from another site",
    ),
    (
        "message.foreign_origin.text",
        "Changes are taken from our own pages only. Nothing was changed.",
    ),
    ("message.duplicate_cookie.title", "A cookie came twice"),
    (
        "message.duplicate_cookie.text",
        "Your browser sent the same cookie more than once, so we cannot tell which one is ours. \
         Delete the cookies of this site and try again.",
    ),
    ("message.misdirected.title", "Not this address"),
    (
        "message.misdirected.text",
        "This server is reached under another address. Ask whoever gave you the link.",
    ),
    ("message.too_large.title", "That was too much"),
    (
        "message.too_large.text",
        "What was sent is larger than anything these pages need.",
    ),
];
