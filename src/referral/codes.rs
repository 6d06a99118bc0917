//! Codes that can be wrong in a way arithmetic can see: NHS numbers and SNOMED CT ids.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A ten-digit NHS number whose check digit holds (NHS Data Dictionary, modulus 11).
///
/// `Debug` shows the last two digits only, so that a stray `{:?}` does not put an identifier in a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NhsNumber(String);

/// Why a text is no NHS number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NhsNumberError {
    /// Not ten digits once spaces and hyphens are gone.
    #[error("an NHS number has ten digits")]
    Shape,
    /// The tenth digit does not follow from the first nine: a typing slip, or another person's number.
    #[error("the NHS number's check digit does not fit")]
    CheckDigit,
}

impl NhsNumber {
    /// Reads `943 476 5919`, `943-476-5919` or `9434765919`.
    pub fn parse(text: &str) -> Result<Self, NhsNumberError> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if digits.len() != 10 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NhsNumberError::Shape);
        }
        let sum: u32 = digits.bytes().take(9).zip((2..=10).rev()).map(|(b, w)| u32::from(b - b'0') * w).sum();
        let check = (11 - sum % 11) % 11;
        let last = u32::from(digits.as_bytes()[9] - b'0');
        if check == 10 || check != last {
            return Err(NhsNumberError::CheckDigit);
        }
        Ok(Self(digits))
    }

    /// The ten digits, unspaced.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Written as people read it: `943 476 5919`.
    pub fn spaced(&self) -> String {
        format!("{} {} {}", &self.0[..3], &self.0[3..6], &self.0[6..])
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NhsNumber(********{})", &self.0[8..])
    }
}

impl TryFrom<String> for NhsNumber {
    type Error = NhsNumberError;
    fn try_from(text: String) -> Result<Self, NhsNumberError> {
        Self::parse(&text)
    }
}

impl From<NhsNumber> for String {
    fn from(number: NhsNumber) -> Self {
        number.0
    }
}

/// A SNOMED CT id whose Verhoeff check digit holds (SNOMED CT Release File Specification, "SCTID").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnomedCode(String);

/// A text that is no SNOMED CT id: its text is kept by the caller, the code is dropped, the referral goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SNOMED CT id: 6 to 18 digits with a Verhoeff check digit")]
pub struct SnomedCodeError;

impl SnomedCode {
    /// Reads 6 to 18 digits.
    pub fn parse(text: &str) -> Result<Self, SnomedCodeError> {
        let shape =
            (6..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        if shape && verhoeff_holds(text) { Ok(Self(text.to_owned())) } else { Err(SnomedCodeError) }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SnomedCode {
    type Error = SnomedCodeError;
    fn try_from(text: String) -> Result<Self, SnomedCodeError> {
        Self::parse(&text)
    }
}

impl From<SnomedCode> for String {
    fn from(code: SnomedCode) -> Self {
        code.0
    }
}

/// Multiplication in the dihedral group D5, the heart of Verhoeff's scheme.
const D5: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

/// The permutation applied once for each place, counted from the right.
const PERMUTATION: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

fn verhoeff_holds(digits: &str) -> bool {
    digits
        .bytes()
        .rev()
        .enumerate()
        .fold(0u8, |c, (i, b)| D5[c as usize][PERMUTATION[i % 8][(b - b'0') as usize] as usize])
        == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nhs_numbers_are_read_as_people_write_them() {
        for text in ["9990300127", "999 030 0127", "999-030-0127", " 9990300127 "] {
            assert_eq!(NhsNumber::parse(text).unwrap().as_str(), "9990300127");
        }
        assert_eq!(NhsNumber::parse("9990300127").unwrap().spaced(), "999 030 0127");
        assert_eq!(NhsNumber::parse("9990300128"), Err(NhsNumberError::CheckDigit));
        assert_eq!(NhsNumber::parse("999030012"), Err(NhsNumberError::Shape));
        assert_eq!(NhsNumber::parse("99903O0127"), Err(NhsNumberError::Shape));
    }

    #[test]
    fn debug_never_shows_a_whole_nhs_number() {
        let shown = format!("{:?}", NhsNumber::parse("9990300127").unwrap());
        assert!(!shown.contains("9990300127"), "{shown}");
    }

    #[test]
    fn snomed_ids_with_a_slip_are_refused() {
        for good in ["871731000000106", "871711000000103", "267076002", "105529008"] {
            assert!(SnomedCode::parse(good).is_ok(), "{good}");
        }
        for bad in ["871731000000107", "26707600", "0267076002", "26707600a", ""] {
            assert!(SnomedCode::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_in_an_nhs_number_is_always_noticed(place in 0usize..10, add in 1u8..10) {
            let mut digits = *b"9990300127";
            digits[place] = b'0' + (digits[place] - b'0' + add) % 10;
            prop_assert!(NhsNumber::parse(std::str::from_utf8(&digits).unwrap()).is_err());
        }

        #[test]
        fn any_text_is_refused_or_kept_whole_never_a_panic(text in "\\PC{0,24}") {
            let _ = NhsNumber::parse(&text);
            let _ = SnomedCode::parse(&text);
        }
    }
}
