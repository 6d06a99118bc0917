//! Names and numbers that must not be mixed up: every id is a type of its own.
//!
//! Two families. *Slugs* are given by people in configuration or by somebody else's system (a practice, a programme,
//! a service of a directory, a need); they are kept as they came. *Keys* are ours: UUID v7, so that they sort by the
//! moment they were made.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the name as it was given.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }
            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }
    };
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID, normally one just drawn by [`crate::random`].
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }
            /// The UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

slug!(
    /// A GP practice that sends us referrals, as named in configuration.
    PracticeId
);
slug!(
    /// Practices, coordinators and an area that work together, as named in configuration.
    ProgrammeId
);
slug!(
    /// A service of an Open Referral UK directory (`service.id`; a UUID in v3, often a number before).
    ServiceId
);
slug!(
    /// The third-sector organisation that runs services; ours, and outlives every directory sync.
    PartnerId
);
slug!(
    /// A kind of help, a key of `mappings/needs.toml`: `befriending`, `benefits-advice`.
    NeedCode
);
slug!(
    /// A Wellbeing Coordinator's local account.
    UserId
);
key!(
    /// One referral (FHIR ServiceRequest), one episode.
    ReferralId
);
key!(
    /// One service asked to take one need of one referral.
    OfferId
);
key!(
    /// One thing for the patient's record.
    FilingId
);
key!(
    /// Words that somebody wrote (a partner's reason, a coordinator's message): personal data, kept apart and erasable.
    NoteId
);
key!(
    /// One matter the duty address is told of until somebody opens it.
    AlertId
);

impl OfferId {
    /// The reference a partner may quote on the telephone: eight characters from the random end of the id, in an
    /// alphabet without look-alikes (Crockford's base 32), as `7GK3-Q2ZD`. It says nothing about the person.
    pub fn reference(self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut bits = self.0.as_u128() & ((1 << 40) - 1);
        let mut letters = [0u8; 8];
        for letter in letters.iter_mut().rev() {
            *letter = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
        let text: String = letters.iter().map(|&b| char::from(b)).collect();
        format!("{}-{}", &text[..4], &text[4..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_short_speakable_and_tells_nothing() {
        let offer: OfferId = "0190a5d3-7c00-7000-8000-00ffffffffff".parse().unwrap();
        assert_eq!(offer.reference(), "ZZZZ-ZZZZ");
    }
}
