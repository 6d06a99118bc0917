//! What moves: a stream of server-sent events, one each time a page of the demo would look different.

use std::collections::hash_map::DefaultHasher;
use std::convert::Infallible;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Extension;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, stream};
use tokio_util::sync::CancellationToken;

use super::OnStage;
use crate::demo::stage::Stage;
use crate::store::ListFilter;

/// The ledger has no bell of its own: it is looked at this often while somebody watches.
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// GET: a `moved` event whenever a referral, a mail or a record changed.
pub(super) async fn moves(
    Extension(stage): OnStage,
    Extension(stop): Extension<CancellationToken>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let first = signature(&stage).await;
    let moves = stream::unfold((stage, stop, first), |(stage, stop, last)| async move {
        let now = stop.clone().run_until_cancelled_owned(changed(Arc::clone(&stage), last)).await?;
        Some((Ok(Event::default().event("moved").data(now.to_string())), (stage, stop, now)))
    });
    Sse::new(moves).keep_alive(KeepAlive::default())
}

async fn changed(stage: Arc<Stage>, last: u64) -> u64 {
    let mut mails = stage.mail.caught();
    mails.mark_unchanged();
    loop {
        tokio::select! {
            _ = mails.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        let now = signature(&stage).await;
        if now != last {
            return now;
        }
    }
}

/// A number that differs where a page would. A ledger that cannot be read for a moment has not moved.
async fn signature(stage: &Stage) -> u64 {
    let mut hasher = DefaultHasher::new();
    for row in stage.service.store.list(&ListFilter::default()).await.unwrap_or_default() {
        (row.id.to_string(), row.state, row.since.as_millisecond(), row.attention).hash(&mut hasher);
        format!("{:?}", row.episode).hash(&mut hasher);
    }
    stage.mail.mails().len().hash(&mut hasher);
    for (_, practice) in stage.practices() {
        practice.writes().len().hash(&mut hasher);
    }
    hasher.finish()
}
