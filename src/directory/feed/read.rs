//! One service object of HSDS-UK 3.0 (Open Referral UK v3, schema `service`) into our [`Service`].
//!
//! Forgiving about everything but the id and the name: real feeds put numbers in strings, −1 for "no limit", HTML
//! everywhere and nothing where much was promised. What is not said stays unknown.

use jiff::civil::{Date, DateTime};
use serde_json::Value;

use super::text::{email_in, field, plain_field, usable_email};
use crate::directory::plain::plain;
use crate::{
    directory::{Organisation, Place, Service, ServiceStatus},
    referral::ServiceId,
};

/// A service of a feed that could not be read; it costs itself only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("service {}: {problem}", id.as_deref().unwrap_or("without an id"))]
pub struct BadService {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a service object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not a JSON object.
    #[error("it is not an object")]
    Shape,
    /// No `id`.
    #[error("it has no id")]
    NoId,
    /// No `name`.
    #[error("it has no name")]
    NoName,
}

/// Reads one service object.
pub fn service(object: &Value) -> Result<Service, BadService> {
    if !object.is_object() {
        return Err(BadService { id: None, problem: Problem::Shape });
    }
    let Some(id) = field(object, "id") else { return Err(BadService { id: None, problem: Problem::NoId }) };
    let Some(name) = plain_field(object, "name") else {
        return Err(BadService { id: Some(id), problem: Problem::NoName });
    };
    let description = plain_field(object, "description").unwrap_or_default();
    let application_process = plain_field(object, "application_process");
    let organisation = organisation(object);
    let email = referral_email(object, application_process.as_deref(), &description);
    Ok(Service {
        id: ServiceId::new(id),
        name,
        email,
        phones: phones(object),
        url: field(object, "url"),
        status: status(field(object, "status").as_deref()),
        minimum_age: age(object.get("minimum_age")),
        maximum_age: age(object.get("maximum_age")),
        eligibility: plain_field(object, "eligibility_description"),
        wait_time: plain_field(object, "wait_time"),
        fees: fees(object),
        areas: each(object, "service_areas").filter_map(|a| plain_field(a, "name")).collect(),
        places: each(object, "service_at_locations").filter_map(|at| at.get("location")).map(place).collect(),
        languages: each(object, "languages").filter_map(|l| field(l, "name").or_else(|| field(l, "code"))).collect(),
        times: each(object, "schedules").filter_map(time).collect(),
        terms: terms(object),
        assured: field(object, "assured_date").and_then(|d| day(&d)),
        modified: field(object, "last_modified").and_then(|d| day(&d)),
        description,
        organisation,
        application_process,
    })
}

fn each<'v>(object: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn organisation(object: &Value) -> Organisation {
    let Some(organisation) = object.get("organization") else { return Organisation::default() };
    Organisation {
        id: field(organisation, "id").unwrap_or_default(),
        name: plain_field(organisation, "name").unwrap_or_default(),
        email: field(organisation, "email").and_then(|e| usable_email(&e)),
    }
}

/// The service's own address, or a contact's, or the one its own words give to referrers. The organisation's general
/// address is not taken: it is not where referrals go.
fn referral_email(object: &Value, application_process: Option<&str>, description: &str) -> Option<String> {
    let own = field(object, "email").and_then(|e| usable_email(&e));
    own.or_else(|| each(object, "contacts").find_map(|c| field(c, "email").and_then(|e| usable_email(&e))))
        .or_else(|| application_process.and_then(email_in))
        .or_else(|| email_in(description))
}

fn phones(object: &Value) -> Vec<String> {
    let own = each(object, "phones");
    let contacts = each(object, "contacts").flat_map(|c| each(c, "phones"));
    let mut numbers: Vec<String> = own.chain(contacts).filter_map(|p| field(p, "number")).collect();
    numbers.dedup();
    numbers
}

