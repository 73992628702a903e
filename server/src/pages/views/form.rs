//! Forms and their fields.

use serde::Serialize;

use super::Notice;

/// Where a form posts to and what it carries along unseen.
#[derive(Clone, Serialize)]
pub struct Post {
    /// Address.
    pub action: String,
    /// Hidden inputs: flow, step, provider, `csrf`, version of what is changed.
    pub hidden: Vec<Hidden>,
}

impl Post {
    /// A form that posts to `action`.
    pub fn new(action: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            hidden: Vec::new(),
        }
    }

    /// Adds a hidden input.
    #[must_use]
    pub fn hidden(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.hidden.push(Hidden {
            name: name.into(),
            value: value.into(),
        });
        self
    }
}

impl std::fmt::Debug for Post {
    /// Hidden values are often tokens, so only their names are printed.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self
            .hidden
            .iter()
            .map(|hidden| hidden.name.as_str())
            .collect();
        formatter
            .debug_struct("Post")
            .field("action", &self.action)
            .field("hidden", &names)
            .finish()
    }
}

/// A hidden input.
#[derive(Clone, Serialize)]
pub struct Hidden {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The closed list of field kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// One line of text.
    Text,
    /// An e-mail address.
    Email,
    /// A whole number; phones show digits.
    Number,
    /// A password that exists. Its value is never rendered.
    Password,
    /// A password to be set. Its value is never rendered; the minimum is said beforehand.
    NewPassword,
    /// A short code; phones show digits for an `autocomplete` of `one-time-code`.
    Code,
    /// One of `options`: radio buttons up to four, a list above.
    Choice,
    /// Yes or no; sends `true` when ticked.
    Checkbox,
}

/// A field of a form.
///
/// `max_length` is for words and checks on the server only: browsers cut pasted text at `maxlength` without a word,
/// and a password or name must never be cut silently.
#[derive(Clone, Serialize)]
pub struct Field {
    /// Name of the input.
    pub name: String,
    /// Kind.
    pub kind: FieldKind,
    /// What it is called on the page.
    pub label: String,
    /// Value of the `autocomplete` attribute; none: `off`.
    pub autocomplete: Option<String>,
    /// Whether the form may be sent without it. Those that may be are marked "optional".
    pub required: bool,
    /// Fewest characters; said beforehand for a new password.
    pub min_length: Option<u32>,
    /// Most characters.
    pub max_length: Option<u32>,
    /// A sentence of help below the label.
    pub help: Option<String>,
    /// What it holds; for a choice the chosen option's value, for a checkbox `true`.
    pub value: Option<String>,
    /// What can be chosen.
    pub options: Vec<Choice>,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Unit behind the input, such as "minutes".
    pub unit: Option<String>,
}

impl Field {
    /// A required field without more.
    pub fn new(kind: FieldKind, name: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            label: label.into(),
            autocomplete: None,
            required: kind != FieldKind::Checkbox,
            min_length: None,
            max_length: None,
            help: None,
            value: None,
            options: Vec::new(),
            error: None,
            unit: None,
        }
    }

    /// Sets the `autocomplete` attribute.
    #[must_use]
    pub fn autocomplete(mut self, token: impl Into<String>) -> Self {
        self.autocomplete = Some(token.into());
        self
    }

    /// The form may be sent without it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Sets the sentence of help.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Sets what it holds.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Sets what is wrong with it.
    #[must_use]
    pub fn error(mut self, text: impl Into<String>) -> Self {
        self.error = Some(text.into());
        self
    }

    /// Adds an option of a choice.
    #[must_use]
    pub fn option(mut self, value: impl Into<String>, label: impl Into<String>) -> Self {
        self.options.push(Choice {
            value: value.into(),
            label: label.into(),
            help: None,
        });
        self
    }
}

impl std::fmt::Debug for Field {
    /// What was typed is left out.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Field")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// An option of a choice.
#[derive(Debug, Clone, Serialize)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// A sentence below it.
    pub help: Option<String>,
}

/// How a button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStyle {
    /// The one that continues. Rendered first, so that Enter presses it.
    Primary,
    /// Another way on.
    Secondary,
    /// As a link.
    Link,
    /// Destroys something.
    Danger,
}

/// A button of a form. Every one but the primary sends without checking the fields.
#[derive(Debug, Clone, Serialize)]
pub struct Action {
    /// Sent as `action`; none: the fields are the answer.
    pub id: Option<String>,
    /// Text.
    pub label: String,
    /// Look.
    pub style: ActionStyle,
}

impl Action {
    /// The button that sends the fields.
    pub fn submit(label: impl Into<String>) -> Self {
        Self {
            id: None,
            label: label.into(),
            style: ActionStyle::Primary,
        }
    }

    /// A button that asks for the action `id` instead.
    pub fn other(id: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            label: label.into(),
            style: ActionStyle::Secondary,
        }
    }
}

/// The form of a provider's step.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StepForm {
    /// A sentence above it.
    pub message: Option<String>,
    /// Inputs, in order.
    pub fields: Vec<Field>,
    /// What is shown for reading or copying.
    pub display: Vec<super::DisplayItem>,
    /// Buttons.
    pub actions: Vec<Action>,
}

/// A form of account and console with its own heading.
#[derive(Debug, Clone, Serialize)]
pub struct FormCard {
    /// Unique on the page, a plain word; the `id` of its section.
    pub id: String,
    /// Heading.
    pub title: String,
    /// A sentence about what it changes.
    pub text: Option<String>,
    /// Target.
    pub post: Post,
    /// Inputs, in order.
    pub fields: Vec<Field>,
    /// Text of its button.
    pub submit: String,
    /// Look of its button.
    pub style: ActionStyle,
    /// Why the last try was refused, if it concerns the whole form.
    pub error: Option<String>,
    /// Word beside it.
    pub notice: Option<Notice>,
    /// For a form that can be folded: whether it is open.
    pub open: bool,
}

impl FormCard {
    /// A form without fields yet.
    pub fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        post: Post,
        submit: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            text: None,
            post,
            fields: Vec::new(),
            submit: submit.into(),
            style: ActionStyle::Secondary,
            error: None,
            notice: None,
            open: false,
        }
    }
}
