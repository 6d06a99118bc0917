//! What matching knows of the person: age, sex, place, circumstances. Read once a referral, before any service.

use std::collections::HashSet;

use jiff::civil::Date;

use super::{
    mapping::Mapping,
    needs::{ReadNeed, denied, taken},
    places::{Places, Position, Postcode},
    words::Text,
};
use crate::{
    directory::words::tokens,
    referral::{Referral, content::Gender},
};

/// The person, as far as the record and the words say.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub age: Option<u8>,
    pub gender: Option<Gender>,
    pub city: Option<String>,
    pub postcode: Option<Postcode>,
    pub position: Option<Position>,
    /// Numbers of the audiences they belong to.
    pub audiences: HashSet<usize>,
    /// Languages other than English, lower case.
    pub languages: Vec<String>,
    /// Numbers of the requirements the words name.
    pub requires: Vec<usize>,
}

impl Person {
    pub(super) fn of(mapping: &Mapping, places: &Places, referral: &Referral, needs: &[ReadNeed], today: Date) -> Self {
        let patient = &referral.patient;
        let address = patient.address.as_ref().filter(|_| !patient.whereabouts_are_closed());
        let postcode = address.and_then(|a| a.postcode.as_deref()).and_then(Postcode::parse);
        let languages: Vec<String> = patient.languages.iter().map(|l| l.name.to_lowercase()).collect();
        let mut audiences = HashSet::new();
        let mut requires: Vec<usize> = Vec::new();
        for (number, audience) in mapping.audiences.iter().enumerate() {
            let by_need = needs.iter().any(|n| audience.needs.contains(&n.need));
            let by_language = languages.iter().any(|l| audience.languages.iter().any(|a| l.starts_with(a.as_str())));
            let codes = referral.reasons.iter().filter_map(|r| r.code.as_ref());
            if by_need || by_language || codes.into_iter().any(|c| audience.snomed.contains(c)) {
                audiences.insert(number);
            }
        }
        for reason in &referral.reasons {
            let words = tokens(&reason.text);
            let text = Text { text: &reason.text, tokens: &words };
            let taken = taken(&text, &mapping.reading);
            let hits = mapping.audience_person.scan(&words);
            let asked = mapping.requirements.iter().enumerate();
            requires.extend(asked.filter(|(_, r)| r.person.find(&words).is_some()).map(|(n, _)| n));
            audiences.extend(hits.iter().filter(|h| !denied(h, &taken)).map(|h| *h.value));
        }
        requires.dedup();
        Self {
            age: patient.age_on(today),
            gender: patient.gender,
            city: address.and_then(|a| a.city.clone()),
            position: postcode.as_ref().and_then(|p| places.position(p)),
            postcode,
            audiences,
            languages: languages.into_iter().filter(|l| l != "english" && !l.is_empty()).collect(),
            requires,
        }
    }
}
