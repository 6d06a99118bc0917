//! The feed over HTTP: HSDS-UK 3.0 `GET /services?page=N&per_page=…`, then `GET /services/{id}`, because lists are
//! shallow.
//!
//! Shaped for jobs: one page is one call, one service is one call, [`Feed::services`] reads the services of a page,
//! four at a time. Bodies are bounded, requests time out, no redirect leaves the feed's host, and every failure says
//! what to do ([`EffectError`]).

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, StatusCode, redirect};
use serde_json::Value;
use url::Url;

use super::{BadService, Envelope, service};
use crate::{directory::Service, effect::EffectError, referral::ServiceId, tls};

/// A page of a list or one service; real ones are far below.
const LARGEST_BODY: usize = 16 * 1024 * 1024;
/// Details read at the same time: a council's server is not ours to load.
const AT_ONCE: usize = 4;
const PER_PAGE: u32 = 50;
/// More pages than any real directory has: a server that counts without end.
const MOST_PAGES: u32 = 10_000;

/// A directory feed on somebody's server.
#[derive(Clone, Debug)]
pub struct Feed {
    base: Url,
    client: Client,
}

/// One page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPage {
    /// The services on it, in order.
    pub services: Vec<ServiceId>,
    /// Entries of the page without an id: they cannot be asked for.
    pub without_id: usize,
    /// How many pages there are in all.
    pub total_pages: u32,
}

impl Feed {
    /// A reader of the feed at `base`, the address to which `/services` is added. `timeout` is for one whole request.
    pub fn new(base: Url, timeout: Duration) -> Result<Self, EffectError> {
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(EffectError::NeedsPerson {
                why: "the directory's address must begin with https://".to_owned(),
            });
        }
        let home = (base.scheme().to_owned(), base.host_str().unwrap_or("").to_owned(), base.port_or_known_default());
        let policy = redirect::Policy::custom(move |attempt| {
            let to = attempt.url();
            let same = (to.scheme().to_owned(), to.host_str().unwrap_or("").to_owned(), to.port_or_known_default());
            if same == home && attempt.previous().len() <= 3 { attempt.follow() } else { attempt.stop() }
        });
        let client = Client::builder()
            .redirect(policy)
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .user_agent(concat!("wellbridge/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| EffectError::NeedsPerson { why: "the directory's HTTP client cannot be set up".to_owned() })?;
        Ok(Self { base, client })
    }

    /// One page of the list, counted from 1.
    pub async fn page(&self, number: u32) -> Result<FeedPage, EffectError> {
        let mut url = self.address(&["services"])?;
        url.query_pairs_mut().append_pair("page", &number.to_string()).append_pair("per_page", &PER_PAGE.to_string());
        let list = self.get(url).await?;
        let envelope = Envelope::of(&list)
            .map_err(|e| EffectError::NeedsPerson { why: format!("page {number} of the directory: {e}") })?;
        let entries = envelope.entries(&list);
        let services: Vec<ServiceId> =
            entries.iter().filter_map(|e| super::text::field(e, "id")).map(ServiceId::new).collect();
        let total_pages = envelope.total_pages(&list);
        if total_pages > MOST_PAGES {
            let why = format!("the directory says that it has {total_pages} pages: more than can be true");
            return Err(EffectError::NeedsPerson { why });
        }
        Ok(FeedPage { without_id: entries.len() - services.len(), services, total_pages })
    }

    /// One service in full. `Ok(Err(_))` is a service that was there and could not be read: it costs itself only.
    pub async fn service(&self, id: &ServiceId) -> Result<Result<Service, BadService>, EffectError> {
        let object = self.get(self.address(&["services", id.as_str()])?).await?;
        Ok(service(&object))
    }

    /// The services of a page in full, a few at a time, in order. One that is gone (404, 410) is left out; any other
    /// failure fails the page, so that it is read again and nothing is lost.
    pub async fn services(&self, ids: &[ServiceId]) -> Result<Vec<Result<Service, BadService>>, EffectError> {
        let read = stream::iter(ids.to_vec()).map(|id| async move { self.present(&id).await }).buffered(AT_ONCE);
        let all: Vec<Option<_>> = read.try_collect().await?;
        Ok(all.into_iter().flatten().collect())
    }

    async fn present(&self, id: &ServiceId) -> Result<Option<Result<Service, BadService>>, EffectError> {
        match self.service(id).await {
            Ok(read) => Ok(Some(read)),
            Err(EffectError::GiveUp { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn address(&self, path: &[&str]) -> Result<Url, EffectError> {
        let mut url = self.base.clone();
        url.set_query(None);
        url.path_segments_mut()
            .map_err(|()| EffectError::NeedsPerson { why: "the directory's address has no path".to_owned() })?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn get(&self, url: Url) -> Result<Value, EffectError> {
        let answer = self.client.get(url).header("accept", "application/json").send().await;
        let answer = answer.map_err(|e| {
            if tls::error_behind(&e).is_some_and(tls::is_bad_certificate) {
                let why = "the directory shows a certificate that cannot be trusted: look at the certificate, at the name in \
                           its address, and at the authorities that this machine knows";
                return EffectError::NeedsPerson { why: why.to_owned() };
            }
            let how = if e.is_timeout() { "did not answer in time" } else { "could not be reached" };
            EffectError::retry(format!("the directory {how}"))
        })?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refusal(status, retry_after(&answer)));
        }
        let mut body = Vec::new();
        let mut answer = answer;
        let broke_off = |_| EffectError::retry("the directory's answer broke off");
        while let Some(part) = answer.chunk().await.map_err(broke_off)? {
            if body.len() + part.len() > LARGEST_BODY {
                let why = format!("the directory's answer is larger than {} MB", LARGEST_BODY / 1024 / 1024);
                return Err(EffectError::NeedsPerson { why });
            }
            body.extend_from_slice(&part);
        }
        serde_json::from_slice(&body)
            .map_err(|_| EffectError::retry("the directory answered with something that is not JSON"))
    }
}

fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let seconds = answer.headers().get("retry-after")?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.min(24 * 3600)))
}

fn refusal(status: StatusCode, after: Option<Duration>) -> EffectError {
    let why = format!("the directory answered {}", status.as_u16());
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => EffectError::give_up(why, None),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => EffectError::NeedsPerson { why },
        s if s.is_redirection() => EffectError::NeedsPerson {
            why: format!("{why}: it wants to send us to another address, which is not followed"),
        },
        s if s.is_client_error() && s != StatusCode::TOO_MANY_REQUESTS && s != StatusCode::REQUEST_TIMEOUT => {
            EffectError::NeedsPerson { why }
        }
        _ => EffectError::RetryAfter { after, why },
    }
}

#[cfg(test)]
mod tests;
