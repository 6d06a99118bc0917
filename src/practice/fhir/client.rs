//! The one door to a practice's FHIR server: every request Wellbridge makes of it leaves here.
//!
//! It keeps four promises that the rest of the adapter need not think about: nothing leaves for another host (every URL is
//! checked to lie under the practice's base, redirects are not followed); bodies are bounded; what could identify a
//! person travels in bodies (`POST _search`), never in a URL; and neither bodies nor URLs are ever logged or put into an
//! error's `why`. Statuses become [`EffectError`], or the two [`Fault`]s that callers deal with themselves.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::json;
use super::outcome;
use crate::clock::Clock;
use crate::effect::EffectError;
use crate::referral::NhsNumber;

const FHIR_JSON: &str = "application/fhir+json";

/// How requests are authorised; SMART Backend Services will be another implementation.
#[async_trait::async_trait]
pub trait Authorise: Send + Sync + std::fmt::Debug {
    /// The `Authorization` header's value, if any. An error says what to do.
    async fn header(&self) -> Result<Option<SecretString>, EffectError>;
}

/// The two simple ways.
#[derive(Debug, Clone)]
pub enum Auth {
    /// None: a server on the same machine or behind a gateway that knows us.
    None,
    /// `Authorization: Bearer …`.
    Bearer(SecretString),
}

#[async_trait::async_trait]
impl Authorise for Auth {
    async fn header(&self) -> Result<Option<SecretString>, EffectError> {
        Ok(match self {
            Self::None => None,
            Self::Bearer(token) => Some(SecretString::from(format!("Bearer {}", token.expose_secret()))),
        })
    }
}

/// Bounds of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest wait for a whole answer; below the job's own time-out.
    pub answer: Duration,
    /// Most bytes read of one answer, after decompression.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), answer: Duration::from_secs(12), body: 10 * 1024 * 1024 }
    }
}

/// What went wrong with one request, where the caller may know better than to give up.
#[derive(Debug)]
pub(super) enum Fault {
    /// 404 or 410: it is not there (any more).
    Missing,
    /// 409 or 412: somebody else wrote meanwhile, or more than one thing matched; the other side's words.
    Changed(Option<String>),
    /// Everything else, already in terms of what to do.
    Effect(EffectError),
}

impl From<EffectError> for Fault {
    fn from(error: EffectError) -> Self {
        Self::Effect(error)
    }
}

impl From<Fault> for EffectError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Missing => Self::give_up("the practice's system does not have what was asked for", None),
            Fault::Changed(_) => Self::retry("somebody else changed the same record at the same time"),
            Fault::Effect(error) => error,
        }
    }
}

/// An answer that said yes.
#[derive(Debug)]
pub(super) struct Answer {
    /// The body as it came; empty where there was none.
    pub(super) raw: String,
    /// `Type/id` out of `Location`, where given.
    pub(super) location: Option<String>,
    /// `ETag`, as it must be given back in `If-Match`.
    pub(super) etag: Option<String>,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn value(&self) -> Result<Value, EffectError> {
        serde_json::from_str(&self.raw)
            .map_err(|_| EffectError::retry("the practice's system answered with something that is not FHIR JSON"))
    }
}

/// The door.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    auth: Arc<dyn Authorise>,
    clock: Clock,
    limits: Limits,
}

