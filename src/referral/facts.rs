//! What intake finds in a referral that decides what may be done with it at all (DESIGN, "People and their safety
//! come first", 1, 4 and 5). Pure.

use super::content::{Consent, Priority, Referral, RequestStatus, SafeContact};
use super::episode::{Facts, Hold};

/// What counts as the person's agreement, by the practice's agreement with the programme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsentPolicy {
    /// A Consent resource, or a consent code on the request.
    #[default]
    Recorded,
    /// Referring records it; a recorded no still stands.
    ByReferral,
}

/// The facts of a referral under a programme's rule on consent. The first hold that applies stands, the hardest first:
/// those that bind a coordinator too, then those she may weigh.
pub fn facts(referral: &Referral, consent: ConsentPolicy) -> Facts {
    let patient = &referral.patient;
    let hold = match () {
        () if !matches!(referral.status, RequestStatus::Active | RequestStatus::Completed | RequestStatus::Unknown) => {
            Some(Hold::NotActive)
        }
        () if patient.deceased => Some(Hold::Deceased),
        () if referral.consent == Consent::Declined => Some(Hold::ConsentDeclined),
        () if referral.consent == Consent::NotRecorded && consent == ConsentPolicy::Recorded => {
            Some(Hold::ConsentMissing)
        }
        () if patient.left_practice => Some(Hold::LeftPractice),
        () if patient.restricted => Some(Hold::Restricted),
        () if referral.safe_contact == SafeContact::Prohibited => Some(Hold::ContactProhibited),
        () if matches!(referral.safe_contact, SafeContact::Unclear(_)) => Some(Hold::ContactUnclear),
        () if referral.priority > Priority::Urgent => Some(Hold::Urgent),
        () => None,
    };
    Facts {
        sharing: referral.sharing,
        contact_prohibited: referral.safe_contact == SafeContact::Prohibited,
        hold,
        urgent: referral.priority > Priority::Urgent && !referral.status.is_withdrawn(),
    }
}

/// The facts of a request under what was known of it `before`. A request that its practice calls completed and that
/// was never active for us is history (a first poll reads everything there is): nobody is asked for it. One that was
/// active goes on: many systems tick a request off once it was sent.
pub fn under_history(facts: Facts, status: RequestStatus, before: Option<Facts>) -> Facts {
    let was_active = before.is_some_and(|known| known.hold != Some(Hold::NotActive));
    if status == RequestStatus::Completed && !was_active {
        return Facts { hold: Some(Hold::NotActive), urgent: false, ..facts };
    }
    facts
}
