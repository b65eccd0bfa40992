//! Schemas of what clients write, for editors and other tools.

use axum::http::header;
use axum::response::IntoResponse;
use segno_engine::definition;

/// Show the JSON Schema of workflows
///
/// Draft 2020-12. An editor that is given this address completes and checks
/// definitions while they are written.
#[utoipa::path(get, path = "/v1/schemas/workflow.json", tag = "workflows",
    responses((status = 200, body = String, content_type = "application/schema+json")))]
pub(super) async fn workflow() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], definition::SCHEMA)
}