fn status(text: Option<&str>) -> ServiceStatus {
    match text.map(str::to_ascii_lowercase).as_deref() {
        None | Some("active") => ServiceStatus::Active,
        Some("defunct") => ServiceStatus::Defunct,
        Some("temporarily closed" | "temporarily-closed" | "temporarily_closed") => ServiceStatus::TemporarilyClosed,
        // A word we do not know is no promise that the service runs.
        Some(_) => ServiceStatus::Inactive,
    }
}

/// Whole years from 0 to 120; everything else (−1, 999, words) is "not said".
fn age(value: Option<&Value>) -> Option<u8> {
    let years = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..=120.0).contains(&years).then_some(years as u8)
}

fn fees(object: &Value) -> Option<String> {
    let mut said: Vec<String> = plain_field(object, "fees").into_iter().collect();
    for option in each(object, "cost_options") {
        let words: Vec<String> =
            ["option", "amount_description"].iter().filter_map(|f| plain_field(option, f)).collect();
        let amount = option.get("amount").and_then(Value::as_f64).filter(|a| *a > 0.0);
        let amount =
            amount.map(|a| format!("{} {a:.2}", field(option, "currency").unwrap_or_else(|| "GBP".to_owned())));
        let line: Vec<String> = words.into_iter().chain(amount).collect();
        if !line.is_empty() {
            said.push(line.join(" "));
        }
    }
    said.dedup();
    (!said.is_empty()).then(|| said.join("; "))
}

fn place(location: &Value) -> Place {
    let address = each(location, "addresses").next();
    let of = |name: &str| address.and_then(|a| plain_field(a, name));
    let coordinate = |name: &str| match location.get(name)? {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    };
    let position = coordinate("latitude").zip(coordinate("longitude"));
    Place {
        name: plain_field(location, "name").or_else(|| of("address_1")).unwrap_or_default(),
        city: of("city"),
        postcode: of("postal_code"),
        // (0, 0) is where exporters put what they do not know; it is not in the United Kingdom.
        position: position.filter(|(lat, lon)| (49.0..61.5).contains(lat) && (-9.0..2.5).contains(lon)),
        accessibility: each(location, "accessibility").filter_map(|a| plain_field(a, "description")).collect(),
    }
}

fn time(schedule: &Value) -> Option<String> {
    const DAYS: [(&str, &str); 7] =
        [("MO", "Mon"), ("TU", "Tue"), ("WE", "Wed"), ("TH", "Thu"), ("FR", "Fri"), ("SA", "Sat"), ("SU", "Sun")];
    let days = field(schedule, "byday").unwrap_or_default();
    let days: Vec<&str> = DAYS.iter().filter(|(code, _)| days.contains(code)).map(|(_, day)| *day).collect();
    let hours = match (field(schedule, "opens_at"), field(schedule, "closes_at")) {
        (Some(from), Some(to)) => Some(format!("{}\u{2013}{}", clock(&from), clock(&to))),
        (Some(from), None) => Some(format!("from {}", clock(&from))),
        _ => None,
    };
    let words = plain_field(schedule, "description");
    let said: Vec<String> = (!days.is_empty()).then(|| days.join(", ")).into_iter().chain(hours).chain(words).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// `10:00:00` as people write it.
fn clock(time: &str) -> &str {
    time.get(..5).filter(|t| t.as_bytes().get(2) == Some(&b':')).unwrap_or(time)
}

fn terms(object: &Value) -> Vec<String> {
    let mut terms: Vec<String> = each(object, "attributes")
        .filter_map(|a| a.get("taxonomy_term").and_then(|t| plain_field(t, "name")).or_else(|| plain_field(a, "label")))
        .map(|t| plain(&t))
        .collect();
    terms.dedup();
    terms
}

/// A date, or the day of a date and time.
fn day(text: &str) -> Option<Date> {
    let text = text.trim();
    let date = || text.get(..10).and_then(|d| d.parse::<Date>().ok());
    text.parse::<Date>().ok().or_else(|| text.parse::<DateTime>().ok().map(DateTime::date)).or_else(date)
}
