//! Scripted providers, each for one thing that the engine has to cope with.

mod abroad;
mod away;
mod code;
mod finder;
mod keeper;
mod liar;
mod link;
mod mailer;
mod two_steps;
mod waiting;
mod word;

use gatelodge_core::{
    model::FactorClass,
    provider::{Action, Description, Field, FieldKind, Form, Role},
};

pub(crate) use abroad::{Abroad, Person};
pub(crate) use away::Away;
pub(crate) use code::Code;
pub(crate) use finder::Finder;
pub(crate) use keeper::Keeper;
pub(crate) use liar::Liar;
pub(crate) use link::Link;
pub(crate) use mailer::{CODE, Mailer};
pub(crate) use two_steps::TwoSteps;
pub(crate) use waiting::Waiting;
pub(crate) use word::Word;

/// A first step that shows a form at once and does nothing else.
pub(crate) fn describe(kind: &str) -> Description {
    Description {
        kind: kind.to_owned(),
        label: kind.to_owned(),
        class: FactorClass::Possession,
        amr: kind.to_owned(),
        first_step: true,
        second_factor: false,
        backup: false,
        enrolment: false,
        finds_tenant: false,
        inline: true,
        links: Vec::new(),
        silent: false,
        third_party: false,
        mark: gatelodge_core::provider::Mark::default(),
        refusal_floor_ms: 0,
    }
}

pub(crate) fn form(fields: impl IntoIterator<Item = Field>) -> Form {
    Form {
        fields: fields.into_iter().collect(),
        ..Form::default()
    }
}

pub(crate) fn user_name() -> Field {
    Field::new(
        "user_name",
        FieldKind::Text,
        Role::Identifier,
        "User name",
        "username",
    )
}

pub(crate) fn secret(name: &str) -> Field {
    Field::new(name, FieldKind::Password, Role::Secret, "Word", "off")
}

pub(crate) fn code_field(name: &str) -> Field {
    Field::new(name, FieldKind::Code, Role::Code, "Code", "one-time-code")
}

pub(crate) fn button(id: &str) -> Form {
    Form {
        actions: vec![Action {
            id: id.to_owned(),
            label: id.to_owned(),
            style: Default::default(),
        }],
        ..Form::default()
    }
}
