//! A practice's clinical system, as the rest of Wellbridge sees it: poll, read, file.
//!
//! [`PracticeSystem`] is the port; [`fhir`] (FHIR R4 over HTTPS) is its first adapter, Send Document over MESH and
//! others come as further ones. What is *in* the port is the domain's language; no FHIR type leaves the adapter.
//! NHS routes are asynchronous, so filing answers [`Receipt::Filed`] or [`Receipt::Handed`].

pub mod fhir;

use jiff::Timestamp;

use crate::effect::EffectError;
use crate::referral::episode::{Closed, Hold, Moment};
use crate::referral::{FilingId, OfferId, Ons4, Referral, Sharing, Source};

/// One practice's system.
#[async_trait::async_trait]
pub trait PracticeSystem: Send + Sync {
    /// Reads one page of what changed. The first page starts at `since`; a later one at the `next` of the page before.
    /// Entries are parsed one by one: a bad entry is an [`Input::Unreadable`], never an error of the page. What `known`
    /// says was read in the same version is passed over: the practice pays for every call.
    async fn poll(&self, from: &PollFrom, known: &dyn LastRead) -> Result<Page, EffectError>;

    /// Those of these open requests that changed since then, with all that belongs to them: a request that reached us by
    /// a Task alone is shown by no search of [`PracticeSystem::poll`] when only the request changes. What is not found, or
    /// was read in the same version, is no news. For a system whose poll shows every change, none.
    async fn changed(
        &self,
        open: &[Source],
        since: Timestamp,
        known: &dyn LastRead,
    ) -> Result<Vec<Input>, EffectError> {
        let _ = (open, since, known);
        Ok(Vec::new())
    }

    /// Reads one request again, with its patient and consent, as the record stands now. What is not there is looked
    /// for a second time some seconds later before it counts as gone. A source that is no request's id (an entry that
    /// never had one) cannot be read again: [`EffectError::GiveUp`], nothing is asked, and what is known stays.
    async fn read(&self, source: &Source) -> Result<Input, EffectError>;

    /// Writes one clinical filing; doing it twice writes it once.
    async fn file(&self, filing: &ClinicalFiling) -> Result<Receipt, EffectError>;

    /// Makes the coordination Task say where the referral stands; creates it where the practice sent none.
    /// Returns `Task.id` and the version written, so that our own echo can be ignored at the next poll.
    async fn keep_task(&self, standing: &TaskStanding) -> Result<TaskWritten, EffectError>;

    /// One line for `wellbridge check`: what answered and how it names itself; an error says what to do.
    async fn check(&self) -> Result<String, EffectError>;
}

/// What is known here of a practice's requests. A poll looks back over some minutes each time and finds a request by
/// several searches: what was read whole in the version that is found need not be read again with all that belongs to it.
#[async_trait::async_trait]
pub trait LastRead: Send + Sync {
    /// How this request was last read; none where it is new, or must be read whatever its version.
    async fn last_read(&self, request: &str) -> Option<Versions>;
}

/// The versions in which a request and its Task were last read, or written by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// [`Source::version`].
    pub request: String,
    /// `Task.id` and `meta.versionId` of its coordination Task, where both are known.
    pub task: Option<(String, String)>,
}

/// Where a poll starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollFrom {
    /// Everything changed since then (the stored cursor less the overlap window); `None` is everything there is.
    Since(Option<Timestamp>),
    /// A page's own [`Page::next`], given back as it came; it is checked again to lie under the practice's own base.
    Next(String),
}

/// One page of a poll. A poll is several searches, one after the other; the cursor moves only after the page whose
/// `next` is `None`, and only if no page on the way had something `missing`.
#[derive(Debug)]
pub struct Page {
    /// What stood in it, in order; each referral once, a Task and its `ServiceRequest` together. A referral found by
    /// two of the searches comes once from each, with the same source and versions.
    pub inputs: Vec<Input>,
    /// Match entries read in this page.
    pub matches: u64,
    /// `Bundle.total` of the search this page belongs to, where the server says it.
    pub total: Option<u64>,
    /// On the last page of each search: how many different matches its pages promised that never came (told by `total`,
    /// or by one that came twice because the pages moved meanwhile). More than none means: read once more from the start, then alert and leave the cursor where it is.
    pub missing: u64,
    /// The practice's clock when it answered this page (its `Date` header, whole seconds), where it says it. What was
    /// "changed since" is judged by that clock: a cursor may stand no later than it said on the first page.
    pub server_time: Option<Timestamp>,
    /// What to ask for next, opaque; it may hold an address of the practice's system, so it is not for logs.
    pub next: Option<String>,
}

/// One entry of a page, read or not: nothing is lost.
#[derive(Debug)]
pub enum Input {
    /// A referral, and the JSON it was read from. A request that the practice took back comes so even if its patient
    /// cannot be read any more (then with an empty patient): a withdrawal must never wait.
    Readable(Box<Referral>, RawFhir),
    /// Something that should have been one: becomes a referral "held", once.
    Unreadable(Unreadable, RawFhir),
}

