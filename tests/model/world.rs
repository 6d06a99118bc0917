//! One state of the model: where the referral stands, and everything around it that can still move.
//!
//! Small, copied and hashed a hundred million times. What is bounded here is bounded on purpose: the practice changes
//! its request so often, so many services are asked, so many attempts run at once. Crashes, lost answers and repeated
//! pages are not bounded: they lead back to states that are known already.

use wellbridge::referral::episode::Facts;
use wellbridge::referral::episode::Hold;
use wellbridge::referral::event::OfferMail;

/// Offers in one walk at most.
pub(crate) const OFFERS: usize = 3;
/// Filings in one walk at most.
pub(crate) const FILINGS: usize = 5;
/// Mails about one offer.
pub(crate) const KINDS: [OfferMail; 4] =
    [OfferMail::Offer, OfferMail::Reminder, OfferMail::Cancellation, OfferMail::PassedOn];

/// What the practice's record says at a moment: one version of the request, its patient and the consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    /// A referral like any other.
    Good,
    /// The same, with a rule of contact.
    Mornings,
    /// The same, read as another need.
    Reworded,
    /// Nobody may contact the person.
    Prohibited,
    /// The person said no to sharing.
    NoConsent,
    /// The NHS number fails its check.
    Unreadable,
    /// The words tell of a safety matter.
    Unsafe,
    /// The practice took it back.
    Revoked,
    /// The practice ended its Task, and left the request standing.
    TaskOver,
    /// The request names somebody else, or the same person by other details.
    Another,
}

impl Version {
    /// What intake finds in it.
    pub(crate) fn facts(self) -> Facts {
        let hold = match self {
            Self::Prohibited => Some(Hold::ContactProhibited),
            Self::NoConsent => Some(Hold::ConsentDeclined),
            Self::Unreadable => Some(Hold::BadNhsNumber),
            Self::TaskOver => Some(Hold::NotActive),
            Self::Good | Self::Mornings | Self::Reworded | Self::Unsafe | Self::Revoked | Self::Another => None,
        };
        Facts { hold, contact_prohibited: self == Self::Prohibited, ..Facts::default() }
    }

    /// Words in the request that differ from those of a good one.
    pub(crate) fn words(self) -> u8 {
        match self {
            Self::Reworded => 1,
            Self::Unsafe => 2,
            _ => 0,
        }
    }

    /// Who the person is.
    pub(crate) fn person(self) -> u8 {
        u8::from(self == Self::Another)
    }

    /// How the person may be contacted.
    pub(crate) fn contact(self) -> u8 {
        match self {
            Self::Mornings => 1,
            Self::Prohibited => 2,
            _ => 0,
        }
    }
}

/// Where a mail stands in the table of mails (`store::MailState`); `Never` has no row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Row {
    #[default]
    Never,
    Asked,
    Leaving,
    Sent,
    Unknown,
    Failed,
    Dropped,
}

/// One mail about an offer: its row, its job, and what lies in the partner's mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Letter {
    pub(crate) row: Row,
    pub(crate) queued: bool,
    /// At least one copy has arrived.
    pub(crate) arrived: bool,
    /// The ledger says that a second copy may come.
    pub(crate) said_unknown: bool,
}

/// The two deadlines of an offer, and how much time has passed: 0, the reminder's time, the last day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Timers {
    pub(crate) remind: bool,
    pub(crate) lapse: bool,
    pub(crate) elapsed: u8,
}

/// One filing's job, and the practice's record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Paper {
    pub(crate) queued: bool,
    pub(crate) in_record: bool,
    /// A carrier has it and will answer.
    pub(crate) with_carrier: bool,
}

/// What a job is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Job {
    #[default]
    None,
    Match,
    Mail(u8, u8),
    File(u8),
    Task,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The state was looked at again; nothing was done yet.
    #[default]
    Checked,
    /// A mail is written down as leaving.
    Leaves,
    /// The outside effect was tried, with this end; nothing of it is written down yet.
    Done(End),
}

/// What the other side did, or seemed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum End {
    Taken,
    Handed,
    Refused,
    Unknown,
    /// Nothing happened: again later.
    Nothing,
    /// Nothing happened, and the horizon has passed.
    GivenUp,
}

/// One attempt at a job, between its check and its last transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Attempt {
    pub(crate) job: Job,
    pub(crate) phase: Phase,
    /// The episode as it was read at the check, where the job goes on from it.
    pub(crate) seen: u32,
    /// An earlier attempt may have sent it.
    pub(crate) lost: bool,
    /// Another attempt has completed the job: this one's transaction will be refused.
    pub(crate) overtaken: bool,
    /// Another attempt runs at the very same job, not at another of its kind.
    pub(crate) twin: bool,
}

/// Everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Its number in the ledger of episodes.
    pub(crate) episode: u32,
    /// What the practice's record says now.
    pub(crate) truth: Version,
    /// The version last taken in.
    pub(crate) stored: Version,
    /// The last one that could be read.
    pub(crate) content: Version,
    /// Who the person was when somebody took them on; before that, who it is now.
    pub(crate) person: u8,
    /// Changes that the practice may still make.
    pub(crate) changes: u8,
    pub(crate) matches: u8,
    pub(crate) tasks: u8,
    pub(crate) letters: [[Letter; 4]; OFFERS],
    pub(crate) timers: [Timers; OFFERS],
    pub(crate) papers: [Paper; FILINGS],
    /// The coordination Task as it stands in the practice's system: a state's number, 0 where there is none.
    pub(crate) task: u8,
    /// Addresses that bounced, one bit a service.
    pub(crate) bad: u8,
    pub(crate) attempts: [Attempt; 2],
}

impl World {
    /// How many jobs of this kind wait or run.
    pub(crate) fn queued(&self, job: Job) -> u8 {
        match job {
            Job::None => 0,
            Job::Match => self.matches,
            Job::Task => self.tasks,
            Job::Mail(offer, kind) => self.letters[usize::from(offer)][usize::from(kind)].queued.into(),
            Job::File(filing) => self.papers[usize::from(filing)].queued.into(),
        }
    }

    /// Queues one more. A third match would find what the second finds: two are kept. The one Task job that waits or runs is
    /// the same one.
    pub(crate) fn enqueue(&mut self, job: Job) {
        match job {
            Job::None => {}
            Job::Match => self.matches = (self.matches + 1).min(2),
            Job::Task => self.tasks = 1,
            Job::Mail(offer, kind) => {
                let letter = &mut self.letters[usize::from(offer)][usize::from(kind)];
                letter.queued = true;
                if letter.row == Row::Never {
                    letter.row = Row::Asked;
                }
            }
            Job::File(filing) => self.papers[usize::from(filing)].queued = true,
        }
    }

    /// Completes the job of the attempt in `slot`, which ends. False where another attempt has completed it: then this
    /// one's transaction is dropped.
    pub(crate) fn complete(&mut self, slot: usize) -> bool {
        let Attempt { job, overtaken, twin, .. } = self.attempts[slot];
        if twin && !overtaken {
            self.attempts.iter_mut().filter(|a| a.twin).for_each(|a| a.overtaken = true);
        }
        self.end(slot);
        if !overtaken {
            self.completed(job);
        }
        !overtaken
    }

    /// A job is done; other attempts at the very same one are overtaken.
    pub(crate) fn completed(&mut self, job: Job) {
        match job {
            Job::None => {}
            Job::Match => self.matches -= 1,
            Job::Task => self.tasks -= 1,
            Job::Mail(offer, kind) => self.letter(offer, kind).queued = false,
            Job::File(filing) => self.papers[usize::from(filing)].queued = false,
        }
        while self.live(job) > self.queued(job) {
            let one = self.attempts.iter_mut().find(|a| a.job == job && !a.overtaken);
            one.expect("a live one was counted").overtaken = true;
        }
        self.in_order();
    }

    /// Attempts at jobs of this kind that can still win.
    pub(crate) fn live(&self, job: Job) -> u8 {
        self.attempts.iter().filter(|a| a.job == job && !a.overtaken).map(|_| 1).sum()
    }

    /// The attempt ends without a word: its process died, or it will be tried again.
    pub(crate) fn end(&mut self, slot: usize) {
        self.attempts[slot] = Attempt::default();
        self.attempts.iter_mut().for_each(|a| a.twin = false);
        self.in_order();
    }

    /// Attempts have no names: the running one first, so that the same state is the same value.
    pub(crate) fn in_order(&mut self) {
        self.attempts.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Nothing is queued, nothing runs, and the practice has said nothing that we have not read.
    pub(crate) fn is_quiet(&self) -> bool {
        self.matches == 0
            && self.tasks == 0
            && self.truth == self.stored
            && self.attempts[0].job == Job::None
            && self.letters.iter().flatten().all(|l| !l.queued)
            && self.papers.iter().all(|p| !p.queued)
    }

    /// One mail.
    pub(crate) fn letter(&mut self, offer: u8, kind: u8) -> &mut Letter {
        &mut self.letters[usize::from(offer)][usize::from(kind)]
    }
}
