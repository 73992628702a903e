//! Sample views for the tests: every page once with everything and once with as little as it allows.

use serde::Serialize;
use serde_json::Value;

mod connections;
mod signed_in;

pub(super) use signed_in::created;
use signed_in::*;

use super::Page;
use super::views::*;

/// A page of the sample set.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) template: &'static str,
    pub(super) view: Value,
}

fn sample<P: Page + Serialize>(name: &'static str, view: &P) -> Sample {
    Sample {
        name,
        template: P::TEMPLATE,
        view: serde_json::to_value(view).unwrap(),
    }
}

pub(super) fn all() -> Vec<Sample> {
    vec![
        sample("sign-in", &sign_in()),
        sample("sign-in-refused", &sign_in_refused()),
        sample("sign-up-errors", &sign_up_errors()),
        sample("second-step", &second_step()),
        sample("enrol", &enrol()),
        sample("add-factor", &add_factor()),
        sample("choose-tenant", &choose_tenant()),
        sample("waiting", &waiting()),
        sample("only-redirects", &only_redirects()),
        sample("leaving", &leaving()),
        sample("flow-minimal", &FlowView::new("Sign in")),
        sample("account", &account()),
        sample("account-minimal", &account_minimal()),
        sample("users", &users()),
        sample("users-errors", &users_errors()),
        sample("users-minimal", &users_minimal()),
        sample("user", &user()),
        sample("user-locked", &user_locked()),
        sample("user-minimal", &user_minimal()),
        sample("created", &created()),
        sample("created-minimal", &created_minimal()),
        sample("tenants", &tenants()),
        sample("tenants-minimal", &tenants_minimal()),
        sample("tenant", &tenant()),
        sample("tenant-minimal", &tenant_minimal()),
        sample("confirm", &confirm()),
        sample("confirm-minimal", &confirm_minimal()),
        sample("setup", &setup(false)),
        sample("setup-errors", &setup(true)),
        sample("message-minimal", &MessageView::new(MessageKind::NotFound)),
        sample("message", &message()),
        sample("signed-out-minimal", &SignedOutView::default()),
        sample("signed-out", &signed_out()),
    ]
}

pub(super) fn northwind() -> TenantLabel {
    TenantLabel::new("northwind", "Northwind Traders")
}

fn footer() -> Vec<Link> {
    vec![
        Link::new("/privacy", "Privacy"),
        Link::new("/imprint", "Imprint"),
    ]
}

fn frame() -> Frame {
    Frame {
        footer: footer(),
        ..Frame::default()
    }
}

fn signed_in(current: &str) -> Frame {
    let nav = [
        ("Your account", "/account"),
        ("Users", "/console/users"),
        ("Organisations", "/console/tenants"),
    ];
    Frame {
        viewer: Some(Viewer {
            display_name: "Ada Lovelace".into(),
            tenant: "Northwind Traders".into(),
            account_href: "/account".into(),
            sign_out: post("/sign-out"),
        }),
        nav: nav
            .iter()
            .map(|(label, href)| NavItem {
                label: (*label).into(),
                href: (*href).into(),
                current: *label == current,
            })
            .collect(),
        ..frame()
    }
}

fn post(action: &str) -> Post {
    Post::new(action).hidden("csrf", "b2xkIGZyaWVuZA")
}

fn step(provider: &str) -> Post {
    Post::new("/sign-in")
        .hidden("flow", "0192f0c1")
        .hidden("step", "1")
        .hidden("provider", provider)
}

fn password_method(fields: Vec<Field>, submit: &str) -> Method {
    Method {
        id: "password".into(),
        label: "Password".into(),
        third_party: false,
        mark: Vec::new(),
        post: step("password"),
        tenant_field: None,
        remember_name: None,
        stay: None,
        kind: MethodKind::Form {
            form: StepForm {
                fields,
                actions: vec![Action::submit(submit)],
                ..StepForm::default()
            },
        },
    }
}

fn redirect(id: &str, label: &str) -> Method {
    Method {
        id: id.into(),
        label: label.into(),
        third_party: false,
        mark: Vec::new(),
        post: step(id),
        tenant_field: None,
        remember_name: None,
        stay: None,
        kind: MethodKind::Redirect,
    }
}

/// The button of a third party, with a mark of two shapes.
fn third_party(id: &str, label: &str) -> Method {
    let shape = |path: &str, fill: Option<&str>| MarkShape {
        path: path.into(),
        fill: fill.map(Into::into),
    };
    Method {
        third_party: true,
        mark: vec![
            shape("M2 2h9v20h-9z", Some("#4285f4")),
            shape("M13 2h9v20h-9z", None),
        ],
        ..redirect(id, label)
    }
}

