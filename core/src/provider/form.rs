use serde::{Deserialize, Serialize};

/// What is asked of the person. The server renders it as a page or as JSON; all
/// texts are plain text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    /// A sentence above the fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to fill in, in order; names are unique.
    pub fields: Vec<Field>,
    /// What to show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<Display>,
    /// Buttons beside the one that sends the fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
}

/// One thing to fill in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The name in the answer: `[a-z0-9_]{1,32}`. `tenant`, `flow`, `step`,
    /// `provider` and `action` are the engine's.
    pub name: String,
    /// How it is filled in.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// What it means to the engine.
    pub role: Role,
    /// What it is called.
    pub label: String,
    /// The HTML `autocomplete` detail tokens.
    pub autocomplete: String,
    /// Whether it must be filled in.
    pub required: bool,
    /// The least number of characters, as a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// The greatest number of characters; longer answers are invalid. The
    /// engine bounds every answer by 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// A hint below it: what is expected, said beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What is filled in already; never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What can be chosen, for [`FieldKind::Choice`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

impl Field {
    /// A required field without hints.
    pub fn new(name: &str, kind: FieldKind, role: Role, label: &str, autocomplete: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            role,
            label: label.to_owned(),
            autocomplete: autocomplete.to_owned(),
            required: true,
            min_length: None,
            max_length: None,
            help: None,
            value: None,
            choices: Vec::new(),
        }
    }
}

/// How a field is filled in: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A line of text.
    Text,
    /// An e-mail address.
    Email,
    /// An existing password.
    Password,
    /// A password to be set.
    NewPassword,
    /// A short code of digits or letters.
    Code,
    /// One of several.
    Choice,
    /// Yes (`true`) or no (absent).
    Checkbox,
}

/// What a field means to the engine: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Who somebody claims to be: limits, locks and the look-up go by it.
    Identifier,
    /// A secret: never logged, never shown again.
    Secret,
    /// A code that proves something once. Wrong ones are limited, where something
    /// is set up, too.
    Code,
    /// Anything else.
    Other,
}

/// One of several to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What the answer holds.
    pub value: String,
    /// What it is called.
    pub label: String,
}

/// Something to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Display {
    /// A line of text.
    Text {
        /// What it is called.
        label: String,
        /// The text.
        value: String,
    },
    /// A secret to take down, shown once.
    Secret {
        /// What it is called.
        label: String,
        /// The secret.
        value: crate::secret::Secret,
    },
    /// A text to show as a QR code.
    Qr {
        /// What it is called.
        label: String,
        /// What the code holds.
        value: crate::secret::Secret,
    },
    /// Codes to take down, shown once.
    CodeList {
        /// What they are called.
        label: String,
        /// The codes.
        values: Vec<crate::secret::Secret>,
    },
}

/// A button beside the one that sends the fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// What the answer names. `later` is the engine's, where a credential is
    /// changed by duty.
    pub id: String,
    /// What it is called.
    pub label: String,
    /// How it looks.
    #[serde(default)]
    pub style: ActionStyle,
}

/// How a button looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStyle {
    /// The way forward.
    Primary,
    /// Another way.
    #[default]
    Secondary,
    /// Aside.
    Link,
}
