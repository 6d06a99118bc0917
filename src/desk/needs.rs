//! One need of a referral and who could help with it: the proposed service, the ranked candidates with why and careful,
//! what was asked already, and what may be done now.

use serde::Serialize;

use super::referral::{View, service_name};
use super::words::{self, Tone};
use crate::matching::{Candidate, NeedMatch, Reasoned};
use crate::partner::offering::partner_of;
use crate::referral::episode::{Hold, Need, NeedState, Offer, OfferStatus};
use crate::referral::lifecycle::forbids_everybody;
use crate::referral::{NeedCode, ProgrammeId, ServiceId};
use crate::store::Partner;
use crate::web::when::{When, day, when};
use crate::web::{App, need_words};

/// Candidates shown at once; the others are in a `details`.
const FIRST: usize = 5;

/// One need as the page shows it.
#[derive(Serialize)]
pub(super) struct NeedView {
    code: String,
    name: String,
    tag: &'static str,
    tone: Tone,
    line: &'static str,
    since: When,
    open: bool,
    /// The service that would be asked, where one is proposed.
    proposed: Option<CandidateView>,
    offers: Vec<OfferView>,
    candidates: Vec<CandidateView>,
    more: Vec<CandidateView>,
    excluded: Vec<(String, String, Option<String>)>,
    may_offer: bool,
    may_put_back: bool,
    may_keep_back: bool,
    may_support: bool,
}

/// One offer as the page shows it.
#[derive(Serialize)]
struct OfferView {
    id: String,
    service: String,
    partner: Option<String>,
    reference: String,
    says: String,
    reply_by: Option<When>,
    made: When,
    booked: bool,
    may_be_error: bool,
}

/// One candidate as the page shows it.
#[derive(Serialize)]
pub(super) struct CandidateView {
    service: String,
    name: String,
    organisation: String,
    partner: String,
    why: Vec<Reasoned>,
    careful: Vec<Reasoned>,
    how: Option<String>,
    distance: Option<String>,
    listed: bool,
    tried: Option<&'static str>,
    /// `confirmed`, `bad`, `unconfirmed`.
    confirmation: &'static str,
    confirmation_line: String,
    takes_email: bool,
}

