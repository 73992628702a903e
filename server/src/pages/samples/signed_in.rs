//! Samples of the pages for signed-in people: account and console.

use super::{
    connections::{connections, elsewhere},
    northwind, post, signed_in,
};
use crate::pages::views::*;

fn session(kind: DeviceKind, device: &str, address: &str, current: bool) -> SessionRow {
    SessionRow {
        kind,
        device: device.into(),
        address: address.into(),
        application: (kind == DeviceKind::Program).then(|| "Order desk".into()),
        started: Time::new("2026-11-22T08:14:00Z", "yesterday at 08:14"),
        last_active: Time::new("2026-11-23T09:40:00Z", "2 minutes ago"),
        current,
        end: (!current).then(|| post("/account/sessions/1/end")),
    }
}

fn devices(forget: &str) -> Vec<DeviceRow> {
    let row = |kind, device: &str, current| DeviceRow {
        kind,
        device: device.into(),
        since: Time::new("2026-11-20T08:00:00Z", "20 November 2026 at 08:00 UTC"),
        last_used: Time::new("2026-11-23T09:38:00Z", "2 minutes ago"),
        until: Time::new("2026-12-20T08:00:00Z", "20 December 2026 at 08:00 UTC"),
        current,
        forget: Some(post(forget)),
    };
    vec![
        row(DeviceKind::Desktop, "Firefox on Linux", true),
        row(DeviceKind::Phone, "Safari on iPhone", false),
    ]
}

fn sessions(current: bool) -> SessionsBlock {
    SessionsBlock {
        rows: vec![
            session(
                DeviceKind::Desktop,
                "Firefox on Linux",
                "203.0.113.24",
                current,
            ),
            session(
                DeviceKind::Phone,
                "Safari on iPhone",
                "2001:db8:85a3::8a2e:370:7334",
                false,
            ),
            session(
                DeviceKind::Program,
                "Unknown program",
                "198.51.100.7",
                false,
            ),
        ],
        end_many: Some(post("/account/sessions/end-others")),
    }
}

pub(in crate::pages) fn account() -> AccountView {
    AccountView {
        frame: signed_in("Your account"),
        display_name: "Ada Lovelace".into(),
        user_name: "ada".into(),
        tenant: northwind(),
        security: security(),
        current: current_session(Some("30 minutes".into())),
        sessions: sessions(true),
        devices: devices("/account/devices/forget"),
        mailbox: Some(SignInMethod {
            label: "ada@northwind.example".into(),
            detail: Some("Verified".into()),
            enabled: true,
            actions: vec![Link::new("/account/email", "Change")],
            ..SignInMethod::default()
        }),
        elsewhere: elsewhere(),
        connections: connections(),
        methods: vec![
            SignInMethod {
                label: "Password".into(),
                detail: Some("Changed 3 weeks ago".into()),
                enabled: true,
                actions: vec![Link::new("/account/password", "Change")],
                ..SignInMethod::default()
            },
            SignInMethod {
                label: "Authenticator app".into(),
                detail: Some("2 set up".into()),
                enabled: true,
                actions: vec![Link::new("/account/totp", "Add")],
                items: ["Phone", "Tablet"].map(method_item).into(),
                ..SignInMethod::default()
            },
        ],
        notice: Some(Notice::success(
            "Your password has been changed. All other devices were signed out.",
        )),
        links: vec![Link::new("/console/users", "Manage users")],
    }
}

fn method_item(name: &str) -> MethodItem {
    MethodItem {
        label: format!("{name}, set up today at 08:14"),
        remove: Link::new(format!("/account/factors/{name}/remove"), "Remove…"),
    }
}

fn security() -> Vec<SecurityRow> {
    let row = |symbol, title: &str, state, badge: Option<&str>| SecurityRow {
        symbol,
        title: title.into(),
        detail: "As it stands".into(),
        state,
        badge: badge.map(Into::into),
        action: (state != SecurityState::Plain).then(|| Link::new("#methods", "Change")),
    };
    vec![
        row("key", "Password", SecurityState::Good, None),
        row("lock", "Second step", SecurityState::Good, Some("On")),
        row(
            "mail",
            "Recovery code",
            SecurityState::Care,
            Some("Running out"),
        ),
        row("desktop", "Signed in", SecurityState::Plain, Some("Off")),
    ]
}

