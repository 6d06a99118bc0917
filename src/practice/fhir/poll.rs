//! Polling: three searches one after the other (our Tasks, then requests by code, then by category), page by page; and
//! beside them the open requests we know, asked for by id: one that only a Task points to is found by none of the three
//! when only the request changes.
//!
//! The place in them is a [`Cursor`], which travels in [`Page::next`] as opaque text, so that the adapter keeps no
//! state between pages and a page can be read again. Every error here is an error of the page: nothing is skipped.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::FhirPractice;
use super::bundle::{self, Entry, Role};
use super::client::Fault;
use super::fetch::Fetch;
use super::intake::{version, version_id};
use super::json;
use super::owner::Whose;
use super::resolver::{Known, Resource};
use super::tally::Tally;
use crate::effect::EffectError;
use crate::practice::{Input, LastRead, Page, PollFrom, RawFhir, Unreadable};
use crate::referral::content::WhyUnread;
use crate::referral::episode::Hold;
use crate::referral::{Consent, Source};

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    Tasks,
    ByCode,
    ByCategory,
}

impl Stage {
    fn searched(self) -> &'static str {
        match self {
            Self::Tasks => "Task",
            Self::ByCode | Self::ByCategory => "ServiceRequest",
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::Tasks => Some(Self::ByCode),
            Self::ByCode => Some(Self::ByCategory),
            Self::ByCategory => None,
        }
    }
}

/// A place in a poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    stage: Stage,
    since: Option<Timestamp>,
    /// Pages of this search read before this one.
    pages: u32,
    /// Matches of this search counted before this page.
    #[serde(default)]
    tally: Tally,
    /// The page behind a `link[next]`; none for a search's first page.
    url: Option<String>,
}

impl Cursor {
    fn first(stage: Stage, since: Option<Timestamp>) -> Self {
        Self { stage, since, pages: 0, tally: Tally::default(), url: None }
    }

    fn text(&self) -> Result<String, EffectError> {
        serde_json::to_string(self).map_err(|_| EffectError::give_up("a poll's place could not be written", None))
    }
}

impl FhirPractice {
    /// See [`crate::practice::PracticeSystem::poll`].
    pub(super) async fn page(&self, from: &PollFrom, read: &dyn LastRead) -> Result<Page, EffectError> {
        let mut cursor = match from {
            PollFrom::Since(since) => {
                let first = if self.settings.organization.is_some() { Stage::Tasks } else { Stage::ByCode };
                Cursor::first(first, *since)
            }
            PollFrom::Next(text) => serde_json::from_str(text).map_err(|_| {
                EffectError::give_up("a poll was asked to go on from something that is no page's next", None)
            })?,
        };
        let url = match &cursor.url {
            Some(link) => self.client.link(link)?,
            None => self.first_page(cursor.stage, cursor.since).await?,
        };
        let answer = self.client.page(url.clone()).await?;
        let page = bundle::read(&answer.raw)?;
        let next = page.next.as_deref().map(|link| self.next_page(&cursor, &url, link)).transpose()?;

        let searched = cursor.stage.searched();
        let found: Vec<&Entry> = page.entries.iter().filter(|e| e.role(searched) == Role::Match).collect();
        let matches = found.len() as u64;
        cursor.tally.add(&found, page.total);
        let inputs = self.inputs(cursor.stage, page.entries, read).await?;
        let (missing, next) = if let Some(url) = next {
            (0, Some(Cursor { pages: cursor.pages + 1, url: Some(url), ..cursor }))
        } else {
            (cursor.tally.missing(), cursor.stage.next().map(|stage| Cursor::first(stage, cursor.since)))
        };
        let next = next.map(|n| n.text()).transpose()?;
        Ok(Page { inputs, matches, total: page.total, missing, server_time: answer.date, next })
    }

    async fn first_page(&self, stage: Stage, since: Option<Timestamp>) -> Result<Url, EffectError> {
        let mut pairs: Vec<(&str, String)> = match stage {
            Stage::Tasks => vec![("owner", self.owner().await?), ("_include", "Task:focus".to_owned())],
            Stage::ByCode => vec![("code", self.mappings.referral_search())],
            Stage::ByCategory => vec![("category", self.mappings.referral_search())],
        };
        if stage != Stage::Tasks {
            pairs.push(("_include", "ServiceRequest:subject".to_owned()));
        }
        if let Some(since) = since {
            pairs.push(("_lastUpdated", from(since)));
        }
        pairs.push(("_sort", "_lastUpdated".to_owned()));
        pairs.push(("_count", self.settings.page_size.to_string()));
        self.client.query(stage.searched(), &pairs)
    }

    /// The next page's address, if it lies under the base and the paging moves on.
    fn next_page(&self, cursor: &Cursor, current: &Url, link: &str) -> Result<String, EffectError> {
        let next = self.client.link(link)?;
        if next == *current || cursor.pages + 1 >= self.settings.max_pages {
            let why = "the practice's system keeps pointing to a next page without end; nothing was skipped, the \
                poll starts again";
            return Err(EffectError::retry(why));
        }
        Ok(next.into())
    }

