//! A FHIR Patient as the domain's [`Patient`]: tolerant of what is missing, strict about one thing, the NHS number.
//!
//! An NHS number whose check digit fails may be somebody else's, so it holds the referral. A restricted or deceased
//! person's address is not read at all: nothing later can show or match on what is not there.

use jiff::{Timestamp, civil::Date};
use serde_json::Value;

use super::codes::{LeftSign, Mappings};
use super::json::{self, text};
use crate::referral::content::{Address, ContactPoint, ContactSystem, Gender, Language};
use crate::referral::{NhsNumber, Patient};

/// The NHS number cannot be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadNhsNumber;

/// Reads a Patient resource. `now` decides which periods are over.
pub(super) fn read(resource: &Value, mappings: &Mappings, now: Timestamp) -> Result<Patient, BadNhsNumber> {
    let deceased = is_deceased(resource, mappings);
    let restricted = is_restricted(resource, mappings);
    let (birth_date, birth_year) = birth(resource);
    Ok(Patient {
        nhs_number: nhs_number(resource, mappings, now)?,
        name: name(resource, now),
        birth_date,
        birth_year,
        gender: gender(resource),
        address: if deceased || restricted { None } else { address(resource, now) },
        contacts: contacts(resource, now),
        languages: languages(resource, mappings),
        interpreter: interpreter(resource, mappings),
        deceased,
        restricted,
        left_practice: left_practice(resource, mappings, now),
    })
}

fn nhs_number(resource: &Value, mappings: &Mappings, now: Timestamp) -> Result<Option<NhsNumber>, BadNhsNumber> {
    let ours = json::list(&resource["identifier"])
        .filter(|i| i["system"] == mappings.patient.nhs_number.as_str() && i["use"] != "old")
        .filter(|i| !json::ended(&i["period"], now));
    let mut found: Option<NhsNumber> = None;
    for written in ours.filter_map(|i| text(&i["value"])) {
        let number = NhsNumber::parse(written).map_err(|_| BadNhsNumber)?;
        // Two different numbers for one person are as doubtful as a wrong one.
        if found.as_ref().is_some_and(|f| *f != number) {
            return Err(BadNhsNumber);
        }
        found = Some(number);
    }
    Ok(found)
}

/// Any restricting label, of any system.
pub(super) fn is_restricted(resource: &Value, mappings: &Mappings) -> bool {
    json::list(&resource["meta"]["security"])
        .filter_map(|label| text(&label["code"]))
        .any(|code| mappings.patient.restricting.iter().any(|r| r.eq_ignore_ascii_case(code)))
}

/// A yes, a date, a date that is said to be unknown, or a notice of death that was not taken back.
fn is_deceased(resource: &Value, mappings: &Mappings) -> bool {
    let places = &mappings.patient;
    let notices = places
        .death
        .iter()
        .flat_map(|url| json::extensions(resource, url))
        .map(|e| json::extensions(e, "deathNotificationStatus").chain([e]).map(|s| &s["valueCodeableConcept"]));
    let is_notice = |status: &Value| {
        status.is_object() && !json::codings(status).any(|(_, code)| places.death_removed.iter().any(|r| r == code))
    };
    json::yes(&resource["deceasedBoolean"])
        || text(&resource["deceasedDateTime"]).is_some()
        || resource["_deceasedDateTime"].is_object()
        || notices.flatten().any(is_notice)
}

/// Another record stands in its place (they were merged): whose it is now, only that one says.
pub(super) fn is_replaced(resource: &Value) -> bool {
    json::list(&resource["link"]).any(|link| link["type"] == "replaced-by")
}

/// A whole date, or the year where only a year or month is known.
fn birth(resource: &Value) -> (Option<Date>, Option<i16>) {
    let Some(written) = text(&resource["birthDate"]) else { return (None, None) };
    let whole = written.get(..10).and_then(|d| d.parse::<Date>().ok());
    let year = written.get(..4).and_then(|y| y.parse().ok()).filter(|y| (1850..=2200).contains(y));
    if whole.is_some() { (whole, None) } else { (None, year) }
}

fn gender(resource: &Value) -> Option<Gender> {
    Some(match text(&resource["gender"])? {
        "female" => Gender::Female,
        "male" => Gender::Male,
        "other" => Gender::Other,
        "unknown" => Gender::Unknown,
        _ => return None,
    })
}

/// The name to write on a letter: official before usual before any other; never an old or a maiden one.
pub(super) fn name(resource: &Value, now: Timestamp) -> Option<String> {
    let rank = |n: &Value| match text(&n["use"]) {
        Some("official") => 0,
        Some("usual") => 1,
        None => 2,
        Some("temp") => 3,
        Some("nickname" | "anonymous") => 4,
        _ => 5,
    };
    json::list(&resource["name"])
        .filter(|n| rank(n) < 5 && !json::ended(&n["period"], now))
        .filter_map(|n| Some((rank(n), written_name(n)?)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, name)| name)
}

fn written_name(name: &Value) -> Option<String> {
    if let Some(whole) = text(&name["text"]) {
        return Some(whole.to_owned());
    }
    let parts = ["prefix", "given"]
        .into_iter()
        .flat_map(|part| json::list(&name[part]))
        .chain([&name["family"]])
        .chain(json::list(&name["suffix"]))
        .filter_map(text);
    let whole = parts.collect::<Vec<_>>().join(" ");
    (!whole.is_empty()).then_some(whole)
}

