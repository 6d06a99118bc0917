//! The pretend practice on the wire: one handler that reads a request, lets a fault strike, and writes the answer.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;

use super::fault::Fault;
use super::interactions::{Call, Reply, answer, made_up, unauthorised};
use super::line::{Line, Lines};
use super::{Asked, Inner, REMEMBERED, Shared};

/// The largest body taken, in bytes.
const LARGEST_BODY: usize = 4 << 20;

/// Serves until `shared.stop` is cancelled.
pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    let router = Router::new().fallback(serve_one).with_state(shared);
    let served = axum::serve(Lines(listener), router.into_make_service_with_connect_info::<Line>())
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::warn!(%error, "The pretend practice stopped");
    }
}

async fn serve_one(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "Too large".into());
    };
    let Some(path) = head.uri.path().strip_prefix("/fhir").filter(|rest| rest.is_empty() || rest.starts_with('/'))
    else {
        return plain(StatusCode::NOT_FOUND, "text/plain", "The FHIR base is /fhir".into());
    };
    let call = Call {
        method: head.method,
        path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_vec(),
    };
    let fault = strike(&shared, &call);
    let carried_out = fault.as_ref().is_none_or(Fault::strikes_after);
    let reply = if carried_out { carry_out(&shared, &call) } else { made_up(StatusCode::OK, "") };
    match fault {
        None => {
            remember(&shared, &call, Some(reply.status));
            respond(reply)
        }
        Some(fault) => strike_out(fault, reply, &shared, &call, &line).await,
    }
}

/// The fault that this request meets, used up by one.
fn strike(shared: &Shared, call: &Call) -> Option<Fault> {
    let mut inner = shared.lock();
    let armed = inner.faults.iter_mut().find(|armed| armed.meets(&call.method, &call.path))?;
    armed.left -= 1;
    let fault = armed.fault.clone();
    inner.faults.retain(|armed| armed.left > 0);
    Some(fault)
}

fn carry_out(shared: &Shared, call: &Call) -> Reply {
    let authorised = shared.bearer.as_ref().is_none_or(|token| {
        call.headers.get(header::AUTHORIZATION).is_some_and(|value| *value == format!("Bearer {token}"))
    });
    if !authorised {
        return unauthorised();
    }
    let (reply, wrote) = {
        let mut inner = shared.lock();
        let Inner { store, pages, .. } = &mut *inner;
        let before = store.journal().len();
        let reply = answer(call, store, pages, &shared.base);
        (reply, store.journal().len() > before)
    };
    if wrote {
        shared.tell();
    }
    reply
}

async fn strike_out(fault: Fault, mut reply: Reply, shared: &Shared, call: &Call, line: &Line) -> Response {
    let sent = match &fault {
        Fault::Status(status, _) => Some(*status),
        Fault::Html => Some(StatusCode::OK),
        Fault::TruncatedJson | Fault::Edit(_) => Some(reply.status),
        Fault::HangBefore | Fault::HangAfter | Fault::DropBefore | Fault::DropAfter => None,
    };
    remember(shared, call, sent);
    match fault {
        Fault::Status(status, retry_after) => {
            let mut response = respond(made_up(status, "A fault that was asked for"));
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Fault::Html => {
            let page = "<!doctype html><title>Sign in</title><p>Please sign in to continue.</p>";
            plain(StatusCode::OK, "text/html; charset=utf-8", page.into())
        }
        Fault::TruncatedJson => {
            let whole = reply.body.as_ref().map(Value::to_string).unwrap_or_default();
            let half = whole.as_bytes()[..whole.len() / 2].to_vec();
            plain(reply.status, FHIR_JSON, half.into())
        }
        Fault::Edit(change) => {
            if let Some(body) = reply.body.as_mut() {
                change(body);
            }
            respond(reply)
        }
        Fault::HangBefore | Fault::HangAfter => {
            // Ends when the client gives up (its connection takes this future with it) or the practice closes.
            shared.stop.cancelled().await;
            line.cut();
            plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", Body::empty())
        }
        Fault::DropBefore | Fault::DropAfter => {
            line.cut();
            plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", Body::empty())
        }
    }
}

fn remember(shared: &Shared, call: &Call, status: Option<StatusCode>) {
    let mut inner = shared.lock();
    if inner.asked.len() == REMEMBERED {
        inner.asked.pop_front();
    }
    let status = status.map(|status| status.as_u16());
    *inner.calls.entry((call.method.to_string(), sort_of(&call.path))).or_default() += 1;
    inner.asked.push_back(Asked { method: call.method.clone(), path: call.path.clone(), status });
}

/// What a path is about, without ids: `Task`, `Patient/_search`, `/` for a transaction.
fn sort_of(path: &str) -> String {
    let mut parts = path.trim_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (None | Some(""), _) => "/".to_owned(),
        (Some(kind), Some("_search")) => format!("{kind}/_search"),
        (Some(kind), _) => kind.to_owned(),
    }
}

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

fn respond(reply: Reply) -> Response {
    let body = reply.body.as_ref().map(Value::to_string).unwrap_or_default();
    let mut response = plain(reply.status, FHIR_JSON, body.into());
    let Some(written) = reply.written else { return response };
    let modified = written.at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers =
        [(header::LOCATION, written.location), (header::ETAG, written.etag), (header::LAST_MODIFIED, modified)];
    for (name, text) in headers {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn plain(status: StatusCode, media: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
