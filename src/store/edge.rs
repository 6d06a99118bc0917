//! What may be failing: an edge of the service (a practice's system, the mail server, a directory feed, the bank holidays),
//! or the jobs of one kind for one practice.
//!
//! It is told once, when it begins, and is well with the first success of the same kind for the same practice. Well *again*
//! it is when it has been well for [`SETTLED_AFTER`]: then that is told too. What fails anew before that is the same failing
//! still, and nobody hears of it.
//! Each says whose it is, so that one practice's trouble neither hides nor ends another's, and nobody is shown a
//! practice of another programme. In the database its JSON is its key.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::referral::{PracticeId, ProgrammeId};

/// So long must something be well before it is said to be.
pub const SETTLED_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Something that works or fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// A practice's system, as polls find it.
    Practice(ProgrammeId, PracticeId),
    /// The mail server: one for every kind of mail and every programme.
    Mail,
    /// A directory feed.
    Feed(String),
    /// The bank holidays, which deadlines are counted with: the days known soon end.
    BankHolidays,
    /// Jobs of this kind say that only a person can put something right.
    Job(String, Whose),
    /// Jobs of this kind cannot say what is wrong: their time runs out, or the store refuses.
    Stuck(String, Whose),
}

/// Whose trouble it is when a job fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// The service's own, or nobody knows.
    Everybody,
    /// A programme's, whatever the practice.
    Programme(ProgrammeId),
    /// A practice's, within its programme.
    Practice(ProgrammeId, PracticeId),
    /// A directory feed's, which every programme uses.
    Feed(String),
}

impl Edge {
    /// The one programme that it matters to; none where it matters to all.
    pub fn programme(&self) -> Option<&ProgrammeId> {
        match self {
            Self::Practice(programme, _)
            | Self::Job(_, Whose::Programme(programme) | Whose::Practice(programme, _))
            | Self::Stuck(_, Whose::Programme(programme) | Whose::Practice(programme, _)) => Some(programme),
            Self::Mail | Self::Feed(_) | Self::BankHolidays | Self::Job(..) | Self::Stuck(..) => None,
        }
    }

    /// The practice that it is about, where it is about one.
    pub fn practice(&self) -> Option<&PracticeId> {
        match self {
            Self::Practice(_, practice)
            | Self::Job(_, Whose::Practice(_, practice))
            | Self::Stuck(_, Whose::Practice(_, practice)) => Some(practice),
            _ => None,
        }
    }

    /// The feed that it is about, where it is about one.
    pub fn feed(&self) -> Option<&str> {
        match self {
            Self::Feed(feed) | Self::Job(_, Whose::Feed(feed)) | Self::Stuck(_, Whose::Feed(feed)) => Some(feed),
            _ => None,
        }
    }

    /// Whether it is about jobs of this kind.
    pub fn is_of(&self, kind: &str) -> bool {
        matches!(self, Self::Job(of, _) | Self::Stuck(of, _) if of == kind)
    }

    /// Whether a job's success for `done` shows that it is well, where it is about jobs of that kind.
    pub fn ends_with(&self, done: &Whose) -> bool {
        match (self, done) {
            (Self::Job(_, Whose::Everybody) | Self::Stuck(_, Whose::Everybody), _) => true,
            (Self::Job(_, Whose::Programme(a)) | Self::Stuck(_, Whose::Programme(a)), Whose::Practice(b, _)) => a == b,
            (Self::Job(_, whose) | Self::Stuck(_, whose), done) => whose == done,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_ends_what_is_its_own_and_nobody_elses() {
        let practice = |programme: &str, practice: &str| Whose::Practice(programme.into(), practice.into());
        let programme = |programme: &str| Whose::Programme(programme.into());
        for (failing, done, ends) in [
            (practice("leeds", "beech-lane"), practice("leeds", "beech-lane"), true),
            (practice("leeds", "beech-lane"), practice("leeds", "burton-croft"), false),
            (practice("leeds", "beech-lane"), programme("leeds"), false),
            (practice("leeds", "beech-lane"), Whose::Everybody, false),
            (programme("leeds"), practice("leeds", "beech-lane"), true),
            (programme("leeds"), practice("york", "minster"), false),
            (Whose::Feed("city".into()), Whose::Feed("city".into()), true),
            (Whose::Feed("city".into()), Whose::Feed("county".into()), false),
            (Whose::Everybody, practice("york", "minster"), true),
        ] {
            for edge in [Edge::Job("keep_task".into(), failing.clone()), Edge::Stuck("keep_task".into(), failing)] {
                assert_eq!(edge.ends_with(&done), ends, "{edge:?} and {done:?}");
            }
        }
        assert!(!Edge::Mail.ends_with(&Whose::Everybody), "only a mail that was sent shows that mail goes");
    }
}