fn user_name() -> Field {
    Field::new(FieldKind::Text, "user_name", "User name").autocomplete("username")
}

fn password() -> Field {
    Field::new(FieldKind::Password, "password", "Password").autocomplete("current-password")
}

fn new_password() -> Field {
    let mut field =
        Field::new(FieldKind::NewPassword, "password", "Password").autocomplete("new-password");
    field.min_length = Some(15);
    field
}

fn links() -> Vec<Link> {
    vec![
        Link::new("/sign-up", "Create an account"),
        Link::new("/forgot-password", "Forgot your password?"),
    ]
}

fn sign_in() -> FlowView {
    let mut method = password_method(vec![user_name(), password()], "Sign in");
    method.remember_name = Some(false);
    method.stay = Some(false);
    let mail_link = Method {
        id: "mail".into(),
        label: "Send me a link by e-mail".into(),
        kind: MethodKind::Form {
            form: StepForm {
                message: Some("We send a link that signs you in on this device.".into()),
                fields: vec![
                    Field::new(FieldKind::Email, "email", "E-mail address").autocomplete("email"),
                ],
                actions: vec![Action::submit("Send the link")],
                ..StepForm::default()
            },
        },
        ..redirect("mail", "")
    };
    FlowView {
        frame: frame(),
        tenant: Some(northwind()),
        change_tenant: Some("/sign-in".into()),
        methods: vec![
            method,
            third_party("google", "Continue with Google"),
            mail_link,
        ],
        links: links(),
        ..FlowView::new("Sign in")
    }
}

pub(super) fn sign_in_refused() -> FlowView {
    FlowView {
        frame: frame(),
        tenant: Some(northwind()),
        error: Some("That didn’t work. Check what you entered and try again.".into()),
        methods: vec![password_method(
            vec![
                user_name().value("ada"),
                password().value("must not be shown"),
            ],
            "Sign in",
        )],
        links: links(),
        ..FlowView::new("Sign in")
    }
}

fn sign_up_errors() -> FlowView {
    let fields = vec![
        user_name().value("ada").error("This name is taken. Choose another one."),
        Field::new(FieldKind::Text, "display_name", "Display name").autocomplete("name").optional(),
        Field::new(FieldKind::Email, "email", "E-mail address")
            .autocomplete("email")
            .value("ada@northwind.example")
            .optional()
            .help("For messages about your account."),
        new_password().error("This is one of the passwords that attackers try first. Use a longer sentence of your own."),
        Field::new(FieldKind::Checkbox, "news", "Write to me about changes of the service"),
    ];
    FlowView {
        frame: frame(),
        tenant: Some(northwind()),
        methods: vec![password_method(fields, "Create account")],
        links: vec![Link::new("/sign-in", "I already have an account")],
        ..FlowView::new("Create your account")
    }
}

fn second_step() -> FlowView {
    let mut method = password_method(
        vec![
            Field::new(FieldKind::Code, "code", "Code from your authenticator app")
                .autocomplete("one-time-code"),
            Field::new(FieldKind::Choice, "trust", "Ask again on this device")
                .value("always")
                .option("always", "Every time")
                .option("month", "In 30 days"),
        ],
        "Continue",
    );
    if let MethodKind::Form { form } = &mut method.kind {
        form.message = Some(
            "Open the app on your phone and type the six digits it shows for Northwind Traders."
                .into(),
        );
        form.actions
            .push(Action::other("recovery", "Use a recovery code"));
        form.actions.push(Action {
            style: ActionStyle::Link,
            ..Action::other("again", "Send a new code")
        });
    }
    FlowView {
        frame: frame(),
        tenant: Some(northwind()),
        intro: Some("Your organisation asks for a second proof.".into()),
        notice: Some(Notice::info("Signed in as ada with your password.")),
        methods: vec![method],
        links: vec![Link::new("/sign-in", "Start again")],
        ..FlowView::new("Confirm it’s you")
    }
}

