//! What opens a partner's page: the link's token, and the one-time code mailed to the partner's address.
//!
//! A token is derived from a server key, so that a mail rendered twice holds the same link and the token itself is
//! never stored: the store keeps its hash, and looks a visitor's token up by it. A code is derived too, so that the job
//! that mails it needs no stored code; a keyed hash of it is kept. All pure.

use std::{fmt, fmt::Write as _};

use aws_lc_rs::{digest, hmac};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::referral::OfferId;

/// The key that tokens and codes are made from; the same on every replica.
#[derive(Clone)]
pub struct ServerKey(hmac::Key);

impl ServerKey {
    /// A key from 32 random bytes, kept by the service.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A key from the letters that an operator wrote (`web.link_key`, 32 letters or more).
    pub fn from_letters(letters: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, letters.as_bytes()))
    }

    /// The token in the link of an offer.
    pub fn answer_token(&self, offer: OfferId) -> AnswerToken {
        AnswerToken::derive(self, offer, Purpose::Answer)
    }

    /// The `ordinal`-th one-time code of an offer: derived, so that the job that mails it needs no stored code.
    pub fn one_time_code(&self, offer: OfferId, ordinal: i64) -> OneTimeCode {
        let tag = self.sign(&framed(&[b"wellbridge/one-time-code/1", offer.uuid().as_bytes(), &ordinal.to_be_bytes()]));
        let mut bytes = [0u8; 32];
        bytes.copy_from_slice(tag.as_ref());
        OneTimeCode::from_chance(&bytes)
    }

    /// What is stored of a code that was typed or mailed: keyed, since six digits alone could be guessed from a stolen
    /// database; bound to one offer and one mail.
    pub fn code_hash(&self, offer: OfferId, ordinal: i64, digits: &str) -> String {
        let about = [offer.uuid().as_bytes().as_slice(), &ordinal.to_be_bytes()].concat();
        hex(self.sign(&framed(&[b"wellbridge/code-hash/1", &about, digits.as_bytes()])).as_ref())
    }

    fn sign(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, message)
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

/// Parts with their lengths before them, so that `("ab", "c")` and `("a", "bc")` differ.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut message = Vec::new();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

/// What a token lets its bearer do; one for a purpose never serves another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Answer one offer and report on it.
    Answer,
    /// Stay on the page of one offer after a code was right.
    Session,
}

impl Purpose {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Answer => b"wellbridge/answer/1",
            Self::Session => b"wellbridge/session/1",
        }
    }
}

/// 256 bits that open one offer's page.
#[derive(Clone, PartialEq, Eq)]
pub struct AnswerToken([u8; 32]);

impl AnswerToken {
    /// The token of an offer: the same each time it is asked for, different for each key, offer and purpose.
    pub fn derive(key: &ServerKey, offer: OfferId, purpose: Purpose) -> Self {
        let tag = key.sign(&framed(&[purpose.as_bytes(), offer.uuid().as_bytes()]));
        let mut token = [0u8; 32];
        token.copy_from_slice(tag.as_ref());
        Self(token)
    }

    /// Reads what stood in a link; none for anything that cannot be a token.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 43 {
            return None;
        }
        BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// As it stands in a link: 43 letters of base64url.
    pub fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored, and what a visitor's token is looked up by: SHA-256 in hex. Looking up by hash takes a time that
    /// says nothing about the token.
    pub fn hash(&self) -> String {
        hex(digest::digest(&digest::SHA256, &self.0).as_ref())
    }
}

impl fmt::Debug for AnswerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerToken(…)")
    }
}

/// Six digits that are mailed once.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeCode(String);

impl OneTimeCode {
    /// The code that these random bytes make. 2⁶⁴ is so much larger than a million that no code is likelier than
    /// another by more than one part in 10¹³.
    fn from_chance(bytes: &[u8; 32]) -> Self {
        let drawn = bytes.iter().take(8).fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        Self(format!("{:06}", drawn % 1_000_000))
    }

    /// As a mail shows it: `123 456`.
    pub fn spaced(&self) -> String {
        let (first, second) = self.0.split_at(3);
        format!("{first} {second}")
    }

    /// The six digits.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ServerKey {
        ServerKey::from_bytes(&[7; 32])
    }

    fn offer(n: u128) -> OfferId {
        OfferId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn a_mail_rendered_twice_holds_the_same_link() {
        let token = AnswerToken::derive(&key(), offer(1), Purpose::Answer);
        assert_eq!(token, AnswerToken::derive(&key(), offer(1), Purpose::Answer));
        assert_eq!(AnswerToken::parse(&token.text()), Some(token.clone()));
        assert_eq!(token.text().len(), 43);
        assert_eq!(token.hash().len(), 64);
    }

    #[test]
    fn a_token_serves_one_key_one_offer_and_one_purpose() {
        let token = AnswerToken::derive(&key(), offer(1), Purpose::Answer);
        for other in [
            AnswerToken::derive(&key(), offer(2), Purpose::Answer),
            AnswerToken::derive(&key(), offer(1), Purpose::Session),
            AnswerToken::derive(&ServerKey::from_bytes(&[8; 32]), offer(1), Purpose::Answer),
        ] {
            assert_ne!(token, other);
            assert_ne!(token.hash(), other.hash());
        }
    }

    #[test]
    fn nothing_but_a_token_reads_as_one() {
        let token = AnswerToken::derive(&key(), offer(1), Purpose::Answer).text();
        for bad in ["", "x", &token[..42], &format!("{token}A"), &token.replace(&token[..1], "!"), &"é".repeat(21)] {
            assert_eq!(AnswerToken::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_code_belongs_to_one_key_one_offer_and_one_mail() {
        let code = key().one_time_code(offer(1), 1);
        assert_eq!(code, key().one_time_code(offer(1), 1));
        assert_eq!(code.digits().len(), 6);
        assert_eq!(code.spaced().len(), 7);
        let hash = key().code_hash(offer(1), 1, code.digits());
        assert_eq!(hash, key().code_hash(offer(1), 1, code.digits()));
        for other in [
            key().code_hash(offer(2), 1, code.digits()),
            key().code_hash(offer(1), 2, code.digits()),
            ServerKey::from_letters("another key that is long enough for this").code_hash(offer(1), 1, code.digits()),
        ] {
            assert_ne!(hash, other);
        }
    }

    #[test]
    fn what_is_stored_or_printed_holds_no_token_and_no_code() {
        let token = AnswerToken::derive(&key(), offer(1), Purpose::Answer);
        assert!(!token.hash().contains(&token.text()) && format!("{token:?}") == "AnswerToken(…)");
        let code = key().one_time_code(offer(1), 1);
        assert!(!key().code_hash(offer(1), 1, code.digits()).contains(code.digits()));
        assert!(format!("{code:?}") == "OneTimeCode(…)" && format!("{:?}", key()) == "ServerKey(…)");
    }

    #[test]
    fn codes_are_spread_over_all_six_digits() {
        let first: std::collections::BTreeSet<char> =
            (0..500).filter_map(|n| key().one_time_code(offer(1), n).0.chars().next()).collect();
        assert_eq!(first.len(), 10, "{first:?}");
    }
}