    async fn inputs(&self, stage: Stage, entries: Vec<Entry>, read: &dyn LastRead) -> Result<Vec<Input>, EffectError> {
        let mut known = Known::new(Some(self.client.base().clone()));
        for entry in &entries {
            if let Some(resource) = &entry.resource {
                known.add(entry.full_url.as_deref(), Arc::clone(resource));
            }
        }
        let searched = stage.searched();
        let matches: Vec<&Entry> = entries.iter().filter(|e| e.role(searched) == Role::Match).collect();
        let found: Vec<Arc<Resource>> =
            matches.iter().filter_map(|e| e.resource.clone()).filter(|r| json::kind(&r.value) == searched).collect();
        let fetch = Fetch { client: &self.client };
        let about: Vec<(Arc<Resource>, Option<Arc<Resource>>)> = match stage {
            Stage::Tasks => {
                fetch.focuses(&mut known, &found).await?;
                found.into_iter().filter_map(|task| Some((focus(&known, &task)?, Some(task)))).collect()
            }
            Stage::ByCode | Stage::ByCategory => found.into_iter().map(|request| (request, None)).collect(),
        };
        let news = news(&about, read).await;
        let requests: Vec<Arc<Resource>> = about.into_iter().map(|(r, _)| r).filter(|r| is_among(&news, r)).collect();
        self.fetch_around(&mut known, &requests).await?;
        Ok(self.read_each(&known, &matches, searched, &news))
    }

    /// Tasks and everything else that belongs to these requests.
    pub(super) async fn fetch_around(&self, known: &mut Known, requests: &[Arc<Resource>]) -> Result<(), EffectError> {
        if requests.is_empty() {
            return Ok(());
        }
        let fetch = Fetch { client: &self.client };
        fetch.tasks(known, requests.iter().filter_map(|r| json::key(&r.value)).collect()).await?;
        fetch.around(known, requests).await
    }

    fn read_each(
        &self,
        known: &Known,
        matches: &[&Entry],
        searched: &str,
        news: &BTreeSet<Option<String>>,
    ) -> Vec<Input> {
        let reader = self.reader(known);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut inputs = Vec::new();
        for entry in matches {
            let full_url = entry.full_url.as_deref();
            let Some(resource) = entry.resource.as_ref().filter(|r| json::kind(&r.value) == searched) else {
                inputs.push(reader.stray(full_url, &entry.raw));
                continue;
            };
            let request = if searched == "Task" { focus(known, resource) } else { Some(Arc::clone(resource)) };
            let Some(request) = request else {
                inputs.push(reader.task_alone(resource));
                continue;
            };
            let key = json::key(&request.value).unwrap_or_else(|| request.raw.clone());
            if is_among(news, &request) && seen.insert(key) {
                let task = self.task_of(known, &request).or_else(|| (searched == "Task").then(|| Arc::clone(resource)));
                let full_url = full_url.filter(|_| searched != "Task");
                inputs.push(reader.input(full_url, &request, task.as_deref()));
            }
        }
        inputs
    }

    /// Our Task about a request: an open one before a closed one, then the one changed last.
    pub(super) fn task_of(&self, known: &Known, request: &Resource) -> Option<Arc<Resource>> {
        let ours = known.tasks_about(&request.value).filter(|task| self.is_ours(known, task));
        ours.max_by_key(|task| {
            let open = !matches!(
                task.value["status"].as_str(),
                Some("cancelled" | "entered-in-error" | "rejected" | "failed" | "completed")
            );
            (open, json::moment(&task.value["meta"]["lastUpdated"]), json::key(&task.value))
        })
        .cloned()
    }

    /// Owned by our Organization, or made by us and given to nobody else.
    fn is_ours(&self, known: &Known, task: &Resource) -> bool {
        let made = json::list(&task.value["identifier"]).any(|i| i["system"] == self.mappings.write.episode.as_str());
        match self.us().whose(known, &task.value) {
            Whose::Ours => true,
            Whose::Unsaid => made,
            Whose::Anothers => false,
        }
    }

    /// See [`crate::practice::PracticeSystem::changed`].
    pub(super) async fn changed_of(
        &self,
        open: &[Source],
        since: Timestamp,
        read: &dyn LastRead,
    ) -> Result<Vec<Input>, EffectError> {
        if self.settings.organization.is_some() {
            self.owner().await?;
        }
        let ids = open.iter().map(|s| s.request.as_str()).filter(|id| is_request_id(id));
        let mut requests = Fetch { client: &self.client }.changed(ids, &from(since)).await?;
        let about: Vec<_> = requests.iter().map(|request| (Arc::clone(request), None)).collect();
        let news = news(&about, read).await;
        requests.retain(|request| is_among(&news, request));
        let mut known = Known::new(Some(self.client.base().clone()));
        for request in &requests {
            known.add(None, Arc::clone(request));
        }
        self.fetch_around(&mut known, &requests).await?;
        let reader = self.reader(&known);
        let read = |request: &Arc<Resource>| reader.input(None, request, self.task_of(&known, request).as_deref());
        Ok(requests.iter().map(read).collect())
    }

