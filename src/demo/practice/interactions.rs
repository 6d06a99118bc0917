//! What the pretend practice does with one request: FHIR R4's REST interactions, over the store.
//!
//! `GET /metadata` · read · vread · search (GET, POST `_search`) · create · conditional create · update with `If-Match` ·
//! delete · transaction. Anything else is refused with an `OperationOutcome`, as R4 says for each case.

use axum::http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::capability;
use super::outcome::Refusal;
use super::page::Pages;
use super::search::Query;
use super::store::{Deed, Found, Standing, Store, instant};
use super::transaction;

/// One request, its body read.
pub(super) struct Call {
    pub(super) method: Method,
    /// Below the base: `/Task/1`, `/` for the base itself.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What goes back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) written: Option<Written>,
    pub(super) body: Option<Value>,
}

/// Where something stands: `Location`, `ETag`, `Last-Modified`.
pub(super) struct Written {
    pub(super) location: String,
    pub(super) etag: String,
    pub(super) at: Timestamp,
}

impl Written {
    pub(super) fn of(kind: &str, id: &str, standing: &Standing, base: &str) -> Self {
        Self {
            location: format!("{base}/{kind}/{id}/_history/{}", standing.version),
            etag: format!("W/\"{}\"", standing.version),
            at: standing.at,
        }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status, written: None, body: Some(refusal.outcome()) }
    }
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, written: None, body: Some(body) }
    }

    fn standing(status: StatusCode, kind: &str, id: &str, standing: &Standing, base: &str) -> Self {
        let written = Some(Written::of(kind, id, standing, base));
        Self { status, written, body: Some((*standing.resource).clone()) }
    }
}

/// Does what is asked, or says why not.
pub(super) fn answer(call: &Call, store: &mut Store, pages: &mut Pages, base: &str) -> Reply {
    let segments: Vec<&str> = call.path.split('/').filter(|segment| !segment.is_empty()).collect();
    if let Some(refusal) = wrong_version(&call.headers) {
        return refusal.into();
    }
    let done = match (&call.method, segments.as_slice()) {
        (&Method::GET, ["metadata"]) => Ok(Reply::ok(capability::statement(base, &instant(store.started())))),
        (&Method::POST, []) => json_body(call).and_then(|bundle| transaction::run(&bundle, store, base)).map(Reply::ok),
        (&Method::GET, [kind]) => search(kind, &parse_query(&call.query), call, store, pages, base),
        (&Method::POST, [kind, "_search"]) => form(call)
            .and_then(|pairs| search(kind, &[parse_query(&call.query), pairs].concat(), call, store, pages, base)),
        (&Method::POST, [kind]) => create(kind, call, store, base),
        (&Method::GET, [kind, id]) => read(kind, id, store.read(kind, id), base),
        (&Method::GET, [kind, id, "_history", version]) => {
            let version = version.parse().unwrap_or(0);
            read(kind, id, store.read_version(kind, id, version), base)
        }
        (&Method::PUT, [kind, id]) => update(kind, id, call, store, base),
        (&Method::DELETE, [kind, id]) => {
            store.delete(kind, id);
            Ok(Reply { status: StatusCode::NO_CONTENT, written: None, body: None })
        }
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", "This practice does not do that")),
    };
    done.unwrap_or_else(Reply::from)
}

fn read(kind: &str, id: &str, found: Found, base: &str) -> Result<Reply, Refusal> {
    match found {
        Found::Here(standing) => Ok(Reply::standing(StatusCode::OK, kind, id, &standing, base)),
        Found::Gone => Err(Refusal::gone()),
        Found::Nothing => Err(Refusal::not_found()),
    }
}

fn search(
    kind: &str,
    pairs: &[(String, String)],
    call: &Call,
    store: &Store,
    pages: &mut Pages,
    base: &str,
) -> Result<Reply, Refusal> {
    known(kind)?;
    if let Some((_, link)) = pairs.iter().find(|(name, _)| name == "_page") {
        return pages.later(link, store, base).map(Reply::ok);
    }
    let query = Query::parse(kind, pairs)?;
    // A POSTed search may hold identifiers: its self link does not repeat them.
    let self_url =
        if call.method == Method::GET { format!("{base}/{kind}?{}", call.query) } else { format!("{base}/{kind}") };
    Ok(Reply::ok(pages.first(query, self_url, store, base)))
}

fn create(kind: &str, call: &Call, store: &mut Store, base: &str) -> Result<Reply, Refusal> {
    let resource = checked(Some(&json_body(call)?), kind)?;
    if let Some(text) = header_text(&call.headers, "if-none-exist") {
        let query = Query::parse(kind, &parse_query(text))?;
        if let Some(existing) = condition(&query, store, base)? {
            let id = existing.resource.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            return Ok(Reply::standing(StatusCode::OK, kind, &id, &existing, base));
        }
    }
    let id = Store::new_id();
    let (_, standing) = store.write(kind, &id, resource);
    Ok(Reply::standing(StatusCode::CREATED, kind, &id, &standing, base))
}

