//! Somebody who listens between the service and a practice's server: notes the first line of every request, as a proxy's
//! log would, and hands everything on.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use tokio::net::TcpListener;
use wellbridge::clock::Clock;

/// The tap.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    there: String,
    here: String,
    client: reqwest::Client,
    heard: Arc<Mutex<Vec<String>>>,
    /// What the practice's `Date` says; the real time where there is none.
    clock: Option<Clock>,
}

impl Wire {
    /// Listens before the server at `base`.
    pub(crate) async fn tap(base: &str, clock: Option<Clock>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let here = base.replace(&origin, &format!("http://{}", listener.local_addr().unwrap()));
        let wire = Self { there: base.to_owned(), here, client: reqwest::Client::new(), heard: Arc::default(), clock };
        let router = Router::new().fallback(hand_on).with_state(wire.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        wire
    }

    /// Where the service finds it.
    pub(crate) fn base(&self) -> String {
        self.here.clone()
    }

    /// `GET /fhir/Task?owner=…`, one line a request.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn hand_on(State(wire): State<Wire>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    wire.heard.lock().unwrap().push(format!("{} {}", head.method, head.uri));
    let origin = wire.there.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let mut headers = head.headers;
    headers.remove(header::HOST);
    headers.remove(header::ACCEPT_ENCODING);
    let body = to_bytes(body, 8 << 20).await.unwrap();
    let asked = wire.client.request(head.method, format!("{origin}{}", head.uri)).headers(headers).body(body);
    let answer = asked.send().await.unwrap();
    let (status, theirs) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap().replace(&wire.there, &wire.here);
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    *response.headers_mut() = rewritten(&theirs, &wire);
    if let Some(clock) = &wire.clock {
        let date = clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        response.headers_mut().insert(header::DATE, date.parse().unwrap());
    }
    response
}

/// Their headers, with our address in place of theirs.
fn rewritten(theirs: &HeaderMap, wire: &Wire) -> HeaderMap {
    let mut ours = HeaderMap::new();
    for (name, value) in theirs {
        let text = value.to_str().unwrap().replace(&wire.there, &wire.here);
        if name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING {
            ours.append(name, HeaderValue::from_str(&text).unwrap());
        }
    }
    ours
}
