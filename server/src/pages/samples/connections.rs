//! Samples of what the account page says of third parties.

use super::post;
use crate::pages::views::*;

pub(super) fn elsewhere() -> Vec<ElsewhereRow> {
    vec![ElsewhereRow {
        tenant: TenantLabel::new("contoso", "Contoso"),
        post: Some(post("/account/switch")),
        way: None,
        label: "Switch".into(),
    }]
}

pub(super) fn connections() -> Vec<SignInMethod> {
    vec![
        SignInMethod {
            label: "Google".into(),
            detail: Some("ada@northwind.example, linked 3 weeks ago".into()),
            enabled: true,
            actions: vec![
                Link::new("/account/connections/google/link", "Link another"),
                Link::new("/account/factors/1/remove", "Unlink…"),
            ],
            ..SignInMethod::default()
        },
        SignInMethod {
            label: "GitHub".into(),
            detail: Some("Not linked".into()),
            enabled: false,
            actions: vec![Link::new("/account/connections/github/link", "Link")],
            ..SignInMethod::default()
        },
    ]
}