impl Client {
    /// Opens the door to `base`; plain http only where `base` is on this machine or `plain_http` was chosen in the settings.
    pub(super) fn open(
        base: &Url,
        auth: Arc<dyn Authorise>,
        clock: Clock,
        limits: Limits,
        plain_http: bool,
    ) -> Result<Self, EffectError> {
        let needs = |why: &str| EffectError::NeedsPerson { why: why.to_owned() };
        let mut base = base.clone();
        let local = matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match base.scheme() {
            "https" => {}
            "http" if local || plain_http => {}
            _ => return Err(needs("the practice's base must be an https address (plain http only on this machine)")),
        }
        if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
            return Err(needs("the practice's base must hold no user, password or query"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits.connect)
            .timeout(limits.answer)
            .https_only(base.scheme() == "https")
            .user_agent(concat!("wellbridge/", env!("CARGO_PKG_VERSION")));
        if local {
            builder = builder.no_proxy();
        }
        let http =
            builder.build().map_err(|_| needs("TLS cannot be set up on this machine: look at its certificates"))?;
        Ok(Self { http, base, auth, clock, limits })
    }

    /// The practice's base, ending in `/`.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Reads one resource. An id that is an NHS number travels in a body.
    pub(super) async fn read(&self, kind: &str, id: &str) -> Result<Answer, Fault> {
        if NhsNumber::parse(id).is_ok() {
            let answer = self.search(kind, &[("_id", id)]).await?;
            let bundle = answer.value()?;
            let found = json::list(&bundle["entry"]).map(|e| &e["resource"]).find(|r| r["id"] == id);
            let raw = found.ok_or(Fault::Missing)?.to_string();
            return Ok(Answer { raw, location: None, etag: None });
        }
        let url = self.resource(kind, id)?;
        self.send(Method::GET, url, |r| r, Sort::Read).await
    }

    /// Gets a search page: `Type?query` for searches that cannot name a person, or a checked `link[next]`.
    pub(super) async fn page(&self, url: Url) -> Result<Answer, Fault> {
        // A parameter that a server does not know (`_sort`, `_include`) should cost nobody the page.
        let lenient = |r: RequestBuilder| r.header("Prefer", "handling=lenient");
        self.send(Method::GET, self.under_base(url)?, lenient, Sort::Read).await
    }

    /// Searches with the parameters in the body.
    pub(super) async fn search(&self, kind: &str, form: &[(&str, &str)]) -> Result<Answer, Fault> {
        let url = self.join(&format!("{kind}/_search"))?;
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let form = |r: RequestBuilder| r.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        self.send(Method::POST, url, form, Sort::Read).await
    }

    /// Creates a resource unless one matches `if_none_exist` (a query such as `identifier=system|value`, encoded here).
    pub(super) async fn create(&self, kind: &str, resource: &Value, if_none_exist: &str) -> Result<Answer, Fault> {
        let url = self.join(kind)?;
        let body = resource.to_string();
        let headers = |r: RequestBuilder| {
            r.header("If-None-Exist", if_none_exist).header(header::CONTENT_TYPE, FHIR_JSON).body(body)
        };
        self.send(Method::POST, url, headers, Sort::Write).await
    }

    /// Writes a resource back if it is still the version that was read.
    pub(super) async fn update(
        &self,
        kind: &str,
        id: &str,
        resource: &Value,
        if_match: Option<&str>,
    ) -> Result<Answer, Fault> {
        if NhsNumber::parse(id).is_ok() {
            let why =
                format!("the practice's system uses NHS numbers as ids of a {kind}: they may not stand in an address");
            return Err(Fault::Effect(EffectError::NeedsPerson { why }));
        }
        let url = self.resource(kind, id)?;
        let body = resource.to_string();
        let headers = |mut r: RequestBuilder| {
            if let Some(version) = if_match {
                r = r.header(header::IF_MATCH, version);
            }
            r.header(header::CONTENT_TYPE, FHIR_JSON).body(body)
        };
        self.send(Method::PUT, url, headers, Sort::Write).await
    }

    /// Posts a transaction Bundle.
    pub(super) async fn transaction(&self, bundle: &Value) -> Result<Answer, Fault> {
        // FHIR posts a transaction to the base itself, without the slash that relative addresses need.
        let mut url = self.base.clone();
        url.set_path(self.base.path().trim_end_matches('/'));
        let body = bundle.to_string();
        let headers = |r: RequestBuilder| r.header(header::CONTENT_TYPE, FHIR_JSON).body(body);
        self.send(Method::POST, url, headers, Sort::Write).await
    }

    /// `Type?query` under the base.
    pub(super) fn query(&self, kind: &str, pairs: &[(&str, String)]) -> Result<Url, EffectError> {
        let mut url = self.join(kind)?;
        url.query_pairs_mut().extend_pairs(pairs.iter().map(|(k, v)| (*k, v.as_str())));
        Ok(url)
    }

    /// A `link[next]` as the server wrote it (absolute or relative), if it lies under the practice's base.
    pub(super) fn link(&self, text: &str) -> Result<Url, EffectError> {
        let url = self
            .base
            .join(text)
            .map_err(|_| EffectError::retry("the practice's system names a next page that is no address"))?;
        self.under_base(url)
    }

    fn under_base(&self, url: Url) -> Result<Url, EffectError> {
        let same_place = url.scheme() == self.base.scheme()
            && url.host_str() == self.base.host_str()
            && url.port_or_known_default() == self.base.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none();
        let path = self.base.path().trim_end_matches('/');
        let under = url.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if same_place && under {
            return Ok(url);
        }
        let why = "the practice's system points to an address outside its own base; Wellbridge does not go there: \
                   the base in the settings or the server's own address needs correcting";
        Err(EffectError::NeedsPerson { why: why.to_owned() })
    }

    fn resource(&self, kind: &str, id: &str) -> Result<Url, EffectError> {
        let plain =
            !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !plain || id.bytes().all(|b| b == b'.') {
            return Err(EffectError::give_up(format!("a {kind} has an id that FHIR does not allow"), None));
        }
        self.join(&format!("{kind}/{id}"))
    }

    fn join(&self, path: &str) -> Result<Url, EffectError> {
        let url = self.base.join(path).map_err(|_| EffectError::give_up("an address could not be made", None))?;
        self.under_base(url)
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder + Send,
        sort: Sort,
    ) -> Result<Answer, Fault> {
        let mut request = fill(self.http.request(method, url).header(header::ACCEPT, FHIR_JSON));
        if let Some(secret) = self.auth.header().await? {
            let mut value = header::HeaderValue::from_str(secret.expose_secret()).map_err(|_| {
                EffectError::NeedsPerson { why: "the practice's token holds characters no header may hold".into() }
            })?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if sort == Sort::Write {
            request = request.header("Prefer", "return=representation");
        }
        let response = request.send().await.map_err(|e| lost(&e, sort))?;
        let status = response.status();
        let head = Head::of(&response);
        let body = self.body(response, sort).await;
        if status.is_success() {
            return self.answer(head, body?, sort);
        }
        // What an error's body says is welcome, not needed.
        let words = body.ok().as_deref().and_then(outcome::words_of);
        Err(refusal(status, head.wait(self.clock.now()), words, sort))
    }

    fn answer(&self, head: Head, raw: String, sort: Sort) -> Result<Answer, Fault> {
        let readable = raw.trim().is_empty() || matches!(raw.trim_start().as_bytes().first(), Some(b'{'));
        if !readable || (sort == Sort::Read && raw.trim().is_empty()) {
            let what = if head.html || raw.trim_start().starts_with('<') { "a web page" } else { "no FHIR JSON" };
            return Err(Fault::Effect(unclear(sort, &format!("the practice's system said yes and sent {what}"))));
        }
        let location = head.location.as_deref().and_then(|l| reference_in(l, &self.base));
        Ok(Answer { raw, location, etag: head.etag })
    }

    async fn body(&self, mut response: Response, sort: Sort) -> Result<String, Fault> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| lost(&e, sort))? {
            if bytes.len() + chunk.len() > self.limits.body {
                let why = format!("the practice's system sent more than {} bytes in one answer", self.limits.body);
                return Err(Fault::Effect(unclear(sort, &why)));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes)
            .map_err(|_| Fault::Effect(unclear(sort, "the practice's system sent text that is not UTF-8")))
    }
}

/// Whether a lost answer may have changed something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Read,
    Write,
}

