//! How every scenario ends: everything around the service heals, time passes until nothing waits for a machine, and the
//! coordinator sees to what the practice's system refused. Only then is it looked at.

use jiff::SignedDuration;
use wellbridge::referral::episode::OfferStatus;

use super::queue;
use super::stage::Stage;

/// Every kind of job.
pub(super) const KINDS: [&str; 11] = [
    "poll_practice",
    "read_again",
    "match_referral",
    "send_offer_mail",
    "send_code",
    "chase_offer",
    "keep_task",
    "file_record",
    "send_alert",
    "sync_directory",
    "tick",
];
/// The longest wait between two tries, and a little.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(250);
/// Every deadline of an offer lies within.
const A_FORTNIGHT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// More than a programme asks for one need, by machine and by hand.
const MOST_TRIES: usize = 12;

impl Stage {
    /// Everything comes to rest.
    pub(crate) async fn comes_to_rest(&mut self) {
        self.heals().await;
        self.polls().await;
        self.tries_end().await;
        for _ in 0..MOST_TRIES {
            if !self.somebody_is_asked().await {
                break;
            }
            self.time_passes(A_FORTNIGHT).await;
        }
        assert!(!self.somebody_is_asked().await, "a partner is asked for ever");
        // What waits too long for a person is told.
        self.time_passes(A_FORTNIGHT).await;
        self.polls().await;
        self.sees_to_filings().await;
        self.tries_end().await;
    }

    /// Whatever is still tried again succeeds or is given up, now that everything is well.
    async fn tries_end(&self) {
        for _ in 0..4 {
            if self.jobs_in("retryable").await.is_empty() {
                return;
            }
            self.time_passes(LONGEST_WAIT).await;
        }
        let left = self.jobs_in("retryable").await;
        assert!(left.is_empty(), "all is well, and these are tried for ever: {left:?}");
    }

    /// The kinds of which there are jobs in this state.
    pub(super) async fn jobs_in(&self, state: &str) -> Vec<&'static str> {
        queue::drain(&self.world).await;
        let mut found = Vec::new();
        for kind in KINDS {
            if self.world.jobs_of(kind, state).await > 0 {
                found.push(kind);
            }
        }
        found
    }

    async fn somebody_is_asked(&self) -> bool {
        let all: Vec<_> = self.sent.borrow().iter().map(|(_, sent)| sent.clone()).collect();
        for sent in all {
            let Some((_, episode)) = self.episode(&sent).await else { continue };
            if episode.offers.iter().any(|offer| offer.status == OfferStatus::Requested) {
                return true;
            }
        }
        false
    }
}
