//! The domain: what a referral is, and the three lifecycles it drives. Pure values and pure functions.
//!
//! Nothing here does I/O, reads a clock or knows FHIR, mail or a database; everything else depends on it.
//! - [`content`]: what the practice told us (personal data);
//! - [`episode`], [`event`], [`lifecycle`]: where it stands, what happened, and the one function that joins them;
//! - [`codes`], [`ids`]: the newtypes.

pub mod codes;
pub mod content;
pub mod episode;
pub mod event;
pub mod facts;
pub mod ids;
pub mod lifecycle;
mod unread;

pub use codes::{NhsNumber, SnomedCode};
pub use content::{Consent, Ons4, Patient, Reason, Referral, SafeContact, Score, Sharing, Source};
pub use ids::{
    AlertId, FilingId, NeedCode, NoteId, OfferId, PartnerId, PracticeId, ProgrammeId, ReferralId, ServiceId, UserId,
};
