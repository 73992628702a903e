use std::collections::BTreeSet;

use gatelodge_core::provider::{Answer, Display, Effect, Entry, Role, Step};

use crate::{
    bench::Exchange,
    stage::Stage,
    tour::{form, tour},
};

/// The parameters of a callback that are no secrets.
const PUBLIC_PARAMETERS: [&str; 5] = ["state", "iss", "session_state", "scope", "error"];

pub(crate) async fn no_secret_is_shown_in_debug_or_errors(stage: &Stage) {
    let tour = tour(stage).await;
    let mut secrets = given(&tour);
    secrets.extend(shown_once(&tour));
    assert_distinctive(&tour, &secrets);
    for exchange in &tour {
        for shown in &exchange.shown {
            for secret in &secrets {
                assert!(
                    !holds(shown, secret),
                    "{:?}: `Debug` or an error shows a secret\n  {}",
                    exchange.how,
                    shown.replace(secret.as_str(), "<the secret>")
                );
            }
        }
    }
}

pub(crate) async fn no_secret_is_given_back_to_the_person(stage: &Stage) {
    let tour = tour(stage).await;
    let secrets = given(&tour);
    for exchange in &tour {
        let Some(turn) = &exchange.turn else { continue };
        let mut step = turn.step.clone();
        if let Step::Prompt { form } = &mut step {
            form.display
                .retain(|display| matches!(display, Display::Text { .. }));
        }
        let step = serde_json::to_string(&step).unwrap_or_default();
        for secret in &secrets {
            assert!(
                !holds(&step, secret),
                "{:?}: what was typed as a secret is shown again\n  {}",
                exchange.how,
                step.replace(secret.as_str(), "<the secret>")
            );
        }
    }
}

/// The secrets that the person gave.
fn given(tour: &[Exchange]) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for exchange in tour {
        if let Some(Entry::Link { token, .. }) = &exchange.entry {
            secrets.insert(token.expose().to_owned());
        }
        match &exchange.answer {
            Some(Answer::Fields { values }) => {
                let form = exchange.place.as_ref().and_then(form);
                let fields = form.map(|form| form.fields.as_slice()).unwrap_or_default();
                for field in fields {
                    if let (Role::Secret | Role::Code, Some(value)) =
                        (field.role, values.get(&field.name))
                    {
                        secrets.insert(value.expose().to_owned());
                    }
                }
            }
            Some(Answer::Callback { parameters }) => {
                let secret = |name: &&String| !PUBLIC_PARAMETERS.contains(&name.as_str());
                for name in parameters.keys().filter(secret) {
                    secrets.extend(parameters.get(name).map(|value| value.expose().to_owned()));
                }
            }
            _ => {}
        }
    }
    secrets.retain(|secret| is_distinctive(secret));
    secrets
}

/// The secrets that the provider made, to be shown once or sent.
fn shown_once(tour: &[Exchange]) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for turn in tour.iter().filter_map(|exchange| exchange.turn.as_ref()) {
        if let Step::Prompt { form } = &turn.step {
            for display in &form.display {
                match display {
                    Display::Secret { value, .. } | Display::Qr { value, .. } => {
                        secrets.insert(value.expose().to_owned());
                    }
                    Display::CodeList { values, .. } => {
                        secrets.extend(values.iter().map(|value| value.expose().to_owned()));
                    }
                    Display::Text { .. } => {}
                }
            }
        }
        for effect in &turn.effects {
            if let Effect::Send { message } = effect {
                let values = message.values.values().map(|value| value.expose());
                secrets.extend(values.filter(|value| value.len() >= 16).map(str::to_owned));
            }
        }
    }
    secrets.retain(|secret| is_distinctive(secret));
    secrets
}

fn assert_distinctive(tour: &[Exchange], secrets: &BTreeSet<String>) {
    let asks = tour.iter().any(|exchange| {
        let form = exchange.place.as_ref().and_then(form);
        form.is_some_and(|form| {
            let is_secret = |role: Role| matches!(role, Role::Secret | Role::Code);
            form.fields.iter().any(|field| is_secret(field.role))
        })
    });
    assert!(
        !asks || !secrets.is_empty(),
        "none of the fixture's secrets is distinctive: give them at least four characters with a \
         digit among them, or sixteen"
    );
}

/// Whether it cannot stand somewhere by chance.
pub(super) fn is_distinctive(secret: &str) -> bool {
    let length = secret.chars().count();
    length >= 16 || (length >= 4 && secret.chars().any(|c| c.is_ascii_digit()))
}

/// Whether the secret stands there; a short one as a word of its own, since its
/// digits may be a part of an id.
pub(super) fn holds(text: &str, secret: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
    text.match_indices(secret).any(|(at, _)| {
        let (before, after) = text.split_at(at);
        let after = after.strip_prefix(secret).unwrap_or_default();
        secret.len() >= 12
            || !(is_part(before.chars().next_back()) || is_part(after.chars().next()))
    })
}
