//! Stand-in until the real one is merged: the same doors, made of one HMAC.
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::referral::OfferId;

/// Key.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds a key")]
pub struct LinkKey(pub [u8; 32]);

impl LinkKey {
    fn tag(&self, text: &str) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), text.as_bytes())
    }

    /// The token of an offer's link.
    pub fn answer_token(&self, offer: OfferId) -> AnswerToken {
        AnswerToken(URL_SAFE_NO_PAD.encode(self.tag(&format!("answer:{offer}"))))
    }

    /// The one-time code of an offer.
    pub fn one_time_code(&self, offer: OfferId, ordinal: i64) -> OneTimeCode {
        let tag = self.tag(&format!("code:{offer}:{ordinal}"));
        let number = tag.as_ref().iter().take(8).fold(0u64, |n, b| n << 8 | u64::from(*b)) % 1_000_000;
        OneTimeCode(format!("{number:06}"))
    }
}

/// Token.
#[expect(missing_debug_implementations, reason = "is a secret")]
pub struct AnswerToken(String);

impl AnswerToken {
    /// Parses what stood in a link.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == 32).then(|| Self(text.to_owned()))
    }
    /// As it stands in a link.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// SHA-256 hex.
    pub fn hash(&self) -> String {
        digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Code.
#[expect(missing_debug_implementations, reason = "is a secret")]
pub struct OneTimeCode(String);

impl OneTimeCode {
    /// Six digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
