use axum::{Json, extract::State};

use super::{types::ListJson, user_identities::IdentityJson};
use crate::{
    app::App,
    http::{
        caller::Requester,
        problem::{Problem, ProblemBody},
    },
};

/// The identities at third parties that are linked to the own account.
///
/// One more is linked in a flow with the intent `link`, and one is unlinked in a flow with the intent `remove`; both ask
/// for a proof first. There are few, and all of them are in one answer.
#[utoipa::path(
    get, path = "/api/v1/account/identities", operation_id = "list_own_identities", tag = "account",
    responses(
        (status = 200, body = ListJson<IdentityJson>),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub async fn list_own_identities(
    State(app): State<App>,
    requester: Requester,
) -> Result<Json<ListJson<IdentityJson>>, Problem> {
    let accounts = app.platform().accounts();
    let identities = accounts.identities(&requester.caller).await?;
    Ok(Json(ListJson {
        items: IdentityJson::all(identities),
        next_cursor: None,
    }))
}
