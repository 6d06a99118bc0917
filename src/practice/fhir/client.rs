//! The one door to a practice's FHIR server: every request Wellbridge makes of it leaves here.
//!
//! It keeps four promises that the rest of the adapter need not think about: nothing leaves for another host (every URL
//! is checked to lie under the practice's base, redirects are not followed); bodies are bounded; what could identify a
//! person travels in bodies (`POST _search`), never in a URL; and neither bodies nor URLs are ever logged or put into
//! an error's `why`. Statuses become [`EffectError`], or the two [`Fault`]s that callers deal with themselves.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::json;
use super::outcome;
pub(super) use super::status::Fault;
use super::status::{Head, Sort, lost, refusal, unclear};
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

/// Bounds of one request. A poll's page makes up to seven of them one after the other (the page, requests, Tasks, patients
/// with their consents and others, who stands behind them, consents that a request names, and what is asked for one by
/// one), so a job that polls needs a longer time-out than a job that writes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest wait for a whole answer; below the job's own time-out.
    pub answer: Duration,
    /// Most bytes read of one answer, after decompression.
    pub body: usize,
    /// How long after a first "not there" the same is asked again before it counts.
    pub confirm: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(12),
            body: 10 * 1024 * 1024,
            confirm: Duration::from_secs(3),
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
    /// `Retry-After`: what a transaction's answer says for entries that must wait.
    pub(super) wait: Option<Duration>,
    /// `Date`: the server's own clock.
    pub(super) date: Option<Timestamp>,
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
    /// Opens the door to `base`; plain http only where `base` is on this machine or `plain_http` was chosen in the
    /// settings.
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
            return Ok(Answer { raw, location: None, etag: None, ..answer });
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
        body: String,
        if_match: Option<&str>,
    ) -> Result<Answer, Fault> {
        if NhsNumber::parse(id).is_ok() {
            let why =
                format!("the practice's system uses NHS numbers as ids of a {kind}: they may not stand in an address");
            return Err(Fault::Effect(EffectError::NeedsPerson { why }));
        }
        let url = self.resource(kind, id)?;
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
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs.iter().map(|(k, v)| (*k, v.as_str())));
        }
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
        let wait = head.wait(self.clock.now());
        Ok(Answer { raw, location, date: head.date(), etag: head.etag, wait })
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
        // A byte order mark is no reason to refuse what follows it.
        String::from_utf8(bytes)
            .map(|text| text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
            .map_err(|_| Fault::Effect(unclear(sort, "the practice's system sent text that is not UTF-8")))
    }
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
#[path = "client_tests.rs"]
mod tests;
