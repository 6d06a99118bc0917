//! What must be so in the end, seen from within. What can be seen from outside is looked at by `tests/checker`.

use std::collections::BTreeMap;

use wellbridge::demo::practice::Deed;
use wellbridge::referral::episode::{AttentionKind, Episode, FilingStatus, NeedState, SupportedBy};
use wellbridge::referral::event::Alert;
use wellbridge::store::{AlertRow, ListFilter};

use super::stage::Stage;
use super::support::story::Sent;
use super::support::world::{DUTY, SECOND_DUTY};

/// The start of every identifier of ours in a practice's record.
const OURS: &str = "https://wellbridge.example/fhir/Id/";

impl Stage {
    /// Everything that must be so when all is at rest.
    pub(crate) async fn is_as_it_must_be(&self) {
        let verified = self.world.service.store.verify(|_, _| {}).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
        let listed = self.world.service.store.list(&ListFilter::default()).await.unwrap();
        assert!(listed.len() <= self.sent.borrow().len(), "one request is one referral");
        assert_eq!(self.jobs_in("running").await, [""; 0], "at rest nothing runs");
        self.nothing_was_created_twice();
        let all: Vec<_> = self.sent.borrow().iter().map(|(_, sent)| sent.clone()).collect();
        for (index, sent) in all.iter().enumerate() {
            self.of_referral(index, sent).await;
        }
    }

    async fn of_referral(&self, index: usize, sent: &Sent) {
        let Some((id, episode)) = self.episode(sent).await else {
            let status =
                self.practice().resource("ServiceRequest", &sent.request).unwrap_or_default()["status"].clone();
            assert_ne!(status, "active", "referral {index} was never taken in");
            return;
        };
        every_need_is_owned(index, &episode);
        let alerts = self.world.service.store.alerts_of(id).await.unwrap();
        for alert in &alerts {
            assert!(alert.opened.is_some() || self.was_mailed(alert), "referral {index}: nobody was told: {alert:?}");
        }
        let told_of = |kind: Alert| alerts.iter().any(|alert| alert.kind == kind);
        let waits = episode.needs.iter().any(|need| matches!(need.state, NeedState::Held(_) | NeedState::Proposed(_)));
        assert!(!waits || !alerts.is_empty(), "referral {index} waits for a person, and nobody was told");
        let worried = self.worried.borrow().contains(&index);
        assert!(!worried || told_of(Alert::RiskReported), "referral {index}: a worry was taken down and nobody told");
        let refused = episode.filings.iter().any(|filing| filing.status == FilingStatus::Refused);
        assert!(!refused || told_of(Alert::FilingRefused), "referral {index}: refused by the record, and nobody told");
        // A partner's worry, or a safety matter that the practice wrote after a partner had taken the person on.
        let risk = episode.attention.iter().any(|matter| matter.kind == AttentionKind::Risk);
        let told = told_of(Alert::RiskReported) || told_of(Alert::Safety);
        assert!(!risk || told, "referral {index}: a risk lies on the desk, and nobody was told");
    }

    fn was_mailed(&self, alert: &AlertRow) -> bool {
        let id = format!("{}.alert.", alert.id.uuid().simple());
        let mails = [DUTY, SECOND_DUTY].into_iter().flat_map(|address| self.world.mail.mails_to(address));
        mails.into_iter().any(|mail| mail.message_id.as_deref().is_some_and(|theirs| theirs.starts_with(&id)))
    }

    /// Whatever was later changed or taken away: each name of ours was created once in the practice's record.
    fn nothing_was_created_twice(&self) {
        let mut created: BTreeMap<(String, String), usize> = BTreeMap::new();
        for write in self.practice().writes().into_iter().filter(|write| write.deed == Deed::Created) {
            for name in write.identifiers.into_iter().filter(|name| name.starts_with(OURS)) {
                *created.entry((write.kind.clone(), name)).or_default() += 1;
            }
        }
        created.retain(|_, times| *times > 1);
        assert_eq!(created, BTreeMap::new(), "created more than once in the record");
    }
}

/// Every need is in one place, and what is not over lies before a person or a partner.
fn every_need_is_owned(index: usize, episode: &Episode) {
    assert!(!episode.needs.is_empty(), "referral {index} has no need");
    for need in &episode.needs {
        let open: Vec<_> = episode.offers.iter().filter(|o| o.need == need.code && !o.status.is_final()).collect();
        let fits = match &need.state {
            NeedState::Received => false,
            NeedState::Offered(id) | NeedState::Supported(SupportedBy::Offer(id)) => {
                matches!(open[..], [offer] if offer.id == *id)
            }
            _ => open.is_empty(),
        };
        assert!(fits, "referral {index}: {need:?} beside {open:?}");
    }
    for offer in &episode.offers {
        assert!(!offer.notice_owed || offer.identity_seen, "referral {index}: a notice is owed for ever: {offer:?}");
    }
}