fn current_session(idle: Option<String>) -> CurrentSession {
    CurrentSession {
        signed_in_with: "Password".into(),
        signed_in_at: Time::new("2026-11-23T08:14:00Z", "today at 08:14"),
        ends: Time::new("2026-11-23T20:14:00Z", "today at 20:14"),
        idle,
    }
}

pub(in crate::pages) fn account_minimal() -> AccountView {
    AccountView {
        frame: Frame::default(),
        display_name: String::new(),
        user_name: "ada".into(),
        tenant: northwind(),
        security: vec![],
        current: current_session(None),
        sessions: SessionsBlock::default(),
        devices: vec![],
        mailbox: None,
        methods: vec![],
        connections: vec![],
        elsewhere: vec![],
        notice: None,
        links: vec![],
    }
}

fn user_row(name: &str, display_name: &str, state: State) -> UserRow {
    UserRow {
        href: format!("/console/users/{name}"),
        user_name: name.into(),
        display_name: display_name.into(),
        email: (name != "grace").then(|| format!("{name}@northwind.example")),
        state,
        created: Time::new("2026-11-23T09:40:00Z", "2 minutes ago"),
    }
}

fn new_user(open: bool) -> FormCard {
    let mut name = Field::new(FieldKind::Text, "user_name", "User name");
    if open {
        name = name
            .value("ada")
            .error("There is already a user with this name.");
    }
    FormCard {
        fields: vec![
            name,
            Field::new(FieldKind::Text, "display_name", "Display name").optional(),
            Field::new(FieldKind::Email, "email", "E-mail address").optional(),
            Field::new(FieldKind::Choice, "first_password", "First password")
                .value("generate")
                .option("generate", "Make one and show it to me once")
                .option("none", "None for now"),
        ],
        text: Some("They sign in with the user name. Everything else can be changed later.".into()),
        style: ActionStyle::Primary,
        open,
        ..FormCard::new(
            "new-user",
            "New user",
            post("/console/users"),
            "Create user",
        )
    }
}

pub(in crate::pages) fn users() -> UsersView {
    UsersView {
        frame: signed_in("Users"),
        tenant: northwind(),
        search: Search {
            action: "/console/users".into(),
            query: String::new(),
        },
        users: vec![
            user_row("ada", "Ada Lovelace", State::Active),
            user_row("barbara", "Barbara Liskov", State::Active),
            user_row("grace", "Grace Hopper", State::Locked),
            user_row("konrad", "Konrad Zuse", State::Active),
            user_row("niklaus", "Niklaus Wirth", State::Deactivated),
        ],
        total: Some(148),
        next: Some("/console/users?cursor=b".into()),
        first: Some("/console/users".into()),
        create: Some(new_user(false)),
        notice: None,
    }
}

pub(in crate::pages) fn users_errors() -> UsersView {
    UsersView {
        create: Some(new_user(true)),
        next: None,
        first: None,
        ..users()
    }
}

pub(in crate::pages) fn users_minimal() -> UsersView {
    UsersView {
        frame: Frame::default(),
        search: Search {
            action: "/console/users".into(),
            query: "zz".into(),
        },
        users: vec![],
        total: None,
        next: None,
        first: None,
        create: None,
        ..users()
    }
}

fn names_form() -> FormCard {
    FormCard {
        text: Some("The user name is what they sign in with.".into()),
        fields: vec![
            Field::new(FieldKind::Text, "user_name", "User name").value("grace"),
            Field::new(FieldKind::Text, "display_name", "Display name").value("Grace Hopper"),
            Field::new(FieldKind::Email, "email", "E-mail address")
                .value("grace@northwind.example")
                .optional(),
        ],
        ..FormCard::new(
            "names",
            "Names",
            post("/console/users/2").hidden("version", "7"),
            "Save changes",
        )
    }
}

fn lock_form() -> FormCard {
    FormCard {
        fields: vec![
            Field::new(FieldKind::Text, "reason", "Reason")
                .optional()
                .help("Only administrators see it."),
            Field::new(FieldKind::Choice, "duration", "For how long")
                .value("unlimited")
                .option("unlimited", "Until somebody unlocks it")
                .option("1h", "1 hour")
                .option("1d", "1 day")
                .option("7d", "7 days")
                .option("30d", "30 days"),
        ],
        ..FormCard::new(
            "lock-form",
            "Lock",
            post("/console/users/2/lock"),
            "Lock this user",
        )
    }
}

