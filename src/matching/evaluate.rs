//! Evaluation: the answer to each referral as one JSON line, for `score.py` and for anybody's own judging.

use serde::Serialize;

use super::{Decision, Match};
use crate::referral::{NeedCode, ServiceId};

/// One line of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The referral's name: its file's, without the ending.
    pub referral: String,
    /// What should happen.
    pub decision: Decision,
    /// A safety matter or a missing consent was read.
    pub safety: bool,
    /// The service that would be emailed now.
    pub offer: Option<ServiceId>,
    /// Services for the main need, best first.
    pub ranked: Vec<ServiceId>,
    /// The needs, the main one first.
    pub needs: Vec<NeedCode>,
}

impl Line {
    /// The line of one match.
    pub fn of(referral: impl Into<String>, found: &Match) -> Self {
        let ranked = found.needs.first().map(|n| n.candidates.iter().map(|c| c.service.clone()).collect());
        Self {
            referral: referral.into(),
            decision: found.decision,
            safety: !found.safety.is_empty(),
            offer: found.offer.clone(),
            ranked: ranked.unwrap_or_default(),
            needs: found.needs.iter().map(|n| n.need.clone()).collect(),
        }
    }
}
