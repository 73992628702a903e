//! What a client sees of a flow: the sign-in API's JSON, and what pages render.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    duty::{self, DutyReason},
    flow::{Flow, Found, OpenOffer, Phase},
    identity::Notice,
    newcomer::{NEW_ACCOUNT, Newcomer},
    sign_up::sign_up_fields,
};
use crate::{
    Platform,
    model::{ApplicationId, TenantName},
    provider::{Action, Choice, Field, FieldKind, Form, Intent, Mark, Role, Step},
    service::identity_name,
};

/// The field in which a tenant is named.
pub(crate) const TENANT: &str = "tenant";

/// A flow, as its client sees it.
#[derive(Debug, Clone, Serialize)]
pub struct FlowView {
    /// Its id.
    pub id: String,
    /// Whether it goes on.
    pub state: FlowState,
    /// What it is for.
    pub intent: Intent,
    /// The tenant's name, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The tenant's name to show.
    #[serde(skip)]
    pub tenant_display_name: Option<String>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Why the last way to a third party led nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// What is linked once the account is proven that it is linked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linking: Option<LinkingView>,
    /// What is asked now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepView>,
    /// Whether an identity at a third party was linked.
    #[serde(skip)]
    pub has_linked: bool,
    /// Whether anything has been proven yet.
    #[serde(skip)]
    pub proven: bool,
    /// The application that it is for.
    #[serde(skip)]
    pub application: Option<ApplicationId>,
    /// Its name.
    #[serde(skip)]
    pub application_name: Option<String>,
    /// Where the browser goes in the end.
    #[serde(skip)]
    pub return_to: Option<String>,
}

/// Whether a flow goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowState {
    /// It does.
    Active,
    /// It ended with a session.
    Complete,
}

/// What is asked now.
#[derive(Debug, Clone, Serialize)]
pub struct StepView {
    /// The step's id, to be sent with the answer.
    pub id: String,
    /// Why something has to be set up or changed in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<DutyReason>,
    /// Until when that may be put off, if it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What it is.
    #[serde(flatten)]
    pub body: StepBody,
}

/// What a step is.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepBody {
    /// One of these ways.
    Choose {
        /// In the order in which they are offered.
        providers: Vec<Offer>,
        /// What can be done instead, as an answer to `duty:second-factor`.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        actions: Vec<Action>,
    },
    /// A form.
    Prompt {
        /// Who asks; `duty:…` for what the engine asks.
        provider: String,
        /// The form.
        form: Form,
    },
    /// The browser goes to a third party.
    Redirect {
        /// Who asks.
        provider: String,
        /// Where to.
        url: String,
    },
    /// A browser API is called.
    Challenge {
        /// Who asks.
        provider: String,
        /// Which.
        challenge: crate::provider::ChallengeKind,
        /// Its options.
        options: serde_json::Value,
    },
    /// Ask again later.
    Wait {
        /// Who asks.
        provider: String,
        /// After this many milliseconds.
        poll_after: u32,
    },
}

/// One way to go on.
#[derive(Debug, Clone, Serialize)]
pub struct Offer {
    /// The provider's id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What it is called.
    pub label: String,
    /// Whether somebody else says who a person is: the browser goes there and comes back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub third_party: bool,
    /// The picture on its button.
    #[serde(skip_serializing_if = "Mark::is_empty")]
    pub mark: Mark,
    /// Its form, if it begins with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// Its browser API's options, if it begins with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<serde_json::Value>,
}

/// What a client sees of a flow.
pub(crate) fn view(platform: &Platform, found: &Found) -> FlowView {
    let flow = &found.flow;
    FlowView {
        id: found.id.clone(),
        state: if flow.complete {
            FlowState::Complete
        } else {
            FlowState::Active
        },
        intent: flow.intent,
        tenant: flow.tenant.as_ref().map(|tenant| tenant.name.clone()),
        tenant_display_name: flow.tenant.as_ref().map(|t| t.display_name.clone()),
        expires_at: flow.expires_at,
        notice: flow.notice,
        linking: linking(platform, flow),
        step: (!flow.complete).then(|| StepView {
            id: flow.step.clone(),
            reason: flow.duty.as_ref().and_then(|duty| duty.reason),
            due: flow.duty.as_ref().and_then(|duty| duty.due),
            body: body(platform, flow),
        }),
        has_linked: flow.has_linked,
        proven: !flow.proofs.is_empty(),
        application: flow.application.as_ref().map(|application| application.id),
        application_name: flow
            .application
            .as_ref()
            .map(|application| application.name.clone()),
        return_to: flow.return_to.clone(),
    }
}

/// An identity that is linked once the account is proven that it is linked to.
#[derive(Debug, Clone, Serialize)]
pub struct LinkingView {
    /// What the third party is called.
    pub third_party: String,
    /// What the person is called there.
    pub name: String,
}

fn linking(platform: &Platform, flow: &Flow) -> Option<LinkingView> {
    let comer = flow.comer.as_ref().filter(|comer| comer.links)?;
    let configured = platform.providers().provider(&comer.identity.connection)?;
    Some(LinkingView {
        third_party: configured.description.label.clone(),
        name: identity_name(configured, &comer.identity),
    })
}