/// What is kept of an answer's head.
struct Head {
    etag: Option<String>,
    location: Option<String>,
    retry_after: Option<String>,
    html: bool,
}

impl Head {
    fn of(response: &Response) -> Self {
        let get = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Self {
            etag: get(header::ETAG),
            location: get(header::LOCATION),
            retry_after: get(header::RETRY_AFTER),
            html: get(header::CONTENT_TYPE).is_some_and(|t| t.to_ascii_lowercase().starts_with("text/html")),
        }
    }

    fn wait(&self, now: Timestamp) -> Option<Duration> {
        retry_after(self.retry_after.as_deref()?, now)
    }
}

/// `Retry-After` in seconds or as an HTTP date; capped at a day, so that a slip does not silence a practice.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let day = Duration::from_hours(24);
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(day));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default().min(day))
}

/// A connection or an answer lost: nothing happened before the request was sent, anything may have happened after.
fn lost(error: &reqwest::Error, sort: Sort) -> Fault {
    let why = if error.is_connect() {
        return Fault::Effect(EffectError::retry("the practice's system cannot be reached"));
    } else if error.is_timeout() {
        "the practice's system did not answer in time"
    } else {
        "the connection to the practice's system was lost"
    };
    Fault::Effect(unclear(sort, why))
}

fn unclear(sort: Sort, why: &str) -> EffectError {
    match sort {
        Sort::Read => EffectError::retry(why),
        Sort::Write => EffectError::OutcomeUnknown { why: format!("{why}; it may or may not have been written") },
    }
}