fn address(resource: &Value, now: Timestamp) -> Option<Address> {
    let rank = |a: &Value| match (text(&a["use"]), text(&a["type"])) {
        (Some("old" | "billing"), _) => 9,
        (_, Some("postal")) => 4,
        // Where somebody lives for now, if the record says that now is within it.
        (Some("temp"), _) if text(&a["period"]["start"]).is_some() => 0,
        (Some("home"), _) => 1,
        (None, _) => 2,
        _ => 3,
    };
    let begun = |a: &Value| json::moment(&a["period"]["start"]).is_none_or(|start| start <= now);
    json::list(&resource["address"])
        .filter(|a| rank(a) < 9 && begun(a) && !json::ended(&a["period"], now))
        .filter_map(|a| Some((rank(a), written_address(a)?)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, address)| address)
}

fn written_address(address: &Value) -> Option<Address> {
    let lines: Vec<String> = json::list(&address["line"]).filter_map(text).map(str::to_owned).collect();
    let own = |key: &str| text(&address[key]).map(str::to_owned);
    let (city, postcode) = (own("city").or_else(|| own("district")), own("postalCode"));
    if !lines.is_empty() || city.is_some() || postcode.is_some() {
        return Some(Address { lines, city, postcode });
    }
    let whole = text(&address["text"])?;
    let mut lines: Vec<String> =
        whole.split([',', '\n']).map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    let postcode = lines.pop_if(|last| looks_like_postcode(last));
    Some(Address { lines, city: None, postcode })
}

/// `LS15 7DJ`: two to four letters and digits, then a digit and two letters.
fn looks_like_postcode(text: &str) -> bool {
    let letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let [out @ .., a, b, c] = letters.as_slice() else { return false };
    (2..=4).contains(&out.len())
        && out.iter().all(char::is_ascii_alphanumeric)
        && out.first().is_some_and(char::is_ascii_alphabetic)
        && a.is_ascii_digit()
        && b.is_ascii_alphabetic()
        && c.is_ascii_alphabetic()
}

/// Telephones and addresses in force, in the record's own order of preference.
pub(super) fn contacts(resource: &Value, now: Timestamp) -> Vec<ContactPoint> {
    let mut found: Vec<(u64, ContactPoint)> = json::list(&resource["telecom"])
        .filter(|t| t["use"] != "old" && !json::ended(&t["period"], now))
        .filter_map(|t| {
            let value = text(&t["value"])?.to_owned();
            let system = match text(&t["system"]) {
                Some("phone") => ContactSystem::Phone,
                Some("sms") => ContactSystem::Sms,
                Some("email") => ContactSystem::Email,
                _ => ContactSystem::Other,
            };
            let kind = text(&t["use"]).map(str::to_owned);
            Some((t["rank"].as_u64().unwrap_or(u64::MAX), ContactPoint { system, value, kind }))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, contact)| contact).collect()
}

fn languages(resource: &Value, mappings: &Mappings) -> Vec<Language> {
    let plain = json::list(&resource["communication"]).map(|c| (c["preferred"] == true, &c["language"]));
    let extended = mappings.patient.communication.iter().flat_map(|url| json::extensions(resource, url)).map(|e| {
        let preferred = json::extensions(e, "preferred").any(|p| p["valueBoolean"] == true);
        let language = json::extensions(e, "language").next().map_or(&Value::Null, |l| &l["valueCodeableConcept"]);
        (preferred, language)
    });
    let mut found: Vec<(bool, Language)> = Vec::new();
    for (preferred, concept) in plain.chain(extended) {
        let tag = json::codings(concept).find(|(s, _)| *s == "urn:ietf:bcp:47").map(|(_, code)| code.to_owned());
        let Some(name) = json::words(concept).map(str::to_owned).or_else(|| tag.clone()) else { continue };
        let language = Language { tag, name };
        match found.iter_mut().find(|(_, l)| *l == language) {
            Some(same) => same.0 |= preferred,
            None => found.push((preferred, language)),
        }
    }
    found.sort_by_key(|(preferred, _)| !preferred);
    found.into_iter().map(|(_, language)| language).collect()
}

/// One yes anywhere is a yes.
fn interpreter(resource: &Value, mappings: &Mappings) -> Option<bool> {
    let within = |element: &Value| -> Vec<bool> {
        let urls = mappings.patient.interpreter.iter();
        urls.flat_map(|url| json::extensions(element, url)).filter_map(|e| e["valueBoolean"].as_bool()).collect()
    };
    let mut said = within(resource);
    said.extend(json::list(&resource["communication"]).flat_map(within));
    said.extend(json::list(&resource["extension"]).flat_map(within));
    said.into_iter().reduce(|a, b| a || b)
}

fn left_practice(resource: &Value, mappings: &Mappings, now: Timestamp) -> bool {
    mappings.patient.left_practice.iter().any(|sign| match sign {
        LeftSign::Inactive => resource["active"] == false,
        LeftSign::GpPeriodEnded => {
            let practices: Vec<&Value> = json::list(&resource["generalPractitioner"]).collect();
            !practices.is_empty() && practices.iter().all(|p| json::ended(&p["identifier"]["period"], now))
        }
        LeftSign::ExtensionPeriodEnded => mappings
            .patient
            .registration
            .iter()
            .flat_map(|url| json::extensions(resource, url))
            .flat_map(|e| json::list(&e["extension"]).chain([e]))
            .any(|e| json::ended(&e["valuePeriod"], now)),
    })
}

/// The way in which the record says that the person prefers to be contacted ("Letter"); none where it says nothing.
pub(super) fn contact_preference<'a>(resource: &'a Value, mappings: &Mappings) -> Option<&'a str> {
    json::list(&resource["extension"])
        .filter(|e| e["url"] == mappings.patient.contact_preference.as_str())
        .flat_map(|e| json::extensions(e, "PreferredContactMethod"))
        .find_map(|e| json::words(&e["valueCodeableConcept"]))
}

#[cfg(test)]
#[path = "patient_tests.rs"]
mod tests;