impl View<'_> {
    /// One need, ready for its template.
    pub(super) fn need(&self, need: &Need) -> NeedView {
        let (tag, line, tone) = words::need(&need.state);
        let read = self.matched.and_then(|m| m.needs.iter().find(|n| n.need == need.code));
        let all: Vec<CandidateView> =
            read.iter().flat_map(|n| &n.candidates).map(|c| self.candidate(c, &need.code)).collect();
        let proposed =
            if let NeedState::Proposed(id) = &need.state { Some(self.proposed(id, read, &need.code)) } else { None };
        let (mut candidates, mut more) = (Vec::new(), Vec::new());
        for candidate in all {
            if proposed.as_ref().is_some_and(|p| p.service == candidate.service) {
                continue;
            }
            if candidates.len() < FIRST { candidates.push(candidate) } else { more.push(candidate) }
        }
        let excluded = read
            .iter()
            .flat_map(|n| &n.excluded)
            .map(|e| (service_name(self.app, &e.service), e.why.sentence.clone(), e.why.quote.clone()));
        let excluded = excluded.collect();
        let taken = self.episode.open_offer(&need.code).is_some_and(|o| o.status != OfferStatus::Requested);
        let open = !need.state.is_final();
        let forbidden =
            self.episode.facts.hold.is_some_and(forbids_everybody) || self.episode.person_in_question().is_some();
        let waits = matches!(need.state, NeedState::Held(_) | NeedState::Proposed(_));
        NeedView {
            code: need.code.to_string(),
            name: need_words(&need.code),
            tag,
            tone,
            line,
            since: when(need.since, self.app.now()),
            open,
            proposed,
            offers: self.episode.offers.iter().filter(|o| o.need == need.code).map(|o| self.offer(o)).collect(),
            candidates,
            more,
            excluded,
            may_offer: waits && !forbidden,
            may_put_back: open && !taken && need.state != NeedState::Received,
            may_keep_back: open && !taken && need.state != NeedState::Held(Hold::Coordinator),
            may_support: open && !taken && !forbidden && !matches!(need.state, NeedState::Supported(_)),
        }
    }

    fn proposed(&self, id: &ServiceId, read: Option<&NeedMatch>, need: &NeedCode) -> CandidateView {
        let known = read.and_then(|n| n.candidates.iter().find(|c| c.service == *id));
        let bare = || Candidate {
            service: id.clone(),
            why: Vec::new(),
            careful: Vec::new(),
            distance_km: None,
            takes_email: true,
            machine_may: false,
        };
        self.candidate(&known.cloned().unwrap_or_else(bare), need)
    }

    fn candidate(&self, candidate: &Candidate, need: &NeedCode) -> CandidateView {
        candidate_view(
            self.app,
            &self.episode.programme,
            self.partners,
            candidate,
            self.tried(&candidate.service, need),
        )
    }

    fn tried(&self, service: &ServiceId, need: &NeedCode) -> Option<&'static str> {
        let last = self.episode.offers.iter().rfind(|o| o.service == *service && o.need == *need);
        last.map(|o| words::offer(o.status))
    }

    fn offer(&self, offer: &Offer) -> OfferView {
        let says = match offer.status {
            OfferStatus::Rejected(why) | OfferStatus::Failed(why) => {
                format!("{}: {}", words::offer(offer.status), words::reason(why))
            }
            status => words::offer(status).to_owned(),
        };
        OfferView {
            id: offer.id.to_string(),
            service: service_name(self.app, &offer.service),
            partner: self.partners.iter().find(|p| p.id == offer.partner).map(|p| p.name.clone()),
            reference: offer.id.reference(),
            says,
            reply_by: (offer.status == OfferStatus::Requested).then(|| day(offer.reply_by, self.app.now())),
            made: when(offer.made, self.app.now()),
            booked: offer.booked,
            may_be_error: offer.status != OfferStatus::EnteredInError,
        }
    }
}

/// A candidate with what is known of its partner.
pub(super) fn candidate_view(
    app: &App,
    programme: &ProgrammeId,
    partners: &[Partner],
    candidate: &Candidate,
    tried: Option<&'static str>,
) -> CandidateView {
    let directory = app.service.directory();
    let service = directory.get(&candidate.service);
    let partner_id = service.map(partner_of);
    let known = partner_id.as_ref().and_then(|id| partners.iter().find(|p| p.id == *id));
    let (confirmation, confirmation_line) = confirmation(app, known);
    let back = service.map(|s| s.organisation.name.clone()).unwrap_or_default();
    CandidateView {
        service: candidate.service.to_string(),
        name: service_name(app, &candidate.service),
        organisation: back,
        partner: url::form_urlencoded::Serializer::new(String::new())
            .append_pair("programme", programme.as_str())
            .append_pair("service", candidate.service.as_str())
            .finish(),
        why: candidate.why.clone(),
        careful: candidate.careful.clone(),
        how: service.and_then(|s| s.application_process.clone()).map(|how| how.chars().take(400).collect()),
        distance: candidate
            .distance_km
            .map(|km| if km < 1.0 { "less than 1 km away".to_owned() } else { format!("{km:.0} km away") }),
        listed: service.is_some(),
        tried,
        confirmation,
        confirmation_line,
        takes_email: candidate.takes_email,
    }
}

fn confirmation(app: &App, partner: Option<&Partner>) -> (&'static str, String) {
    match partner {
        Some(Partner { bad: Some((since, _)), .. }) => {
            ("bad", format!("Mail to this partner has come back since {}.", when(*since, app.now()).say))
        }
        Some(Partner { confirmed: Some((by, at)), .. }) => {
            ("confirmed", format!("Address and agreement confirmed by {by}, {}.", when(*at, app.now()).say))
        }
        _ => ("unconfirmed", "Nobody has confirmed this partner’s address and agreement yet.".to_owned()),
    }
}