fn enrol() -> FlowView {
    let modules: Vec<bool> = (0..29_usize * 29)
        .map(|cell| (cell * cell / 7 + cell / 29) % 3 == 0)
        .collect();
    let mut method = password_method(
        vec![
            Field::new(FieldKind::Code, "code", "Code the app shows now")
                .autocomplete("one-time-code"),
        ],
        "Finish",
    );
    if let MethodKind::Form { form } = &mut method.kind {
        form.display = vec![
            DisplayItem::Text {
                label: "Account".into(),
                value: "ada at Northwind Traders".into(),
            },
            DisplayItem::Qr {
                label: "Scan this with your app".into(),
                code: QrCode::from_modules(29, &modules),
            },
            DisplayItem::Secret {
                label: "Or type this key into it".into(),
                value: Shown::new("JBSW Y3DP EHPK 3PXP JBSW Y3DP"),
            },
            DisplayItem::CodeList {
                label: "Recovery codes: keep them in a safe place".into(),
                codes: ["4kfm-92xq", "w7ce-11ns", "tq3h-8d2v", "p0za-7r4m"]
                    .into_iter()
                    .map(Shown::new)
                    .collect(),
            },
        ];
    }
    FlowView {
        frame: signed_in(""),
        methods: vec![method],
        ..FlowView::new("Add an authenticator app")
    }
}

fn add_factor() -> FlowView {
    FlowView {
        tenant: Some(northwind()),
        intro: Some("Northwind asks for a second step, starting 1 December 2026.".into()),
        methods: vec![
            redirect("totp", "Authenticator app"),
            redirect("mail", "Code by e-mail"),
        ],
        instead: vec![Instead {
            post: step("duty:second-factor").hidden("action", "later"),
            label: "Not now".into(),
        }],
        ..FlowView::new("Add a second step")
    }
}

fn choose_tenant() -> FlowView {
    let tenant = Field::new(FieldKind::Text, "tenant", "Organisation")
        .autocomplete("organization")
        .help("The short name your organisation signs in with.");
    let mut first = password_method(vec![user_name(), password()], "Sign in");
    first.tenant_field = Some(tenant.clone().error("Please fill this in."));
    first.remember_name = Some(true);
    first.stay = Some(true);
    let mut second = third_party("google", "Continue with Google");
    second.tenant_field = Some(tenant);
    FlowView {
        methods: vec![first, second],
        ..FlowView::new("Sign in")
    }
}

fn waiting() -> FlowView {
    let method = Method {
        kind: MethodKind::Wait {
            message: "We sent a link to a…@northwind.example. Open it on any device.".into(),
        },
        ..redirect("mail", "E-mail link")
    };
    FlowView {
        frame: frame(),
        methods: vec![method],
        ..FlowView::new("Check your mail")
    }
}

fn only_redirects() -> FlowView {
    FlowView {
        frame: frame(),
        tenant: Some(northwind()),
        methods: vec![
            third_party("google", "Continue with Google"),
            third_party("entra", "Continue with Microsoft"),
        ],
        ..FlowView::new("Sign in")
    }
}

fn leaving() -> FlowView {
    let method = Method {
        kind: MethodKind::Link {
            href: "/third-party".into(),
        },
        ..third_party("google", "Continue with Google")
    };
    FlowView {
        frame: frame(),
        methods: vec![method],
        ..FlowView::new("Sign in")
    }
}

fn setup(errors: bool) -> SetupView {
    let mut fields = vec![
        Field::new(FieldKind::Text, "tenant", "Organisation")
            .autocomplete("organization")
            .help("Its short name, part of the sign-in address."),
        user_name(),
        new_password(),
    ];
    if errors {
        fields = fields
            .into_iter()
            .map(|field| field.error("Please fill this in."))
            .collect();
    }
    let form = FormCard {
        fields,
        ..FormCard::new(
            "setup",
            "",
            Post::new("/setup").hidden("token", "x"),
            "Create and sign in",
        )
    };
    SetupView {
        frame: Frame::default(),
        form,
    }
}

fn message() -> MessageView {
    MessageView {
        frame: frame(),
        code: Some("too_many_requests".into()),
        request_id: Some("0192f0c1-7d3a-7c44-b1b2-3f0c9d6e5a10".into()),
        retry: Some(Time::new("2026-11-23T09:42:00Z", "in 30 seconds")),
        links: vec![Link::new("/sign-in", "Back to sign-in")],
        ..MessageView::new(MessageKind::TooManyRequests)
    }
}

fn signed_out() -> SignedOutView {
    SignedOutView {
        frame: frame(),
        tenant: Some(northwind()),
        text: Some("All devices were signed out.".into()),
        sign_in: Some("/t/northwind/sign-in".into()),
        elsewhere: Some(Link::new("https://id.example/end-session", "Example ID")),
    }
}
