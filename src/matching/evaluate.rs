//! Evaluation: the answer to each referral as one JSON line, for `score.py` and for anybody's own judging.

use jiff::civil::Date;
use serde::Serialize;

use super::{Decision, Match, Matcher};
use crate::{
    directory::Directory,
    referral::{NeedCode, Referral, ServiceId},
};

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

/// Matches every referral and gives a line each, in order.
pub fn evaluate<'r>(
    matcher: &Matcher,
    directory: &Directory,
    today: Date,
    referrals: impl IntoIterator<Item = (&'r str, &'r Referral)>,
) -> Vec<Line> {
    referrals
        .into_iter()
        .map(|(name, referral)| Line::of(name, &matcher.match_referral(referral, directory, today)))
        .collect()
}
