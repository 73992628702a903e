//! Forms that come back: what was refused about them, shown where it belongs.

use axum::http::StatusCode;

use super::{
    problem::PageProblem,
    visit::{Fields, Visit},
    words,
};
use crate::{
    http::problem::{Code, FieldProblem, Problem},
    pages::views::{Field, FieldKind, FormCard},
};

/// Why a form is shown again instead of going on.
#[derive(Debug)]
pub(super) struct Rejected {
    code: Code,
    message: Option<String>,
    errors: Vec<FieldProblem>,
}

impl Rejected {
    /// The rejection that a problem is, or the problem if a form cannot show it.
    pub(super) fn from(problem: impl Into<Problem>) -> Result<Self, PageProblem> {
        let problem = problem.into();
        match problem.code {
            Code::ValidationFailed | Code::AlreadyExists | Code::Conflict | Code::Refused => {
                Ok(Self {
                    code: problem.code,
                    message: problem.detail,
                    errors: problem.errors,
                })
            }
            _ => Err(problem.into()),
        }
    }

    /// Something wrong with one field.
    pub(super) fn about(field: &str, message: String) -> Self {
        Self {
            code: Code::ValidationFailed,
            message: None,
            errors: vec![FieldProblem {
                field: field.to_owned(),
                code: "invalid".to_owned(),
                message,
            }],
        }
    }

    /// With the field that a taken name was typed into.
    pub(super) fn taken(mut self, field: &str, message: String) -> Self {
        if self.code == Code::AlreadyExists {
            self.message = None;
            self.errors = Self::about(field, message).errors;
        }
        self
    }

    /// With other names of fields than the core's.
    pub(super) fn renamed(mut self, from: &str, to: &str) -> Self {
        for error in self.errors.iter_mut().filter(|error| error.field == from) {
            error.field = to.to_owned();
        }
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// Marks the faulty fields; answers what is left to say of the whole form.
    pub(super) fn mark(
        &self,
        visit: &Visit,
        fields: &mut [Field],
    ) -> Result<Option<String>, PageProblem> {
        let mut rest = Vec::new();
        for error in &self.errors {
            let message = words::sentence(&error.message);
            match fields.iter_mut().find(|field| field.name == error.field) {
                Some(field) => field.error = Some(message),
                None => rest.push(message),
            }
        }
        if self.code == Code::Conflict {
            return Ok(Some(visit.t("form.conflict")?));
        }
        rest.extend(self.message.as_deref().map(words::sentence));
        Ok(Some(rest.join(" ")).filter(|rest| !rest.is_empty()))
    }

    /// Puts what was typed and what was refused back into a form. What somebody
    /// else changed meanwhile is shown instead of what was typed.
    pub(super) fn onto(&self, visit: &Visit, card: &mut FormCard) -> Result<(), PageProblem> {
        if self.code != Code::Conflict {
            refill(&mut card.fields, &visit.fields);
        }
        card.error = self.mark(visit, &mut card.fields)?;
        card.open = true;
        Ok(())
    }
}

/// Puts what was typed back into fields. Passwords are typed anew.
pub(super) fn refill(fields: &mut [Field], typed: &Fields) {
    for field in fields {
        match field.kind {
            FieldKind::Password | FieldKind::NewPassword | FieldKind::Code => {}
            FieldKind::Checkbox => {
                field.value = typed.ticked(&field.name).then(|| "true".to_owned());
            }
            _ => field.value = typed.text(&field.name).map(str::to_owned),
        }
    }
}
