//! Who asked, and how the practice names itself: behind `ServiceRequest.requester`, whatever sort of thing it is.

use jiff::Timestamp;
use serde_json::Value;

use super::json::{self, text};
use super::patient;
use super::resolver::Known;
use crate::referral::content::{ContactSystem, Requester};

/// The requester as they sign, with a telephone to ring them back.
pub(super) fn requester(request: &Value, known: &Known, now: Timestamp) -> Option<Requester> {
    let reference = &request["requester"];
    let display = text(&reference["display"]).map(str::to_owned);
    let Some(found) = known.follow(reference, request) else {
        return display.map(|name| Requester { name, phone: None });
    };
    let behind = |part: &str| known.follow(&found[part], found);
    let (name, phone) = match json::kind(found) {
        "PractitionerRole" => {
            let person = behind("practitioner");
            let place = behind("organization");
            let name = person.and_then(|p| patient::name(p, now)).or_else(|| reference_words(&found["practitioner"]));
            let phones = [Some(found), person, place];
            (
                name.or_else(|| place.and_then(organization_name)),
                phones.into_iter().flatten().find_map(|r| phone(r, now)),
            )
        }
        "Organization" => (organization_name(found), phone(found, now)),
        _ => (patient::name(found, now), phone(found, now)),
    };
    name.or(display).map(|name| Requester { name, phone })
}

/// The practice as it names itself: the requester's organisation, else the patient's.
pub(super) fn practice_name(request: &Value, patient: Option<&Value>, known: &Known) -> Option<String> {
    let requester = known.follow(&request["requester"], request);
    let of_requester = requester.and_then(|r| match json::kind(r) {
        "Organization" => organization_name(r),
        "PractitionerRole" => named(&r["organization"], r, known),
        _ => None,
    });
    of_requester.or_else(|| {
        let patient = patient?;
        json::list(&patient["generalPractitioner"])
            .chain([&patient["managingOrganization"]])
            .find_map(|reference| named(reference, patient, known))
    })
}

fn named(reference: &Value, container: &Value, known: &Known) -> Option<String> {
    match known.follow(reference, container) {
        Some(found) if json::kind(found) == "Organization" => organization_name(found),
        Some(found) if json::kind(found) == "PractitionerRole" => {
            let place = known.follow(&found["organization"], found);
            place.and_then(organization_name).or_else(|| reference_words(&found["organization"]))
        }
        // A doctor's name is not the practice's.
        Some(_) => None,
        None if text(&reference["reference"]).is_some_and(|r| r.contains("Practitioner/")) => None,
        None => reference_words(reference),
    }
}

fn reference_words(reference: &Value) -> Option<String> {
    text(&reference["display"]).map(str::to_owned)
}

fn organization_name(organization: &Value) -> Option<String> {
    text(&organization["name"]).map(str::to_owned)
}

fn phone(resource: &Value, now: Timestamp) -> Option<String> {
    patient::contacts(resource, now).into_iter().find(|c| c.system == ContactSystem::Phone).map(|c| c.value)
}