fn update(kind: &str, id: &str, call: &Call, store: &mut Store, base: &str) -> Result<Reply, Refusal> {
    let resource = checked(Some(&json_body(call)?), kind)?;
    if resource.get("id").and_then(Value::as_str) != Some(id) {
        return Err(Refusal::invalid("The resource's id is not the one in the address"));
    }
    if let Some(tag) = header_text(&call.headers, "if-match") {
        let wanted = etag_version(tag)?;
        match store.read(kind, id) {
            Found::Here(standing) if standing.version == wanted => {}
            _ => return Err(Refusal::version_moved_on()),
        }
    }
    let (deed, standing) = store.write(kind, id, resource);
    let status = if deed == Deed::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::standing(status, kind, id, &standing, base))
}

/// The one resource that a condition finds, if any.
pub(super) fn condition(query: &Query, store: &Store, base: &str) -> Result<Option<Standing>, Refusal> {
    if query.is_unconditional() {
        return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "required", "The condition asks for nothing"));
    }
    let mut found = query.run(store, base);
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(Refusal::several_matches()),
    }
}

/// The version in `W/"3"`.
pub(super) fn etag_version(tag: &str) -> Result<u64, Refusal> {
    let inner = tag.trim().trim_start_matches("W/").trim_matches('"');
    inner.parse().map_err(|_| Refusal::invalid("If-Match is not a version tag such as W/\"1\""))
}

/// A resource fit to be kept under `kind`.
pub(super) fn checked(resource: Option<&Value>, kind: &str) -> Result<Value, Refusal> {
    known(kind)?;
    let resource = resource.filter(|resource| resource.is_object());
    let resource = resource.ok_or_else(|| Refusal::invalid("There is no resource"))?;
    if resource.get("resourceType").and_then(Value::as_str) != Some(kind) {
        return Err(Refusal::invalid(format!("The resource is not a {kind}")));
    }
    let id = resource.get("id").map(|id| id.as_str().unwrap_or_default());
    let sound = |id: &str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
    };
    if id.is_some_and(|id| !sound(id)) {
        return Err(Refusal::invalid("The resource's id is not a FHIR id"));
    }
    Ok(resource.clone())
}

fn known(kind: &str) -> Result<(), Refusal> {
    if super::parameters::kinds().contains(&kind) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, "not-supported", "This practice keeps no such kind of resource"))
}

fn json_body(call: &Call) -> Result<Value, Refusal> {
    let media = header_text(&call.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if !media.starts_with("application/fhir+json") && !media.starts_with("application/json") {
        let text = "Content-Type must be application/fhir+json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", text));
    }
    serde_json::from_slice(&call.body)
        .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "structure", "This is no JSON"))
}

fn form(call: &Call) -> Result<Vec<(String, String)>, Refusal> {
    let media = header_text(&call.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if !media.starts_with("application/x-www-form-urlencoded") {
        let text = "_search takes application/x-www-form-urlencoded";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", text));
    }
    Ok(url::form_urlencoded::parse(&call.body).into_owned().collect())
}

pub(super) fn parse_query(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes()).into_owned().collect()
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A strict R4 server refuses to speak another version of FHIR.
fn wrong_version(headers: &HeaderMap) -> Option<Refusal> {
    let asks_other = |name: &str| {
        header_text(headers, name)
            .and_then(|text| text.split_once("fhirVersion="))
            .is_some_and(|(_, version)| !version.trim_matches('"').starts_with("4.0"))
    };
    let refuse = |status| Refusal::new(status, "not-supported", "This server speaks FHIR 4.0 only");
    if asks_other("accept") {
        return Some(refuse(StatusCode::NOT_ACCEPTABLE));
    }
    asks_other("content-type").then(|| refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// What a refusal by authorisation looks like.
pub(super) fn unauthorised() -> Reply {
    Refusal::new(StatusCode::UNAUTHORIZED, "login", "A bearer token is needed").into()
}

/// An answer made up for a fault.
pub(super) fn made_up(status: StatusCode, text: &str) -> Reply {
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => "throttled",
        StatusCode::UNAUTHORIZED => "login",
        StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => "conflict",
        status if status.is_server_error() => "transient",
        _ => "processing",
    };
    let body = json!({
        "resourceType": "OperationOutcome",
        "issue": [{ "severity": "error", "code": code, "details": { "text": text }, "diagnostics": text }],
    });
    Reply { status, written: None, body: Some(body) }
}