fn refusal(status: StatusCode, wait: Option<Duration>, words: Option<String>, sort: Sort) -> Fault {
    let code = status.as_u16();
    Fault::Effect(match code {
        404 | 410 => return Fault::Missing,
        409 | 412 => return Fault::Changed(words),
        300..=399 => EffectError::NeedsPerson {
            why: format!(
                "the practice's system answers with a redirect ({code}), which Wellbridge does not follow: \
                          correct its base in the settings"
            ),
        },
        401 | 403 => EffectError::NeedsPerson {
            why: format!(
                "the practice's system does not let Wellbridge in ({code}): look at the token and what it may do"
            ),
        },
        408 | 425 | 429 | 503 => {
            EffectError::RetryAfter { after: wait, why: format!("the practice's system asks to wait ({code})") }
        }
        // A gateway that lost its server does not know whether the server acted.
        502 | 504 => unclear(sort, &format!("the practice's gateway lost its server ({code})")),
        501 => EffectError::give_up("the practice's system cannot do what was asked (501)", words),
        500..=599 => {
            EffectError::RetryAfter { after: wait, why: format!("the practice's system has a fault ({code})") }
        }
        _ => EffectError::give_up(format!("the practice's system refused the request ({code})"), words),
    })
}

/// `Type/id` out of a `Location` such as `https://…/Task/7/_history/2` or `Task/7`.
pub(super) fn reference_in(location: &str, base: &Url) -> Option<String> {
    let url = base.join(location).ok()?;
    let path = url.path().strip_prefix(base.path())?;
    let mut parts = path.split('/').filter(|p| !p.is_empty());
    match (parts.next(), parts.next()) {
        (Some(kind), Some(id)) => Some(format!("{kind}/{id}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_wait_is_read_in_seconds_and_as_a_date() {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Tue, 24 Nov 2026 12:01:30 GMT", Some(90)),
            ("Tue, 24 Nov 2026 11:00:00 GMT", Some(0)),
            ("999999999", Some(86_400)),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    fn door(base: &str) -> Client {
        let base = Url::parse(base).unwrap();
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
        Client::open(&base, Arc::new(Auth::None), clock, Limits::default(), false).unwrap()
    }

    #[test]
    fn nothing_leaves_for_a_place_outside_the_practices_base() {
        let door = door("https://fhir.surgery.example/r4");
        for inside in
            ["https://fhir.surgery.example/r4?page=2", "https://fhir.surgery.example:443/r4/Task?x=1", "Task?x=1"]
        {
            assert!(door.link(inside).is_ok(), "{inside}");
        }
        for outside in [
            "https://fhir.elsewhere.example/r4/Task",
            "http://fhir.surgery.example/r4/Task",
            "https://fhir.surgery.example:8443/r4/Task",
            "https://fhir.surgery.example/r4x/Task",
            "https://fhir.surgery.example/r4/../admin",
            "https://fhir.surgery.example@evil.example/r4/Task",
            "https://x:y@fhir.surgery.example/r4/Task",
            "//evil.example/r4/Task",
            "../r5/Task",
        ] {
            assert!(matches!(door.link(outside), Err(EffectError::NeedsPerson { .. })), "{outside}");
        }
    }

    #[test]
    fn an_id_never_climbs_out_of_its_place() {
        let door = door("https://fhir.surgery.example/r4");
        for id in ["../Patient", "a/b", "", "..", "a?b", "a%2e%2e", &"x".repeat(65)] {
            assert!(door.resource("Task", id).is_err(), "{id}");
        }
        assert_eq!(door.resource("Task", "a.b-7").unwrap().as_str(), "https://fhir.surgery.example/r4/Task/a.b-7");
    }

    #[test]
    fn plain_http_is_for_this_machine_only_unless_chosen() {
        let open = |base: &str, plain| {
            Client::open(
                &Url::parse(base).unwrap(),
                Arc::new(Auth::None),
                Clock::fixed(Timestamp::UNIX_EPOCH),
                Limits::default(),
                plain,
            )
            .is_ok()
        };
        assert!(open("http://127.0.0.1:8080/fhir", false));
        assert!(!open("http://fhir.surgery.example/fhir", false));
        assert!(open("http://fhir.surgery.example/fhir", true));
        assert!(!open("https://user:word@fhir.surgery.example/fhir", false));
    }

    #[test]
    fn a_location_tells_the_reference_whatever_its_form() {
        let base = Url::parse("https://fhir.surgery.example/r4/").unwrap();
        for location in ["https://fhir.surgery.example/r4/Task/7/_history/2", "Task/7", "/r4/Task/7"] {
            assert_eq!(reference_in(location, &base).as_deref(), Some("Task/7"), "{location}");
        }
    }
}
