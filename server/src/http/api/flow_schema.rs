//! Flows as the API's description shows them. What is sent is the core's own
//! view of a flow; the API's tests hold every answer against what stands here.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::flows::NewSessionJson;

/// A flow.
#[derive(Serialize, ToSchema)]
pub struct Flow {
    /// Its id; with the token transport a secret.
    id: String,
    /// Whether it goes on.
    state: FlowState,
    /// What it is for.
    intent: Intent,
    /// The tenant's name, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tenant: Option<String>,
    /// When it expires.
    expires_at: Timestamp,
    /// Why the last way to a third party led nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notice: Option<Notice>,
    /// What is linked once the account is proven that it is linked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    linking: Option<Linking>,
    /// What is asked now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    step: Option<Step>,
    /// The session, in the answer that ends the flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    session: Option<NewSessionJson>,
    /// With the token transport, what takes the place of the device's token that the
    /// flow began with, as long as there is no session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    device_token: Option<String>,
}

/// Whether a flow goes on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described, never made")]
enum FlowState {
    /// It does.
    Active,
    /// It ended with a session.
    Complete,
}

/// What a flow is for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described, never made")]
enum Intent {
    SignIn,
    SignUp,
    Link,
    Enrol,
    Reprove,
    Recover,
    /// To show that a mailbox is one's own.
    Verify,
    /// To remove a second factor.
    Remove,
}

/// Why a way to a third party led nowhere.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described, never made")]
enum Notice {
    /// The person, or the third party, gave it up.
    Cancelled,
    /// Nobody here is linked to that identity, and nobody is made for it.
    NotLinked,
    /// It is linked to somebody else here.
    LinkedElsewhere,
    /// The third party, or the rules for it, do not let them in.
    Barred,
    /// Something else.
    Failed,
}

/// An identity that is linked once the account is proven that it is linked to.
#[derive(Serialize, ToSchema)]
struct Linking {
    /// What the third party is called.
    third_party: String,
    /// What the person is called there.
    name: String,
}

/// What is asked now.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "only described, never made")]
enum Step {
    /// One of these ways.
    Choose {
        /// The step's id, to be sent with the answer.
        id: String,
        /// Why one of them has to be set up.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reason: Option<DutyReason>,
        /// Until when that may be put off, by the action `later`; absent: it may not.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        due: Option<Timestamp>,
        /// In the order in which they are offered.
        providers: Vec<Offer>,
        /// What can be done instead, as an answer to the provider `duty:second-factor`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        actions: Vec<Action>,
    },
    /// A form.
    Prompt {
        /// The step's id, to be sent with the answer.
        id: String,
        /// Why something has to be set up or changed in it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reason: Option<DutyReason>,
        /// Until when that may be put off, by the action `later`; absent: it may not.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        due: Option<Timestamp>,
        /// Who asks; `duty:…` for what the server itself asks.
        provider: String,
        /// The form.
        form: Form,
    },
    /// The browser goes to a third party.
    Redirect {
        /// The step's id, to be sent with the answer.
        id: String,
        /// Why something has to be set up or changed in it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reason: Option<DutyReason>,
        /// Until when that may be put off, by the action `later`; absent: it may not.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        due: Option<Timestamp>,
        /// Who asks.
        provider: String,
        /// Where to.
        url: String,
    },
    /// A browser API is called.
    Challenge {
        /// The step's id, to be sent with the answer.
        id: String,
        /// Why something has to be set up or changed in it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reason: Option<DutyReason>,
        /// Until when that may be put off, by the action `later`; absent: it may not.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        due: Option<Timestamp>,
        /// Who asks.
        provider: String,
        /// Which: `webauthn.get` or `webauthn.create`.
        challenge: String,
        /// Its options.
        #[schema(value_type = Object)]
        options: serde_json::Value,
    },
    /// Ask again later.
    Wait {
        /// The step's id, to be sent with the answer.
        id: String,
        /// Why something has to be set up or changed in it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reason: Option<DutyReason>,
        /// Until when that may be put off, by the action `later`; absent: it may not.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        due: Option<Timestamp>,
        /// Who asks.
        provider: String,
        /// After this many milliseconds.
        poll_after: u32,
    },
}

