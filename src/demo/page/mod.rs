//! The demo's pages.

use std::sync::Arc;

use axum::Router;
use tokio_util::sync::CancellationToken;

use super::stage::Stage;
use crate::web;

/// Everything.
pub(super) fn router(stage: Arc<Stage>, _stop: CancellationToken) -> Router {
    web::router(Arc::clone(&stage.service))
}
