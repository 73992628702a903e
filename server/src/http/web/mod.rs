//! The hosted pages. (placeholder while being written)
use super::problem::Problem;
use crate::app::App;
use axum::{
    Router,
    response::{IntoResponse, Response},
};
#[derive(Clone)]
pub struct PathTenant {
    pub tag: String,
    pub tenant: gatelodge_core::model::Tenant,
}
pub fn router() -> Router<App> {
    Router::new()
}
pub fn problem_page(_app: &App, problem: &Problem, _id: Option<&str>) -> Response {
    problem.clone().into_response()
}