fn danger(thing: &str) -> Vec<DangerAction> {
    vec![
        DangerAction {
            title: format!("Deactivate this {thing}"),
            text: "Signing in is refused until it is activated again. Nothing is deleted.".into(),
            link: Link::new("/console/users/2/deactivate", "Deactivate…"),
        },
        DangerAction {
            title: format!("Delete this {thing}"),
            text: "Removes the account and its personal data for good.".into(),
            link: Link::new("/console/users/2/delete", "Delete…"),
        },
    ]
}

pub(in crate::pages) fn user() -> UserView {
    UserView {
        frame: signed_in("Users"),
        tenant: northwind(),
        back: "/console/users".into(),
        user_name: "grace".into(),
        display_name: "Grace Hopper".into(),
        state: State::Active,
        facts: vec![
            Fact::code("Id", "0192f0c1-7d3a-7c44-b1b2-3f0c9d6e5a10"),
            Fact::time("Created", Time::new("2026-03-02T09:00:00Z", "2 March 2026")),
            Fact::time(
                "Last sign-in",
                Time::new("2026-11-23T09:40:00Z", "2 minutes ago"),
            ),
            Fact::text("Password", "Set, changed 3 weeks ago"),
        ],
        forms: vec![names_form()],
        lock: Some(LockBlock {
            text: None,
            state: LockState::Unlocked { form: lock_form() },
        }),
        factors: vec![],
        sessions: sessions(false),
        devices: devices("/console/users/2/devices/forget"),
        danger: danger("user"),
        notice: Some(Notice::success("Saved.")),
        error: None,
    }
}

pub(in crate::pages) fn user_locked() -> UserView {
    UserView {
        state: State::Locked,
        lock: Some(LockBlock {
            text: None,
            state: LockState::Locked {
                reason: Some("Badge lost, waiting for the new one".into()),
                until: Some(Time::new("2026-11-30T09:00:00Z", "30 November at 09:00")),
                unlock: Some(post("/console/users/2/unlock")),
            },
        }),
        factors: vec![],
        sessions: SessionsBlock::default(),
        devices: vec![],
        notice: None,
        error: Some("This was changed while you looked at it. Here is how it stands now.".into()),
        ..user()
    }
}

pub(in crate::pages) fn user_minimal() -> UserView {
    UserView {
        frame: Frame::default(),
        facts: vec![],
        forms: vec![],
        lock: Some(LockBlock {
            text: Some("Locked with its organisation.".into()),
            state: LockState::Locked {
                reason: None,
                until: None,
                unlock: None,
            },
        }),
        danger: vec![],
        ..user_locked()
    }
}

pub(in crate::pages) fn created() -> CreatedView {
    CreatedView {
        frame: signed_in("Users"),
        title: "Grace Hopper can sign in now".into(),
        text: Some("Hand over the first password below.".into()),
        user_name: "grace".into(),
        secret_label: "First password".into(),
        secret: Shown::new("harbor-velvet-quartz-mango-71"),
        sign_in_address: Some("https://id.northwind.example/t/northwind/sign-in".into()),
        expires: Some(Time::new("2026-11-30T09:00:00Z", "30 November")),
        must_change: true,
        links: vec![
            Link::new("/console/users/2", "Open Grace Hopper"),
            Link::new("/console/users", "All users"),
        ],
    }
}

pub(in crate::pages) fn created_minimal() -> CreatedView {
    CreatedView {
        frame: Frame::default(),
        text: None,
        sign_in_address: None,
        expires: None,
        must_change: false,
        links: vec![],
        ..created()
    }
}

pub(in crate::pages) fn tenants() -> TenantsView {
    let row = |name: &str, display_name: &str, state, own| TenantRow {
        href: format!("/console/tenants/{name}"),
        name: name.into(),
        display_name: display_name.into(),
        state,
        users: Some("148".into()),
        created: Time::new("2026-03-02T09:00:00Z", "2 March 2026"),
        own,
    };
    let create = FormCard {
        fields: vec![
            Field::new(FieldKind::Text, "name", "Name")
                .help("Part of its sign-in address, 1 to 50 characters."),
            Field::new(FieldKind::Text, "display_name", "Display name").optional(),
        ],
        style: ActionStyle::Primary,
        ..FormCard::new(
            "new-tenant",
            "New organisation",
            post("/console/tenants"),
            "Create organisation",
        )
    };
    TenantsView {
        frame: signed_in("Organisations"),
        search: Search {
            action: "/console/tenants".into(),
            query: String::new(),
        },
        tenants: vec![
            row("northwind", "Northwind Traders", State::Active, true),
            row("contoso", "Contoso", State::Active, false),
            row("fabrikam", "Fabrikam Instruments", State::Locked, false),
        ],
        total: Some(3),
        next: Some("/console/tenants?cursor=c".into()),
        first: None,
        create: Some(create),
        notice: Some(Notice::warning(
            "One organisation has no administrator who can sign in.",
        )),
    }
}

