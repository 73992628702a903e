use std::collections::BTreeSet;

use gatelodge_core::{
    environment::later,
    provider::{
        Action, Display, Effect, ExternalIdentity, Field, FieldError, FieldKind, Form, Message,
        NewRecord, Proof, Role, Step, Who,
    },
};

use super::description::{is_text, is_word};
use crate::{
    bench::{Exchange, How},
    records::{MAX_DATA, MAX_LABEL},
    stage::Stage,
    tour::{form, tour},
};

/// The names of fields that are the engine's.
const RESERVED: [&str; 5] = ["tenant", "flow", "step", "provider", "action"];
/// The longest text in a form.
const MAX_TEXT: usize = 1_000;

pub(crate) async fn forms_are_well_formed(stage: &Stage) {
    let mut forms = 0;
    let tour = tour(stage).await;
    for exchange in &tour {
        if let Some(Step::Prompt { form }) = exchange.turn.as_ref().map(|turn| &turn.step) {
            check_form(form, exchange.how);
            forms += 1;
        }
    }
    let has_forms =
        |exchange: &Exchange| exchange.place.as_ref().is_some_and(|p| form(p).is_some());
    assert_eq!(forms > 0, tour.iter().any(has_forms), "the forms were seen");
}

pub(crate) async fn steps_are_well_formed(stage: &Stage) {
    for exchange in tour(stage).await {
        let Some(turn) = &exchange.turn else { continue };
        match &turn.step {
            Step::Prompt { .. } => {}
            Step::Redirect { url } => {
                assert_eq!(url.scheme(), "https", "a redirect goes to `https`");
                assert!(
                    url.username().is_empty() && url.password().is_none(),
                    "a redirect's address holds no name or password"
                );
                assert!(
                    url.as_str().len() <= 8 * 1024,
                    "a redirect's address is short"
                );
            }
            Step::Challenge { options, .. } => {
                assert!(
                    options.is_object(),
                    "the options of a challenge are an object"
                );
            }
            Step::Wait { poll_after_ms } => assert!(
                (500..=60_000).contains(poll_after_ms),
                "it is asked again after 500 to 60,000 ms, not {poll_after_ms}"
            ),
            Step::Proven { proof } => {
                assert!(
                    exchange.how != How::Enrol,
                    "setting it up ends with `Enrolled`, never with a proof"
                );
                check_proof(proof, &exchange);
            }
            Step::Enrolled {} => assert!(
                exchange.how == How::Enrol,
                "only setting it up ends with `Enrolled`"
            ),
            Step::Invalid { errors } => check_errors(errors, &exchange),
            Step::Barred { identity, reason } => {
                assert!(
                    exchange.how != How::Enrol,
                    "nobody is barred from setting it up"
                );
                check_identity(identity);
                assert!(
                    is_word(reason, "_"),
                    "the reason is a short word, not `{reason}`"
                );
            }
            Step::Refused { reason } => assert!(
                is_word(reason, "_"),
                "the reason of a refusal is a short word, not `{reason}`"
            ),
        }
    }
}

pub(crate) async fn the_state_fits_into_the_flow(stage: &Stage) {
    for exchange in tour(stage).await {
        let length = exchange.turn.map_or(0, |turn| turn.state.0.len());
        assert!(
            length <= 16 * 1024,
            "a state of {length} bytes; at most 16 KiB are kept"
        );
    }
}

pub(crate) async fn effects_are_well_formed(stage: &Stage) {
    for exchange in tour(stage).await {
        let Some(turn) = &exchange.turn else { continue };
        let comes_to_nothing = matches!(turn.step, Step::Refused { .. } | Step::Invalid { .. });
        assert!(
            turn.effects.is_empty() || !(comes_to_nothing || exchange.place.is_none()),
            "{:?} has effects",
            turn.step
        );
        for effect in &turn.effects {
            match effect {
                Effect::Put { record } | Effect::Replace { with: record, .. } => {
                    check_record(record, &exchange);
                }
                Effect::Send { message } => {
                    assert!(
                        is_word(&message.template, "-_"),
                        "a template's name is a short word, not `{}`",
                        message.template
                    );
                    let latest = later(exchange.now, Message::LONGEST);
                    assert!(
                        message.expires_at > exchange.now && message.expires_at <= latest,
                        "a message is worth sending for at most 30 days, not until {}",
                        message.expires_at
                    );
                }
                Effect::UseUp { .. } | Effect::Remove { .. } => {}
            }
        }
    }
}

