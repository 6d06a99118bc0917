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