    /// See [`crate::practice::PracticeSystem::read`].
    pub(super) async fn reread(&self, source: &Source) -> Result<Input, EffectError> {
        if !is_request_id(&source.request) {
            return Err(EffectError::give_up(
                "what the practice's system sent has no request id to read it by: it is read when it is sent again",
                None,
            ));
        }
        if self.settings.organization.is_some() {
            self.owner().await?;
        }
        let first = self.reread_once(source).await?;
        if is_sound(&first) {
            return Ok(first);
        }
        // What is not there takes back every open offer, and a server in trouble says so of things that are there.
        tokio::time::sleep(self.settings.limits.confirm).await;
        self.reread_once(source).await
    }

    async fn reread_once(&self, source: &Source) -> Result<Input, EffectError> {
        let held = |explanation: &str| {
            let unreadable = Unreadable {
                source: source.clone(),
                hold: Hold::UnreadableRequest,
                explanation: explanation.to_owned(),
            };
            Ok(Input::Unreadable(unreadable, RawFhir::default()))
        };
        let mut known = Known::new(Some(self.client.base().clone()));
        let fetch = Fetch { client: &self.client };
        let key = format!("ServiceRequest/{}", source.request);
        let (read, tasks) = tokio::join!(
            self.client.read("ServiceRequest", &source.request),
            fetch.tasks(&mut known, BTreeSet::from([key])),
        );
        let request = match read {
            Ok(answer) => Arc::new(Resource { value: answer.value()?, raw: answer.raw }),
            Err(Fault::Missing) => {
                return held(
                    "The practice's system does not have this request any more. Ask the practice whether it was \
                        taken back.",
                );
            }
            Err(Fault::Effect(EffectError::GiveUp { .. })) => {
                return held(
                    "The practice's system refuses to give this request again. Ask the practice to send it again.",
                );
            }
            Err(other) => return Err(other.into()),
        };
        tasks?;
        known.add(None, Arc::clone(&request));
        fetch.around(&mut known, &[Arc::clone(&request)]).await?;
        let task = self.task_of(&known, &request);
        Ok(self.reader(&known).input(None, &request, task.as_deref()))
    }
}

/// The requests (by `Type/id`; one without an id has none) that must be read with all that belongs to them.
///
/// A poll looks back over the minutes before its cursor and finds one request by several searches; a request that stands
/// here as it is, whose Task (where that was found) is as we read or wrote it, was read whole then. Nothing that safety
/// rests on is left out by passing it over: `_lastUpdated` of a request never told of its patient or consents, so that a
/// change of theirs was noticed here by chance, for some minutes. They are read again, always, before anything is sent,
/// filed or shown, and daily. What could not be read, or waits for a person, is not passed over: it may be well now.
async fn news(about: &[(Arc<Resource>, Option<Arc<Resource>>)], read: &dyn LastRead) -> BTreeSet<Option<String>> {
    let mut news = BTreeSet::new();
    for (request, task) in about {
        let known = match json::text(&request.value["id"]) {
            Some(id) => read.last_read(id).await,
            None => None,
        };
        let is_old = known.is_some_and(|known| {
            let named = |task: &Resource| Some((json::text(&task.value["id"])?.to_owned(), version_id(&task.value)?));
            let same_task = task.as_ref().is_none_or(|task| known.task.is_some() && known.task == named(task));
            known.request == version(request) && same_task
        });
        if !is_old {
            news.insert(json::key(&request.value));
        }
    }
    news
}

fn is_among(news: &BTreeSet<Option<String>>, request: &Resource) -> bool {
    news.contains(&json::key(&request.value))
}

/// What changed then or later, as a search says it.
fn from(since: Timestamp) -> String {
    format!("ge{}", since.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

/// Whether a source's request is the id of a `ServiceRequest`, not the name that intake gave to an entry without one: a
/// `fullUrl`, another type's `Type/id`, or a hash.
fn is_request_id(request: &str) -> bool {
    let fhir_id =
        (1..=64).contains(&request.len()) && request.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    fhir_id && !is_hash(request)
}

/// Whether a name is one that `intake::hash` made.
fn is_hash(name: &str) -> bool {
    name.strip_prefix("sha256-").is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether nothing that was read says that something is not there.
fn is_sound(input: &Input) -> bool {
    match input {
        Input::Readable(referral, _) => {
            referral.consent != Consent::Unreadable && !referral.unread.iter().any(|u| u.why == WhyUnread::Missing)
        }
        Input::Unreadable(unreadable, _) => {
            !matches!(unreadable.hold, Hold::UnreadableRequest | Hold::PatientUnreadable)
        }
    }
}

/// The request a Task is about.
fn focus(known: &Known, task: &Resource) -> Option<Arc<Resource>> {
    known.find(&known.target(&task.value["focus"])).filter(|r| json::kind(&r.value) == "ServiceRequest").cloned()
}