fn check_form(form: &Form, how: How) {
    let mut names = BTreeSet::new();
    for field in &form.fields {
        assert!(
            names.insert(field.name.as_str()),
            "two fields are called `{}`",
            field.name
        );
        check_field(field);
    }
    let asks_who = |field: &&Field| field.role == Role::Identifier;
    let times = form.fields.iter().filter(asks_who).count();
    assert!(times <= 1, "a form asks more than once who it is");
    assert!(
        times == 0 || how == How::FirstStep,
        "{how:?}: who it is is known, and yet it is asked"
    );
    if let Some(message) = &form.message {
        assert!(
            is_text(message, MAX_TEXT),
            "a message is a short plain text"
        );
    }
    for display in &form.display {
        let (Display::Text { label, .. }
        | Display::Secret { label, .. }
        | Display::Qr { label, .. }
        | Display::CodeList { label, .. }) = display;
        assert!(is_text(label, 100), "what is shown has a label");
    }
    let mut ids = BTreeSet::new();
    for Action { id, label, .. } in &form.actions {
        assert!(
            is_word(id, "-_"),
            "an action's id is a short word, not `{id}`"
        );
        assert!(ids.insert(id), "two actions are called `{id}`");
        assert!(is_text(label, 100), "the action `{id}` has no label");
    }
}

fn check_field(field: &Field) {
    let name = field.name.as_str();
    assert!(
        is_word(name, "_") && name.len() <= 32 && !RESERVED.contains(&name),
        "`{name}` is no name for a field"
    );
    assert!(is_text(&field.label, 100), "`{name}` has no label");
    assert!(
        is_text(&field.autocomplete, 100),
        "`{name}` says nothing for `autocomplete`; `off` is a word too"
    );
    if let Some(help) = &field.help {
        assert!(
            is_text(help, MAX_TEXT),
            "the help of `{name}` is a plain text"
        );
    }
    let fits = match field.role {
        Role::Identifier => matches!(field.kind, FieldKind::Text | FieldKind::Email),
        Role::Secret => matches!(
            field.kind,
            FieldKind::Password | FieldKind::NewPassword | FieldKind::Code
        ),
        Role::Code => matches!(field.kind, FieldKind::Code),
        Role::Other => !matches!(field.kind, FieldKind::Password | FieldKind::NewPassword),
    };
    assert!(
        fits,
        "`{name}` is filled in as {:?}, which does not fit its role {:?}",
        field.kind, field.role
    );
    assert!(
        field.value.is_none() || !matches!(field.role, Role::Secret | Role::Code),
        "`{name}` is a secret and filled in already"
    );
    if let (Some(least), Some(most)) = (field.min_length, field.max_length) {
        assert!(least <= most, "`{name}` can have no length");
    }
    assert_eq!(
        field.kind == FieldKind::Choice,
        !field.choices.is_empty(),
        "`{name}`: a choice, and only a choice, has something to choose from"
    );
    let values: BTreeSet<_> = field.choices.iter().map(|choice| &choice.value).collect();
    assert_eq!(
        values.len(),
        field.choices.len(),
        "`{name}`: two choices have one value"
    );
}

fn check_proof(proof: &Proof, exchange: &Exchange) {
    if let Who::External { identity } = &proof.who {
        check_identity(identity);
    }
    for amr in &proof.amr {
        assert!(is_word(amr, "-_."), "`amr` is a short word, not `{amr}`");
    }
    assert!(
        proof.at.is_none_or(|at| at <= exchange.now),
        "a proof lies in the future"
    );
    if let Some(scope) = &proof.scope {
        assert!(is_text(scope, 600), "a scope is a short text");
    }
}

fn check_identity(identity: &ExternalIdentity) {
    assert!(
        (1..=2_048).contains(&identity.issuer.len()) && (1..=255).contains(&identity.subject.len()),
        "an identity has an issuer of 1 to 2,048 bytes and a subject of 1 to 255"
    );
}

fn check_errors(errors: &[FieldError], exchange: &Exchange) {
    assert!(!errors.is_empty(), "invalid, and no error says why");
    let form = exchange.place.as_ref().and_then(form);
    for FieldError {
        field,
        code,
        message,
    } in errors
    {
        assert!(
            form.is_none_or(|form| form.fields.iter().any(|known| known.name == *field)),
            "an error is about `{field}`, which is not asked for"
        );
        assert!(
            is_word(code, "_"),
            "an error's code is a short word, not `{code}`"
        );
        assert!(
            is_text(message, MAX_TEXT),
            "the error `{code}` tells the person nothing"
        );
    }
}

fn check_record(record: &NewRecord, exchange: &Exchange) {
    assert!(
        record.data.0.len() <= MAX_DATA && record.label.chars().count() <= MAX_LABEL,
        "a record is too long: at most 60 KiB and a label of 100 characters are kept"
    );
    assert!(
        !record.label.chars().any(char::is_control),
        "a label is a plain text"
    );
    assert!(
        record.expires_at.is_none_or(|end| end > exchange.now),
        "a record is kept that has expired already"
    );
}