fn body(platform: &Platform, flow: &Flow) -> StepBody {
    match (flow.phase, flow.active) {
        (Phase::Tenant, _) => StepBody::Prompt {
            provider: "duty:choose-tenant".to_owned(),
            form: tenant_choice(flow),
        },
        (Phase::Newcomer, _) => StepBody::Prompt {
            provider: NEW_ACCOUNT.to_owned(),
            form: flow
                .newcomer
                .as_ref()
                .map(Newcomer::form)
                .unwrap_or_default(),
        },
        (Phase::ChangeCredential | Phase::Enrol | Phase::RemoveFactor | Phase::Verify, None) => {
            flow.offers
                .first()
                .map_or_else(nothing, |offer| single(platform, flow, offer))
        }
        (_, Some(active)) => flow
            .offers
            .get(active)
            .map_or_else(nothing, |offer| single(platform, flow, offer)),
        (Phase::AddFactor, None) => match flow.offers.as_slice() {
            [only] if only.shown.is_some() => single(platform, flow, only),
            _ => choose(platform, flow, duty::later(flow)),
        },
        (Phase::First | Phase::Second | Phase::SignUp | Phase::Link, None) => {
            choose(platform, flow, None)
        }
    }
}

fn choose(platform: &Platform, flow: &Flow, later: Option<Action>) -> StepBody {
    let offers = flow.offers.iter();
    StepBody::Choose {
        providers: offers
            .filter_map(|offer| choice(platform, flow, offer))
            .collect(),
        actions: later.into_iter().collect(),
    }
}

fn nothing() -> StepBody {
    StepBody::Choose {
        providers: Vec::new(),
        actions: Vec::new(),
    }
}

fn choice(platform: &Platform, flow: &Flow, offer: &OpenOffer) -> Option<Offer> {
    let configured = platform.providers().provider(&offer.provider)?;
    let challenge = match &offer.shown {
        Some(Step::Challenge { options, .. }) => Some(options.clone()),
        _ => None,
    };
    Some(Offer {
        id: configured.id.to_string(),
        kind: configured.description.kind.clone(),
        label: configured.description.label.clone(),
        third_party: configured.description.third_party,
        mark: configured.description.mark.clone(),
        form: shown_form(platform, flow, offer),
        challenge,
    })
}

fn single(platform: &Platform, flow: &Flow, offer: &OpenOffer) -> StepBody {
    let provider = shown_provider(flow, offer);
    match &offer.shown {
        Some(Step::Redirect { url }) => StepBody::Redirect {
            provider,
            url: url.to_string(),
        },
        Some(Step::Challenge { challenge, options }) => StepBody::Challenge {
            provider,
            challenge: *challenge,
            options: options.clone(),
        },
        Some(Step::Wait { poll_after_ms }) => StepBody::Wait {
            provider,
            poll_after: *poll_after_ms,
        },
        _ => StepBody::Prompt {
            provider,
            form: shown_form(platform, flow, offer).unwrap_or_default(),
        },
    }
}

/// What the client calls the provider of a step.
pub(crate) fn shown_provider(flow: &Flow, offer: &OpenOffer) -> String {
    match flow.phase {
        Phase::ChangeCredential => "duty:change-credential".to_owned(),
        Phase::RemoveFactor => "duty:remove-factor".to_owned(),
        _ => offer.provider.to_string(),
    }
}

/// A provider's form, with the engine's own fields.
pub(crate) fn shown_form(platform: &Platform, flow: &Flow, offer: &OpenOffer) -> Option<Form> {
    let Some(Step::Prompt { form }) = &offer.shown else {
        return None;
    };
    let mut form = form.clone();
    match flow.phase {
        Phase::First if asks_for_tenant(platform, flow, offer, &form) => {
            form.fields.insert(0, tenant_field());
        }
        Phase::SignUp => {
            let own = sign_up_fields(flow.sign_up);
            form.fields.splice(0..0, own);
        }
        Phase::ChangeCredential | Phase::AddFactor => duty::explain(&mut form, flow),
        _ => {}
    }
    Some(form)
}

fn asks_for_tenant(platform: &Platform, flow: &Flow, offer: &OpenOffer, form: &Form) -> bool {
    flow.tenant.is_none()
        && form
            .fields
            .iter()
            .any(|field| field.role == Role::Identifier)
        && platform
            .providers()
            .provider(&offer.provider)
            .is_some_and(|configured| !configured.description.finds_tenant)
}

fn tenant_field() -> Field {
    let mut field = Field::new(
        TENANT,
        FieldKind::Text,
        Role::Other,
        "Organisation",
        "organization",
    );
    field.required = false;
    field.max_length = u32::try_from(TenantName::MAX).ok();
    field.help = Some("Only needed if your user name exists in several organisations.".to_owned());
    field
}

fn tenant_choice(flow: &Flow) -> Form {
    let mut field = Field::new(
        TENANT,
        FieldKind::Choice,
        Role::Other,
        "Organisation",
        "off",
    );
    field.choices = flow
        .candidates
        .iter()
        .map(|candidate| Choice {
            value: candidate.tenant.name.clone(),
            label: candidate.tenant.display_name.clone(),
        })
        .collect();
    Form {
        message: Some("You have an account in several organisations.".to_owned()),
        fields: vec![field],
        ..Form::default()
    }
}
