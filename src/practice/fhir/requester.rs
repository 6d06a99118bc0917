//! Who asked, and how the practice names itself: behind `ServiceRequest.requester`, whatever sort of thing it is.

use jiff::Timestamp;
use serde_json::Value;

use super::json::{self, text};
use super::patient;
use super::resolver::Known;
use crate::referral::content::{ContactSystem, Requester};

/// The practice behind a request: its Organization, where it can be read, and its name.
#[derive(Clone, Debug, Default)]
pub(super) struct Practice<'a> {
    organization: Option<&'a Value>,
    /// As it names itself.
    pub(super) name: Option<String>,
}

/// The requester's organisation, else the patient's.
pub(super) fn practice<'a>(request: &'a Value, patient: Option<&'a Value>, known: &'a Known) -> Practice<'a> {
    let requester = known.follow(&request["requester"], request);
    let of_requester = requester.and_then(|r| match json::kind(r) {
        "Organization" => Some(organization(r)),
        "PractitionerRole" => named(&r["organization"], r, known),
        _ => None,
    });
    let of_patient = || {
        let patient = patient?;
        let mut places = json::list(&patient["generalPractitioner"]).chain([&patient["managingOrganization"]]);
        places.find_map(|reference| named(reference, patient, known))
    };
    of_requester.or_else(of_patient).unwrap_or_default()
}

fn named<'a>(reference: &'a Value, container: &'a Value, known: &'a Known) -> Option<Practice<'a>> {
    match known.follow(reference, container) {
        Some(found) if json::kind(found) == "Organization" => Some(organization(found)),
        Some(found) if json::kind(found) == "PractitionerRole" => {
            let place = known.follow(&found["organization"], found);
            place.map(organization).or_else(|| by_words(&found["organization"]))
        }
        // A doctor's name is not the practice's.
        Some(_) => None,
        None if text(&reference["reference"]).is_some_and(|r| r.contains("Practitioner/")) => None,
        None => by_words(reference),
    }
}

fn organization(found: &Value) -> Practice<'_> {
    Practice { organization: Some(found), name: text(&found["name"]).map(str::to_owned) }
}

fn by_words(reference: &Value) -> Option<Practice<'_>> {
    let name = text(&reference["display"]).map(str::to_owned);
    name.is_some().then_some(Practice { organization: None, name })
}

/// The requester as they sign, with a telephone to ring them back: their own, else the practice's.
pub(super) fn requester(request: &Value, practice: &Practice<'_>, known: &Known, now: Timestamp) -> Option<Requester> {
    let reference = &request["requester"];
    let found = known.follow(reference, request);
    let behind = |role: &'_ Value, part: &str| known.follow(&role[part], role).cloned();
    let (name, own_phone) = match found {
        Some(role) if json::kind(role) == "PractitionerRole" => {
            let person = behind(role, "practitioner");
            let name = person.as_ref().and_then(|p| patient::name(p, now));
            let name = name.or_else(|| text(&role["practitioner"]["display"]).map(str::to_owned));
            (name.or_else(|| practice.name.clone()), phone(role, now).or_else(|| phone(person.as_ref()?, now)))
        }
        Some(place) if json::kind(place) == "Organization" => {
            (text(&place["name"]).map(str::to_owned), phone(place, now))
        }
        Some(person) => (patient::name(person, now), phone(person, now)),
        None => (None, None),
    };
    let name = name.or_else(|| text(&reference["display"]).map(str::to_owned))?;
    Some(Requester { name, phone: own_phone.or_else(|| phone(practice.organization?, now)) })
}

fn phone(resource: &Value, now: Timestamp) -> Option<String> {
    patient::contacts(resource, now).into_iter().find(|c| c.system == ContactSystem::Phone).map(|c| c.value)
}
