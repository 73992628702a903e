//! For whoever watches the server: alive, ready, figures.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;

use super::problem::{Code, Problem};
use crate::app::App;

/// `/healthz` and `/readyz`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
}

/// The process answers.
async fn alive() -> impl IntoResponse {
    Json(serde_json::json!({"status": "ok"}))
}

/// The storage answers too.
async fn ready(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    app.platform().storage().check().await.map_err(|error| {
        tracing::warn!(error = ?error, "not ready");
        // Whatever it is, whoever asks is told no more than that.
        let mut problem = Problem::new(Code::Unavailable);
        problem.retry_after_seconds =
            Some(error.retry_after().map_or(1, |wait| wait.as_secs().max(1)));
        problem
    })?;
    Ok((StatusCode::OK, Json(serde_json::json!({"status": "ready"}))))
}

/// `/metrics`, on a listener of its own.
pub fn metrics_router(handle: PrometheusHandle) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let text = handle.render();
            async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
        }),
    )
}
