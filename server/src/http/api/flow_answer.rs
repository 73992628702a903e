use std::{collections::BTreeMap, fmt};

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use gatelodge_core::{
    engine::{Progress, Reply, ReplyAnswer},
    secret::Secret,
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::flow_schema::Flow;
use crate::{
    app::App,
    http::{
        caller::Requester,
        cookies::{self, Cookies},
        extract::{Body, Place},
        flows::{FlowJson, bind, complete, handle_here, hold},
        problem::{Code, Problem, ProblemBody},
    },
};

/// An answer to a flow's step.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The step that is answered; absent: the current one.
    #[serde(default)]
    step: Option<String>,
    /// The provider that is answered, as the step names it.
    provider: String,
    /// The form's values by field name, or what the browser API gave.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    answer: Option<AnswerJson>,
    /// A button of the form, instead.
    #[serde(default)]
    action: Option<String>,
    /// Whether the person wants to stay signed in on this device, where that is
    /// offered. It holds for the rest of the flow.
    #[serde(default)]
    stay: bool,
}

/// A form's values are texts; anything else is a browser API's result.
enum AnswerJson {
    Fields(BTreeMap<String, Secret>),
    Browser(Value),
}

impl<'de> Deserialize<'de> for AnswerJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnswerVisitor)
    }
}

struct AnswerVisitor;

impl<'de> Visitor<'de> for AnswerVisitor {
    type Value = AnswerJson;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnswerJson, A::Error> {
        let mut values = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value()?;
            // Of a name that comes twice nobody knows which value was meant.
            if values.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
            values.insert(name, value);
        }
        if !values.values().all(Value::is_string) {
            return Ok(AnswerJson::Browser(Value::Object(values)));
        }
        let text = |value| match value {
            Value::String(text) => Secret::new(text),
            _ => Secret::default(),
        };
        let fields = values.into_iter().map(|(name, value)| (name, text(value)));
        Ok(AnswerJson::Fields(fields.collect()))
    }
}

/// Answer a flow's step.
///
/// A refused answer is a 401 problem and the step can be answered again; a
/// value that could never be right is a 422 problem; a step that is not the
/// current one is a 409 problem.
#[utoipa::path(
    post, path = "/api/v1/sign-in/flows/{flow}", operation_id = "answer_flow", tag = "sign-in",
    params(("flow" = String, Path, description = "The flow's id")),
    request_body = AnswerRequest,
    responses(
        (status = 200, body = Flow),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub async fn answer_flow(
    State(app): State<App>,
    requester: Requester,
    headers: HeaderMap,
    Place(flow): Place<String>,
    Body(request): Body<AnswerRequest>,
) -> Result<Response, Problem> {
    let cookies = Cookies::read(&headers, app.policy().secure_cookies())?;
    let handle = handle_here(&app, &requester, &headers, &flow).await?;
    let answer = match (request.answer, request.action) {
        (Some(_), Some(_)) => {
            return Err(
                Problem::new(Code::InvalidRequest).detail("give either `answer` or `action`")
            );
        }
        (Some(AnswerJson::Fields(values)), None) => ReplyAnswer::Fields(values),
        (Some(AnswerJson::Browser(response)), None) => ReplyAnswer::Browser(response),
        (None, Some(action)) => ReplyAnswer::Action(action),
        (None, None) => ReplyAnswer::Go,
    };
    let reply = Reply {
        step: request.step,
        provider: request.provider,
        answer,
        device: cookies.value(cookies::DEVICE).cloned(),
        stay: request.stay,
    };
    let progress = app
        .platform()
        .sign_in()
        .answer(&handle, reply, requester.client())
        .await?;
    match progress {
        Progress::Next {
            view,
            binding,
            hold_until,
        } => {
            hold(&app, hold_until).await;
            let mut jar = cookies.jar();
            if let Some(binding) = binding {
                bind(&mut jar, &cookies, &flow, &binding);
            }
            let mut response = Json(FlowJson::active(view)).into_response();
            jar.onto(response.headers_mut());
            Ok(response)
        }
        Progress::Refused { hold_until, .. } => {
            hold(&app, hold_until).await;
            Err(Problem::new(Code::SignInRefused)
                .detail("what was entered does not match an account that may sign in"))
        }
        Progress::Invalid { errors, .. } => Err(Problem::validation(errors)),
        Progress::Ended { view, .. } => Ok(Json(FlowJson::active(view)).into_response()),
        Progress::Complete(completed) => {
            Ok(complete(&app, &requester, &cookies, &handle, *completed).await)
        }
    }
}
