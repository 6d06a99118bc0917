//! What waits in the queue: the arguments of every job, and which effect becomes which job.
//!
//! Arguments name things by id and carry no personal data. The workers are in `jobs`, one a file; these structs are
//! here because an effect becomes a job in the ledger's own transaction. A new kind is registered on every replica one
//! release before anything enqueues it.

use jiff::Timestamp;
use riverqueue::{InsertOpts, JobArgs, JobState, UniqueOpts};
use serde::{Deserialize, Serialize};

use super::{Edge, StoreError, Tx};
use crate::referral::episode::Episode;
use crate::referral::event::{Alert, Effect, OfferMail};
use crate::referral::{AlertId, FilingId, OfferId, PracticeId, ProgrammeId, ReferralId};

/// Reads what changed at one practice.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "poll_practice", unique(by_args))]
pub struct PollPractice {
    /// Which.
    #[river(unique)]
    pub practice: PracticeId,
    /// The regular poll: the time between two of them, in ms. None for a poll on demand.
    #[river(unique)]
    pub tick: Option<i64>,
    /// Where a long poll goes on; none at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<PollPlace>,
}

/// How far a poll has come that is too long for one job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PollPlace {
    /// When its first page was asked for, by the earlier of our clock and the practice's: where the cursor moves to after
    /// its last.
    pub began: Timestamp,
    /// The page to ask for, as the adapter gave it; none for the first.
    pub next: Option<String>,
    /// Pages read before it.
    pub pages: u32,
    /// Entries that were promised and did not come, so far.
    pub missing: u64,
    /// Everything is being read once more, because entries were missing.
    pub again: bool,
}

/// Reads one referral again at its practice, and its patient and consent.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "read_again")]
pub struct ReadAgain {
    /// Which.
    pub referral: ReferralId,
}

/// Matches a referral whose needs are `received`, and offers where the programme lets the machine.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "match_referral")]
pub struct MatchReferral {
    /// Which.
    pub referral: ReferralId,
}

/// Sends one mail about an offer.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "send_offer_mail")]
pub struct SendOfferMail {
    /// Of which referral.
    pub referral: ReferralId,
    /// About which offer.
    pub offer: OfferId,
    /// Which mail.
    pub mail: OfferMail,
}

/// Sends the one-time code that opens who the person is.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "send_code")]
pub struct SendCode {
    /// Of which referral.
    pub referral: ReferralId,
    /// For which offer.
    pub offer: OfferId,
    /// Which code: a newer one replaces it.
    pub ordinal: i64,
}

/// Looks at an offer nobody answered: reminds, or lets it lapse.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "chase_offer")]
pub struct ChaseOffer {
    /// Of which referral.
    pub referral: ReferralId,
    /// Which offer.
    pub offer: OfferId,
    /// What for.
    pub why: Chase,
}

/// Why an offer is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chase {
    /// The one reminder.
    Remind,
    /// The deadline.
    Lapse,
}

/// Makes the coordination Task say where the referral stands (a reconciler: it writes what is true when it runs).
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "keep_task")]
pub struct KeepTask {
    /// Of which referral.
    pub referral: ReferralId,
}

/// Writes one filing to the record.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "file_record")]
pub struct FileRecord {
    /// Of which referral.
    pub referral: ReferralId,
    /// Which filing.
    pub filing: FilingId,
}

/// Tells the duty address, and again until somebody opens it.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "send_alert")]
pub struct SendAlert {
    /// Which alert.
    pub alert: AlertId,
    /// 0 at once, 1 after half an hour, from 2 on to the second address.
    pub step: i64,
    /// What there is to tell. (A release that does not know it yet takes it for a trouble that was told already.)
    #[serde(default, skip_serializing_if = "News::is_trouble")]
    pub news: News,
}

/// What an alert's mail tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// What the alert is about.
    #[default]
    Trouble,
    /// What it was about is well again.
    WellAgain,
}

impl News {
    /// Whether it is a trouble.
    pub const fn is_trouble(&self) -> bool {
        matches!(self, Self::Trouble)
    }
}

/// Starts a sync of one directory feed.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "sync_directory")]
pub struct SyncDirectory {
    /// Which feed.
    pub feed: String,
    /// Which run of it; pages of one run are put together when the last has come.
    pub run: String,
    /// Which page, from 1.
    pub page: u64,
}

/// Once an hour: what waits too long, what is read again daily, what has been kept long enough.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "tick")]
pub struct Tick {
    /// The hour it stands for, in hours since 1970.
    pub hour: i64,
}

/// At that time, not before.
pub fn due(when: Timestamp) -> InsertOpts {
    InsertOpts::default().with_scheduled_at(when)
}

/// One job of these arguments at a time: a second one while it waits or runs is the same one.
pub fn once() -> InsertOpts {
    InsertOpts::default().with_unique(UniqueOpts::new().with_by_args(true).with_by_state([
        JobState::Available,
        JobState::Pending,
        JobState::Running,
        JobState::Retryable,
        JobState::Scheduled,
    ]))
}

/// Turns what the lifecycle asked for into jobs, in the transaction that recorded the event.
pub(super) async fn enqueue_effects(
    tx: &mut Tx,
    episode: &Episode,
    effects: Vec<Effect>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let referral = episode.id;
    let moves_on = effects.iter().any(|effect| match effect {
        Effect::Match => episode.is_only_received(),
        Effect::File(..) => true,
        _ => false,
    });
    for effect in effects {
        match effect {
            // What moves the referral on at once has the Task written when it is done, or could not be: the practice is
            // called once for both steps (see `jobs::task::meanwhile`).
            Effect::KeepTask if moves_on => 0,
            Effect::Match => tx.enqueue(MatchReferral { referral }, InsertOpts::default()).await?,
            Effect::Mail(offer, mail) => {
                tx.ask_for_offer_mail(episode, offer, mail, now).await?;
                tx.enqueue(SendOfferMail { referral, offer, mail }, InsertOpts::default()).await?
            }
            Effect::RemindAt(offer, when) => {
                tx.enqueue(ChaseOffer { referral, offer, why: Chase::Remind }, due(when)).await?
            }
            Effect::LapseAt(offer, when) => {
                tx.enqueue(ChaseOffer { referral, offer, why: Chase::Lapse }, due(when)).await?
            }
            // It writes what is true when it runs: one that waits or runs will do for this step as well (see `jobs::task`).
            Effect::KeepTask => tx.enqueue(KeepTask { referral }, once()).await?,
            Effect::File(filing, _) => tx.enqueue(FileRecord { referral, filing }, InsertOpts::default()).await?,
            Effect::Alert(alert) => tx.raise(&episode.programme, Some(referral), alert, now).await?,
        };
    }
    Ok(())
}

impl Tx {
    /// Raises an alert: the duty address is told at once by a job of its own.
    pub async fn raise(
        &mut self,
        programme: &ProgrammeId,
        referral: Option<ReferralId>,
        alert: Alert,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let id = self.insert_alert(programme, referral, alert, None, now).await?;
        self.tell(id, News::Trouble, InsertOpts::default().with_priority(1)).await
    }

    /// Raises the alert that an edge fails.
    pub async fn raise_failing(
        &mut self,
        programme: &ProgrammeId,
        edge: &Edge,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let id = self.insert_alert(programme, None, Alert::EdgeFailing, Some(edge), now).await?;
        self.tell(id, News::Trouble, InsertOpts::default().with_priority(1)).await
    }

    pub(super) async fn tell(&mut self, alert: AlertId, news: News, opts: InsertOpts) -> Result<i64, StoreError> {
        self.enqueue(SendAlert { alert, step: 0, news }, opts).await
    }
}