pub(in crate::pages) fn tenants_minimal() -> TenantsView {
    TenantsView {
        frame: Frame::default(),
        tenants: vec![],
        total: None,
        next: None,
        create: None,
        notice: None,
        ..tenants()
    }
}

pub(in crate::pages) fn tenant() -> TenantView {
    let minutes = |name: &str, label: &str, value: &str| {
        let mut field = Field::new(FieldKind::Number, name, label).value(value);
        field.unit = Some("minutes".into());
        field
    };
    let registration = FormCard {
        text: Some("Whether strangers can make an account for themselves.".into()),
        fields: vec![
            Field::new(FieldKind::Choice, "registration", "Accounts are made by")
                .value("off")
                .option("off", "Administrators only")
                .option("on", "Anybody who opens the sign-up page"),
        ],
        ..FormCard::new(
            "registration",
            "Registration",
            post("/console/tenants/1/settings"),
            "Save",
        )
    };
    let times = FormCard {
        text: Some("When a sign-in ends by itself.".into()),
        fields: vec![
            minutes("idle", "Without activity", "30"),
            minutes("absolute", "At the latest", "0").error("Use a number from 5 to 43200."),
        ],
        ..FormCard::new(
            "times",
            "Session times",
            post("/console/tenants/1/settings"),
            "Save",
        )
    };
    TenantView {
        frame: signed_in("Organisations"),
        tenant: northwind(),
        back: Some("/console/tenants".into()),
        state: State::Active,
        facts: vec![
            Fact::code("Id", "0192f0c1-7d3a-7c44-b1b2-3f0c9d6e5a10"),
            Fact::text("Sign-in address", "https://id.northwind.example/t/northwind/sign-in"),
            Fact::time("Created", Time::new("2026-03-02T09:00:00Z", "2 March 2026")),
        ],
        links: vec![Link::new("/console/users", "Its users")],
        forms: vec![registration, times],
        rules: vec![rules()],
        lock: Some(LockBlock {
            text: Some("While locked, nobody of this organisation can sign in, and all 12 open sessions end.".into()),
            state: LockState::Unlocked { form: lock_form() },
        }),
        danger: danger("organisation"),
        notice: None,
        error: None,
    }
}

fn rules() -> RulesBlock {
    let row = |text: &str, breaks: &[&str]| RuleRow {
        text: text.into(),
        breaks: breaks.iter().map(|text| (*text).to_owned()).collect(),
    };
    RulesBlock {
        label: "Password".into(),
        rules: vec![
            row("A new password has at least 15 characters.", &[]),
            row(
                "It has at least a digit.",
                &[
                    "Falls short of OWASP ASVS 5.0.0, 6.2.5: Passwords of any composition can be used.",
                ],
            ),
        ],
    }
}

pub(in crate::pages) fn tenant_minimal() -> TenantView {
    TenantView {
        frame: Frame::default(),
        back: None,
        facts: vec![],
        links: vec![],
        forms: vec![],
        rules: vec![],
        lock: None,
        danger: vec![],
        ..tenant()
    }
}

pub(in crate::pages) fn confirm() -> ConfirmView {
    ConfirmView {
        frame: signed_in("Users"),
        title: "Delete Grace Hopper?".into(),
        text: "The account and its personal data are removed for good. This cannot be undone."
            .into(),
        consequences: vec![
            "3 open sessions end at once.".into(),
            "The user name “grace” becomes free.".into(),
            "Statistics and the audit log keep a pseudonym.".into(),
        ],
        post: post("/console/users/2/delete").hidden("version", "7"),
        fields: vec![
            Field::new(FieldKind::Text, "typed", "Type “grace” to confirm")
                .value("grase")
                .error("This is not the user name."),
        ],
        confirm: "Delete user".into(),
        danger: true,
        cancel: Link::new("/console/users/2", "Cancel"),
        error: None,
    }
}

pub(in crate::pages) fn confirm_minimal() -> ConfirmView {
    ConfirmView {
        frame: Frame::default(),
        consequences: vec![],
        fields: vec![],
        danger: false,
        ..confirm()
    }
}