/// An entry that could not be read as a referral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Keyed by the request's id, else fullUrl, else the hash of the entry.
    pub source: Source,
    /// What is wrong.
    pub hold: Hold,
    /// The same for a practice manager: which field, what was expected, what to do. No personal data.
    pub explanation: String,
}

/// The JSON as it came, for the compressed, deduplicated raw store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFhir {
    /// The request, its Task, then what they referred to.
    pub documents: Vec<String>,
    /// `meta.versionId` of the coordination Task among them: where a poll finds it again ([`Versions::task`]), or the one
    /// we wrote ([`TaskWritten::version`]), with the request's own version, it is no news.
    pub task_version: Option<String>,
    /// `Task.id` of every Task about the same request that belongs to somebody else: where the one we know is among
    /// them, the practice gave it away.
    pub elsewhere: Vec<String>,
}

/// What is written at one of the two clinical moments.
#[derive(Clone, Debug, PartialEq)]
pub struct ClinicalFiling {
    /// Makes the write idempotent: the identifier of everything in the transaction.
    pub id: FilingId,
    /// Support started, or closed.
    pub moment: Moment,
    /// For which request.
    pub source: Source,
    /// The request as it was read a moment ago, before this filing was found to be allowed: it says in whose record is
    /// written. None where it is to be read.
    pub request: Option<String>,
    /// When it happened.
    pub occurred: Timestamp,
    /// What the person agreed may come back: full, codes only, nothing.
    pub sharing: Sharing,
    /// The person took up support: 871731000000106 may be coded, once an episode.
    pub person_accepted: bool,
    /// 871731000000106 was already coded by an earlier filing of this episode. The write is conditional as well, so a
    /// wrong `false` does no harm.
    pub already_coded: bool,
    /// Scores before support, where a partner or coordinator took them (not the practice's own baseline: it has that).
    pub before: Option<Taken>,
    /// Scores after.
    pub after: Option<Taken>,
    /// The message back, by PRSB heading; words are left out where sharing forbids them.
    pub message: MessageBack,
}

/// Scores that the partner of an offer took. Offer, moment and time together make them what they are in the record: the
/// same ones are written once, whichever filing brings them, and another partner's are others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// By the partner of which offer.
    pub offer: OfferId,
    /// When.
    pub at: Timestamp,
    /// The four answers.
    pub scores: Ons4,
}

/// The message back to the GP, PRSB Social Prescribing Information Standard headings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageBack {
    /// Which kind of help, and from whom.
    pub service: Option<String>,
    /// What was tried.
    pub tried: Option<String>,
    /// What helped.
    pub helped: Option<String>,
    /// What did not.
    pub did_not_help: Option<String>,
    /// Risks somebody reported.
    pub risks: Option<String>,
    /// How it ended, in words.
    pub outcome: Option<String>,
    /// The kind of help is itself sensitive (abuse, drugs, sexual health): all of the message is filed apart, under a
    /// restricting label. `risks` always are.
    pub sensitive: bool,
}

/// Where the referral stands, as its coordination Task says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStanding {
    /// For which request, and which Task where the practice sent one or we made one.
    pub source: Source,
    /// The coarse step.
    pub step: CoarseStep,
    /// References written by filings (`Observation/…`), for `Task.output`.
    pub outputs: Vec<String>,
    /// When the step was reached.
    pub since: Timestamp,
    /// When the referral last changed (something was filed, say), at that step.
    pub changed: Timestamp,
    /// What may return to the GP: under `Nothing` the Task says its state and gives no reason.
    pub sharing: Sharing,
    /// `meta.versionId` of the Task as it was last read or written, where known: a Task that somebody changed since is
    /// still written, but its new version is not returned as ours, so that the next poll takes the change in.
    pub seen: Option<String>,
    /// The request as it was last taken in, where this is the first try to write a Task and none is known: nothing of
    /// ours can be there, so it is made without looking for it (conditionally all the same).
    pub first: Option<String>,
}

/// The coarse steps a practice sees: FHIR Task.status with a `BSeR` business status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoarseStep {
    /// We have it.
    Received,
    /// A person is looking at it, or a service is being asked.
    Seeking,
    /// A partner took it and is arranging the first contact.
    Arranging,
    /// A first date is booked.
    Booked,
    /// The person did not come to a booked date.
    DidNotAttend,
    /// The person is being supported.
    Supported,
    /// It ended, this way.
    Closed(Closed),
    /// Taken back; the open offers are being cancelled.
    Withdrawing,
    /// Taken back.
    Withdrawn,
}

/// What came of a filing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// In the record, with the references written.
    Filed(Vec<String>),
    /// Given to a carrier that answers later; its receipt.
    Handed(String),
}

/// A Task as we wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskWritten {
    /// `Task.id`.
    pub id: String,
    /// `meta.versionId` of our own write, to be ignored at the next poll; none where nothing had to be written, where
    /// somebody else's change lies beneath it, or where the system keeps no versions.
    pub version: Option<String>,
    /// It was left as it is, since the practice paused it, ended it or gave it to somebody else, or since we ended it
    /// otherwise.
    pub left_alone: bool,
}
