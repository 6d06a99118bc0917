//! Stand-in until the real one is merged.
use crate::referral::OfferId;
/// Key.
#[derive(Clone)]
pub struct LinkKey(pub [u8; 32]);
impl LinkKey {
    /// The token of an offer's link.
    pub fn answer_token(&self, _offer: OfferId) -> AnswerToken {
        AnswerToken(String::new())
    }
}
/// Token.
pub struct AnswerToken(String);
impl AnswerToken {
    /// Parses what stood in a link.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }
    /// SHA-256 hex.
    pub fn hash(&self) -> String {
        self.0.clone()
    }
}
impl AnswerToken {
    /// Text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
/// Code.
pub struct OneTimeCode(String);
impl OneTimeCode {
    /// Text.
    pub fn spaced(&self) -> String {
        self.0.clone()
    }
}
impl LinkKey {
    /// Code.
    pub fn one_time_code(&self, _offer: OfferId, _ordinal: i64) -> OneTimeCode {
        OneTimeCode(String::new())
    }
}
