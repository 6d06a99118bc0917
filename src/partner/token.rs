//! What opens a partner's page: the link's token, and the one-time code mailed to the partner's address.
//!
//! A token is derived from a server key, so that a mail rendered twice holds the same link and the token itself is
//! never stored: the store keeps its hash, and looks a visitor's token up by it. A code is drawn by chance and kept as
//! a keyed hash: six digits alone could be guessed from a stolen database. All pure; the time is passed in.

use std::{fmt, fmt::Write as _};

use aws_lc_rs::{digest, hmac};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{random, referral::OfferId};

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
    /// Draws a code.
    pub fn draw() -> Self {
        Self::from_chance(&random::secret_bytes())
    }

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

    /// What is stored of it: bound to one offer, for `lasts` from `now`.
    pub fn keep(&self, key: &ServerKey, offer: OfferId, now: Timestamp, lasts: SignedDuration) -> StoredCode {
        let salt = hex(&random::secret_bytes()[..16]);
        let digest = hex(key.sign(&code_message(&salt, offer, &self.0)).as_ref());
        StoredCode { salt, digest, expires: now.saturating_add(lasts).unwrap_or(now), tries: 0, used: false }
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

/// What is stored of a code: nothing that could be typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCode {
    /// Random, in hex.
    pub salt: String,
    /// HMAC-SHA256 with the server's key, in hex.
    pub digest: String,
    /// Not after this.
    pub expires: Timestamp,
    /// Wrong codes typed so far.
    pub tries: u8,
    /// It has let somebody in.
    pub used: bool,
}

/// What came of a typed code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeCheck {
    /// Right: it is used up now.
    Right,
    /// Wrong; so many tries are left.
    Wrong(u8),
    /// Typed wrong too often: a new one must be asked for.
    TooOften,
    /// Too old.
    Expired,
    /// It has already let somebody in.
    Used,
}

impl StoredCode {
    /// Checks what a visitor typed (spaces and hyphens do not matter) and says what must be stored from now on. Store
    /// that before the visitor is answered, whatever came of it.
    pub fn check(
        mut self,
        key: &ServerKey,
        offer: OfferId,
        typed: &str,
        now: Timestamp,
        max_tries: u8,
    ) -> (CodeCheck, Self) {
        if self.used {
            return (CodeCheck::Used, self);
        }
        if now > self.expires {
            return (CodeCheck::Expired, self);
        }
        if self.tries >= max_tries {
            return (CodeCheck::TooOften, self);
        }
        let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
        let tag = unhex(&self.digest);
        // Compares in a time that does not depend on where they differ.
        let message = code_message(&self.salt, offer, &digits);
        if tag.is_some_and(|tag| hmac::verify(&key.0, &message, &tag).is_ok()) {
            self.used = true;
            return (CodeCheck::Right, self);
        }
        self.tries += 1;
        let left = max_tries.saturating_sub(self.tries);
        (if left == 0 { CodeCheck::TooOften } else { CodeCheck::Wrong(left) }, self)
    }
}

/// What a code's keyed hash is made of: it is bound to one offer.
fn code_message(salt: &str, offer: OfferId, digits: &str) -> Vec<u8> {
    framed(&[b"wellbridge/code/1", salt.as_bytes(), offer.uuid().as_bytes(), digits.as_bytes()])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    Some(digits?.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect())
}

#[cfg(test)]
mod tests {
    use super::{CodeCheck::TooOften, CodeCheck::Wrong, *};

    fn key() -> ServerKey {
        ServerKey::from_bytes(&[7; 32])
    }

    fn offer(n: u128) -> OfferId {
        OfferId::from_uuid(uuid::Uuid::from_u128(n))
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const LASTS: SignedDuration = SignedDuration::from_mins(15);

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
    fn a_code_lets_in_once_however_it_is_spaced() {
        let code = OneTimeCode::from_chance(&[0; 32]);
        assert_eq!(code.spaced(), "000 000");
        for typed in ["000000", "000 000", " 000-000 "] {
            let stored = code.keep(&key(), offer(1), NOW, LASTS);
            let (check, stored) = stored.check(&key(), offer(1), typed, NOW, 5);
            assert_eq!(check, CodeCheck::Right, "{typed}");
            assert_eq!(stored.check(&key(), offer(1), typed, NOW, 5).0, CodeCheck::Used);
        }
    }

    #[test]
    fn a_code_of_another_offer_or_key_does_not_let_in() {
        let code = OneTimeCode::draw();
        let stored = code.keep(&key(), offer(1), NOW, LASTS);
        assert_eq!(stored.clone().check(&key(), offer(2), &code.0, NOW, 5).0, CodeCheck::Wrong(4));
        let other = ServerKey::from_letters("another key that is long enough for this");
        assert_eq!(stored.check(&other, offer(1), &code.0, NOW, 5).0, CodeCheck::Wrong(4));
    }

    #[test]
    fn five_wrong_codes_close_the_door_even_for_the_right_one() {
        let code = OneTimeCode::from_chance(&[0; 32]);
        let mut stored = code.keep(&key(), offer(1), NOW, LASTS);
        let mut said = Vec::new();
        for wrong in ["1", "", "999999", "00000", "0000000"] {
            let (check, after) = stored.check(&key(), offer(1), wrong, NOW, 5);
            said.push(check);
            stored = after;
        }
        assert_eq!(said, [Wrong(4), Wrong(3), Wrong(2), Wrong(1), TooOften]);
        assert_eq!(stored.check(&key(), offer(1), "000000", NOW, 5).0, TooOften);
    }

    #[test]
    fn a_code_is_good_for_a_quarter_of_an_hour() {
        let code = OneTimeCode::draw();
        let stored = code.keep(&key(), offer(1), NOW, LASTS);
        let last = NOW + LASTS;
        assert_eq!(stored.clone().check(&key(), offer(1), &code.0, last, 5).0, CodeCheck::Right);
        let later = last + SignedDuration::from_secs(1);
        assert_eq!(stored.check(&key(), offer(1), &code.0, later, 5).0, CodeCheck::Expired);
    }

    #[test]
    fn what_is_stored_or_printed_holds_no_token_and_no_code() {
        let token = AnswerToken::derive(&key(), offer(1), Purpose::Answer);
        assert!(!token.hash().contains(&token.text()) && format!("{token:?}") == "AnswerToken(…)");
        let code = OneTimeCode::draw();
        let stored = serde_json::to_string(&code.keep(&key(), offer(1), NOW, LASTS)).unwrap();
        let hex_run = stored.contains(&format!("\"{}\"", code.0));
        assert!(!hex_run && format!("{code:?}") == "OneTimeCode(…)" && format!("{:?}", key()) == "ServerKey(…)");
    }

    #[test]
    fn codes_are_spread_over_all_six_digits() {
        let first: std::collections::BTreeSet<char> =
            (0..500).filter_map(|_| OneTimeCode::draw().0.chars().next()).collect();
        assert_eq!(first.len(), 10, "{first:?}");
    }
}