/// Why something has to be set up or changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described, never made")]
enum DutyReason {
    /// Somebody else may know it.
    Compromised,
    /// An administrator set it or asks for the change.
    Administrator,
    /// It is older than the rules allow.
    Age,
    /// A second factor is required, and there is none.
    SecondFactorRequired,
}

/// One way to go on.
#[derive(Serialize, ToSchema)]
struct Offer {
    /// The provider, as the answer names it.
    id: String,
    /// Its kind.
    kind: String,
    /// What it is called.
    label: String,
    /// Whether somebody else says who a person is: choosing it leads to a step of kind
    /// `redirect`. Absent: it is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    third_party: bool,
    /// The picture on its button: shapes in a square of 24 by 24 units, the origin at
    /// the top left, painted in order. Absent: it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mark: Vec<Shape>,
    /// Its form, if it begins with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    form: Option<Form>,
    /// Its browser API's options, if it begins with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    challenge: Option<serde_json::Value>,
}

/// A filled shape of a picture.
#[derive(Serialize, ToSchema)]
struct Shape {
    /// SVG path data.
    #[schema(max_length = 4096, pattern = "^[A-Za-z0-9., -]+$")]
    path: String,
    /// Its colour; absent: that of the text beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^#[0-9A-Fa-f]{6}$")]
    fill: Option<String>,
}

/// What is asked of the person; all texts are plain text.
#[derive(Serialize, ToSchema)]
struct Form {
    /// A sentence above the fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    /// What to fill in, in order.
    fields: Vec<Field>,
    /// What to show.
    #[serde(default)]
    display: Vec<Display>,
    /// Buttons beside the one that sends the fields.
    #[serde(default)]
    actions: Vec<Action>,
}

/// One thing to fill in.
#[derive(Serialize, ToSchema)]
struct Field {
    /// The name in the answer.
    name: String,
    /// How it is filled in.
    #[serde(rename = "type")]
    kind: FieldKind,
    /// What it means.
    role: Role,
    /// What it is called.
    label: String,
    /// The HTML `autocomplete` detail tokens.
    autocomplete: String,
    /// Whether it must be filled in.
    required: bool,
    /// The least number of characters, as a hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    min_length: Option<u32>,
    /// The greatest number of characters; longer answers are not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    max_length: Option<u32>,
    /// What is expected, said beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    help: Option<String>,
    /// What is filled in already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value: Option<String>,
    /// What can be chosen.
    #[serde(default)]
    choices: Vec<Choice>,
}

/// How a field is filled in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described, never made")]
enum FieldKind {
    Text,
    Email,
    Password,
    NewPassword,
    Code,
    Choice,
    Checkbox,
}

/// What a field means.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described, never made")]
enum Role {
    /// Who somebody claims to be.
    Identifier,
    /// A secret, never shown again.
    Secret,
    /// A code that proves something once.
    Code,
    /// Anything else.
    Other,
}

/// One of several to choose from.
#[derive(Serialize, ToSchema)]
struct Choice {
    /// What the answer holds.
    value: String,
    /// What it is called.
    label: String,
}

/// Something to show.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(dead_code, reason = "only described, never made")]
enum Display {
    /// A line of text.
    Text { label: String, value: String },
    /// A secret to take down, shown once.
    Secret { label: String, value: String },
    /// A text to show as a QR code.
    Qr { label: String, value: String },
    /// Codes to take down, shown once.
    CodeList { label: String, values: Vec<String> },
}

/// A button beside the one that sends the fields.
#[derive(Serialize, ToSchema)]
struct Action {
    /// What the answer names.
    id: String,
    /// What it is called.
    label: String,
    /// How it looks: `primary`, `secondary` or `link`.
    style: String,
}
