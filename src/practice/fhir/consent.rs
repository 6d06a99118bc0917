//! What the record says about agreeing to the referral, and about what may return to the GP.
//!
//! FHIR has several places for both; `mappings/fhir.toml` says which are read. A Consent resource in force comes before
//! a code on the request; the latest decision counts; a yes with exceptions counts as a no until a person has read it.

use jiff::Timestamp;
use serde_json::Value;

use super::codes::Mappings;
use super::json::{self, text};
use crate::referral::{Consent, Sharing};

/// One Consent resource and whether the practice attached it to the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    /// The Consent.
    pub(super) resource: &'a Value,
    /// In `supportingInfo` or contained: about this request, whatever its category says.
    pub(super) attached: bool,
}

/// Whether a reference says that it is to a Consent, wherever that lies.
pub(super) fn is_named_by(reference: &Value) -> bool {
    let path = text(&reference["reference"]).unwrap_or("");
    reference["type"] == "Consent" || path.split('/').any(|part| part == "Consent")
}

/// The decision: from Consent resources, else from codes on the request.
pub(super) fn decide(request: &Value, found: &[Found<'_>], mappings: &Mappings, now: Timestamp) -> Consent {
    let about = found.iter().filter(|f| f.attached || is_about_referrals(f.resource, mappings)).map(|f| f.resource);
    let (mut yeses, mut noes, mut doubts, mut not_in_force) = (Vec::new(), Vec::new(), Vec::new(), false);
    for resource in about {
        let when = json::span(&resource["dateTime"]);
        match said(resource, now) {
            Said::Yes => yeses.push(when),
            Said::No => noes.push(when),
            Said::Doubt => doubts.push(when),
            Said::NotInForce => not_in_force = true,
            Said::Nothing => {}
        }
    }
    let outweighs = |others: &[When]| yeses.iter().any(|yes| others.iter().all(|other| is_after(*yes, *other)));
    if outweighs(&noes) {
        // What may be a no and is not surely older is for a person to read.
        return if outweighs(&doubts) { Consent::Given } else { Consent::Unreadable };
    }
    match on_request(request, mappings) {
        _ if !noes.is_empty() => Consent::Declined,
        Some(Consent::Declined) => Consent::Declined,
        _ if !doubts.is_empty() => Consent::Unreadable,
        Some(decision) => decision,
        // An agreement that was taken back, ran out or has yet to begin is a no, not a blank.
        None if not_in_force => Consent::Declined,
        None => Consent::NotRecorded,
    }
}

/// The first and the last moment at which something may have been said.
type When = Option<(Timestamp, Timestamp)>;

/// Whether a yes was surely said after a no: where their dates do not tell them apart, the no outweighs it.
fn is_after(yes: When, no: When) -> bool {
    yes.zip(no).is_some_and(|((first, _), (_, last))| first > last)
}

enum Said {
    Yes,
    No,
    NotInForce,
    /// It is in force and decides something, and what it decides cannot be read: it may be a no.
    Doubt,
    Nothing,
}

fn said(resource: &Value, now: Timestamp) -> Said {
    let provision = &resource["provision"];
    let rules = Rules::of(resource);
    let over = if rules.permits() { Said::NotInForce } else { Said::Nothing };
    match text(&resource["status"]) {
        Some("rejected") => Said::No,
        Some("inactive") => over,
        Some("draft" | "proposed" | "entered-in-error") => Said::Nothing,
        Some("active") if json::ended(&provision["period"], now) => over,
        Some("active") => match rules.decide() {
            Some(false) => Said::No,
            None => Said::Doubt,
            Some(true) if !json::begun(&provision["period"], now) || !rules.in_force(now) => Said::NotInForce,
            Some(true) => Said::Yes,
        },
        _ => Said::Doubt,
    }
}

/// The rules of one Consent. R4 gives `provision.type` no meaning in the root (yet many systems write it there) and
/// demands it of every nested provision; the base rule then stands in `policyRule`.
struct Rules<'a> {
    /// The root's type: `None` where it has none, an empty word where it is none that FHIR knows.
    root: Option<&'a str>,
    policy: Option<bool>,
    nested: Vec<&'a Value>,
}

impl<'a> Rules<'a> {
    fn of(resource: &'a Value) -> Self {
        let provision = &resource["provision"];
        let kind = &provision["type"];
        let mut nested = Vec::new();
        gather(provision, &mut nested);
        Self { root: (!kind.is_null()).then(|| text(kind).unwrap_or("")), policy: policy(resource), nested }
    }

    fn any(&self, kind: &str) -> bool {
        self.nested.iter().any(|p| p["type"] == kind)
    }

    fn permits(&self) -> bool {
        self.root == Some("permit") || self.policy == Some(true) || self.any("permit")
    }

    /// Yes, no, or in doubt. A yes with an exception is a no until a person has read it; a no is one with any.
    fn decide(&self) -> Option<bool> {
        let odd = self.nested.iter().any(|p| p["type"] != "permit" && p["type"] != "deny");
        let base = match self.root {
            Some("permit") if self.policy == Some(false) => return None,
            Some("permit") => Some(true),
            Some("deny") => Some(false),
            Some(_) => return None,
            None => self.policy,
        };
        match base {
            Some(false) => Some(false),
            Some(true) if self.any("deny") => Some(false),
            Some(true) => (!odd).then_some(true),
            None if odd || self.any("deny") == self.any("permit") => None,
            None => Some(self.any("permit")),
        }
    }

    /// Whether a yes that only nested provisions give is given by one that holds now.
    fn in_force(&self, now: Timestamp) -> bool {
        let holds = |p: &Value| json::begun(&p["period"], now) && !json::ended(&p["period"], now);
        self.root.is_some() || self.policy.is_some() || self.nested.iter().any(|p| p["type"] == "permit" && holds(p))
    }
}

fn gather<'a>(provision: &'a Value, into: &mut Vec<&'a Value>) {
    for nested in json::list(&provision["provision"]) {
        into.push(nested);
        gather(nested, into);
    }
}

/// The base rule: HL7's opt-in and opt-out codes (`v3-ActCode`), or words that say out. Words alone are no yes.
fn policy(resource: &Value) -> Option<bool> {
    let rule = &resource["policyRule"];
    let coded = |codes: &[&str]| json::codings(rule).any(|(_, code)| codes.contains(&code));
    let lower = json::words(rule).unwrap_or("").to_lowercase().replace('-', " ");
    let written = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let out = written(&["opt out", "opts out", "opted out", "opting out", "optout"])
        && !written(&["opt in", "opted in", "optin", "not opted out", "not opt out"]);
    if coded(&["OPTOUT", "OPTOUTE"]) || out {
        return Some(false);
    }
    coded(&["OPTIN", "OPTINR"]).then_some(true)
}

fn is_about_referrals(resource: &Value, mappings: &Mappings) -> bool {
    let concepts = || {
        json::list(&resource["category"]).chain([&resource["scope"]]).chain(json::list(&resource["provision"]["code"]))
    };
    let coded = concepts()
        .flat_map(json::codings)
        .any(|(system, code)| mappings.consent.about.iter().any(|c| c.is(system, code)));
    coded
        || json::list(&resource["category"]).filter_map(json::words).any(|w| {
            let lower = w.to_lowercase();
            mappings.consent.words.iter().any(|word| lower.contains(word.as_str()))
        })
}

fn on_request(request: &Value, mappings: &Mappings) -> Option<Consent> {
    let said = ["orderDetail", "category", "reasonCode"]
        .into_iter()
        .flat_map(|place| json::list(&request[place]))
        .flat_map(json::codings)
        .filter_map(|(system, code)| mappings.consent.code.iter().find_map(|m| m.of(system, code)));
    said.reduce(|a, b| if b == Consent::Declined { b } else { a })
}

/// What may return to the GP: the narrowest of what is said anywhere; codes only where nothing is.
pub(super) fn sharing(request: &Value, found: &[Found<'_>], mappings: &Mappings) -> Sharing {
    let consents = || found.iter().map(|f| f.resource);
    let concepts = ["orderDetail", "category"]
        .into_iter()
        .flat_map(|place| json::list(&request[place]))
        .chain(consents().flat_map(|c| json::list(&c["category"]).chain(json::list(&c["provision"]["code"]))));
    let extended = std::iter::once(request)
        .chain(consents())
        .flat_map(|r| json::extensions(r, &mappings.sharing.extension))
        .filter_map(|e| text(&e["valueCode"]).or_else(|| text(&e["valueCoding"]["code"])))
        .filter_map(|code| mappings.sharing.code.iter().find(|m| m.code == code).map(|m| m.means));
    let coded = concepts
        .flat_map(json::codings)
        .filter_map(|(system, code)| mappings.sharing.code.iter().find_map(|m| m.of(system, code)));
    coded.chain(extended).min_by_key(|s| width(*s)).unwrap_or_default()
}

fn width(sharing: Sharing) -> u8 {
    match sharing {
        Sharing::Nothing => 0,
        Sharing::CodesOnly => 1,
        Sharing::Full => 2,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn decided(request: &Value, consents: &[Value], attached: bool) -> Consent {
        let found: Vec<Found<'_>> = consents.iter().map(|resource| Found { resource, attached }).collect();
        decide(request, &found, &Mappings::builtin().unwrap(), now())
    }

    fn consent(status: &str, kind: &str, date: &str) -> Value {
        json!({"resourceType": "Consent", "status": status, "dateTime": date, "provision": {"type": kind}})
    }

    #[test]
    fn the_latest_decision_in_force_counts() {
        let yes = consent("active", "permit", "2026-11-20");
        let no = consent("active", "deny", "2026-11-21");
        let rejected = consent("rejected", "permit", "2026-11-22");
        let inactive = consent("inactive", "permit", "2026-11-23");
        let draft = consent("draft", "permit", "2026-11-23");
        let mut expired = yes.clone();
        expired["provision"]["period"] = json!({"end": "2026-01-01"});
        let mut excepted = yes.clone();
        excepted["provision"]["provision"] = json!([{"type": "deny"}]);
        for (consents, expected) in [
            (vec![yes.clone()], Consent::Given),
            (vec![no.clone()], Consent::Declined),
            (vec![yes.clone(), no.clone()], Consent::Declined),
            (vec![consent("active", "permit", "2026-11-23"), no.clone()], Consent::Given),
            (vec![no, consent("active", "permit", "2026-11-23")], Consent::Given),
            (vec![rejected], Consent::Declined),
            (vec![inactive.clone()], Consent::Declined),
            (vec![inactive, yes.clone()], Consent::Given),
            (vec![draft], Consent::NotRecorded),
            (vec![expired], Consent::Declined),
            (vec![excepted], Consent::Declined),
            (vec![json!({"status": "active"})], Consent::Unreadable),
            (vec![consent("active", "permit", ""), consent("active", "deny", "")], Consent::Declined),
            (vec![], Consent::NotRecorded),
        ] {
            assert_eq!(decided(&json!({}), &consents, true), expected, "{consents:?}");
        }
    }

    #[test]
    fn a_newer_consent_says_no_wherever_r4_lets_it_say_so_and_is_never_a_yes_where_it_cannot_be_read() {
        let old_yes = consent("active", "permit", "2026-11-01");
        let rule = |code: &str| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code}]});
        let permit = json!({"type": "permit"});
        let deny = json!({"type": "deny"});
        let over = json!({"type": "permit", "period": {"end": "2026-11-20"}});
        let deeper = json!({"type": "permit", "provision": [deny]});
        for (policy, provision, with_older_yes, alone) in [
            (json!(null), json!({"provision": [deny]}), Consent::Declined, Consent::Declined),
            (json!(null), json!({"provision": [deny, deny]}), Consent::Declined, Consent::Declined),
            (json!(null), json!({"provision": deny}), Consent::Declined, Consent::Declined),
            (json!(null), json!({"provision": [permit]}), Consent::Given, Consent::Given),
            (json!(null), json!({"provision": [over]}), Consent::Given, Consent::Declined),
            (json!(null), json!({"provision": [over, permit]}), Consent::Given, Consent::Given),
            (json!(null), json!({"provision": [permit, deny]}), Consent::Unreadable, Consent::Unreadable),
            (json!(null), json!({"provision": [deeper]}), Consent::Unreadable, Consent::Unreadable),
            (json!(null), json!({"provision": [{}]}), Consent::Unreadable, Consent::Unreadable),
            (json!(null), json!({"type": "permit", "provision": [{}]}), Consent::Unreadable, Consent::Unreadable),
            (json!(null), json!({"type": "perhaps"}), Consent::Unreadable, Consent::Unreadable),
            (json!(null), json!({"type": 7}), Consent::Unreadable, Consent::Unreadable),
            (json!(null), json!([deny]), Consent::Unreadable, Consent::Unreadable),
            (json!({"text": "Local policy"}), json!(null), Consent::Unreadable, Consent::Unreadable),
            (rule("OPTOUT"), json!(null), Consent::Declined, Consent::Declined),
            (rule("OPTOUTE"), json!({"provision": [permit]}), Consent::Declined, Consent::Declined),
            (rule("OPTOUT"), json!({"type": "permit"}), Consent::Unreadable, Consent::Unreadable),
            (json!({"text": "Patient has opted out"}), json!({}), Consent::Declined, Consent::Declined),
            (json!({"text": "Opt-in or opt-out"}), json!({}), Consent::Unreadable, Consent::Unreadable),
            (rule("OPTIN"), json!(null), Consent::Given, Consent::Given),
            (rule("OPTINR"), json!({"provision": [permit]}), Consent::Given, Consent::Given),
            (rule("OPTIN"), json!({"provision": [deny]}), Consent::Declined, Consent::Declined),
            (rule("OPTIN"), json!({"period": {"end": "2026-11-20"}}), Consent::Given, Consent::Declined),
            (rule("OPTIN"), json!({"type": "deny"}), Consent::Declined, Consent::Declined),
        ] {
            let newer = json!({"resourceType": "Consent", "status": "active", "dateTime": "2026-11-21",
                "policyRule": policy, "provision": provision});
            let mut in_error = newer.clone();
            in_error["status"] = json!("entered-in-error");
            let later_yes = consent("active", "permit", "2026-11-22");
            for (consents, expected) in [
                (vec![old_yes.clone(), newer.clone()], with_older_yes),
                (vec![newer.clone()], alone),
                (vec![newer, later_yes], Consent::Given),
                (vec![old_yes.clone(), in_error], Consent::Given),
            ] {
                assert_eq!(decided(&json!({}), &consents, true), expected, "{consents:?}");
            }
        }
        let mut stateless = old_yes.clone();
        stateless["status"] = json!(null);
        assert_eq!(decided(&json!({}), &[stateless], true), Consent::Unreadable);
    }

    #[test]
    fn a_yes_outweighs_a_no_only_where_it_is_surely_the_later_one() {
        let yes = |at: &str| consent("active", "permit", at);
        let no = |at: &str| consent("active", "deny", at);
        for (consents, expected) in [
            // A day alone may be any hour of it, a month any day.
            (vec![yes("2026-11-20T09:00:00Z"), no("2026-11-20")], Consent::Declined),
            (vec![yes("2026-11-20T09:00:00Z"), no("2026-11-19")], Consent::Given),
            (vec![yes("2026-11-20"), no("2026-11-20T09:00:00Z")], Consent::Declined),
            (vec![yes("2026-11-20"), no("2026-11")], Consent::Declined),
            (vec![yes("2026-11-20"), no("2026-10")], Consent::Given),
            (vec![no(""), yes("2026-11-20")], Consent::Declined),
            (vec![yes("2026-11-22"), no("2026-11-21"), yes("2026-11-20")], Consent::Given),
            (vec![yes("2026-11-20"), no("2026-11-21"), yes("2026-11-19")], Consent::Declined),
        ] {
            let turned: Vec<Value> = consents.iter().rev().cloned().collect();
            assert_eq!(decided(&json!({}), &consents, true), expected, "{consents:?}");
            assert_eq!(decided(&json!({}), &turned, true), expected, "in whatever order: {turned:?}");
        }
    }

    #[test]
    fn a_yes_that_has_not_begun_is_none_yet() {
        for (start, expected) in [
            ("2026-11-24", Consent::Given),
            ("2026-11-24T12:00:00Z", Consent::Given),
            ("2026-11-24T12:00:01Z", Consent::Declined),
            ("2026-11-25", Consent::Declined),
            ("2026-11", Consent::Given),
            ("2026-12", Consent::Declined),
            ("2027", Consent::Declined),
        ] {
            let mut later = consent("active", "permit", "2026-11-20");
            later["provision"]["period"] = json!({"start": start});
            assert_eq!(decided(&json!({}), &[later.clone()], true), expected, "{start}");
            // One that is in force already stands meanwhile.
            let now = consent("active", "permit", "2026-11-01");
            assert_eq!(decided(&json!({}), &[later, now], true), Consent::Given, "{start}");
        }
    }

    #[test]
    fn a_consent_found_by_search_counts_only_if_it_is_about_this() {
        let mut research = consent("active", "deny", "2026-11-20");
        research["category"] = json!([{"text": "Research register"}]);
        assert_eq!(decided(&json!({}), &[research], false), Consent::NotRecorded);
        let mut share = consent("active", "permit", "2026-11-20");
        share["category"] = json!([{"text": "Consent to share referral information with a community service"}]);
        assert_eq!(decided(&json!({}), &[share], false), Consent::Given);
    }

    #[test]
    fn a_code_on_the_request_counts_where_no_consent_does() {
        let coded =
            |code: &str| json!({"orderDetail": [{"coding": [{"system": "http://snomed.info/sct", "code": code}]}]});
        assert_eq!(decided(&coded("319951000000105"), &[], true), Consent::Given);
        assert_eq!(decided(&coded("320011000000108"), &[], true), Consent::Declined);
        let no = consent("active", "deny", "2026-11-21");
        assert_eq!(decided(&coded("319951000000105"), &[no], true), Consent::Declined);
    }

    #[test]
    fn the_narrowest_sharing_wins_and_none_means_codes_only() {
        let system = "https://wellbridge.example/fhir/CodeSystem/sharing";
        let coded = |code: &str| json!({"coding": [{"system": system, "code": code}]});
        let read = |request: Value, consents: Vec<Value>| {
            let found: Vec<Found<'_>> = consents.iter().map(|resource| Found { resource, attached: true }).collect();
            sharing(&request, &found, &Mappings::builtin().unwrap())
        };
        assert_eq!(read(json!({}), vec![]), Sharing::CodesOnly);
        assert_eq!(read(json!({"orderDetail": [coded("full")]}), vec![]), Sharing::Full);
        let nothing = json!({"provision": {"code": [coded("nothing")]}});
        assert_eq!(read(json!({"category": [coded("full")]}), vec![nothing]), Sharing::Nothing);
        let url = "https://wellbridge.example/fhir/StructureDefinition/sharing";
        assert_eq!(read(json!({"extension": [{"url": url, "valueCode": "full"}]}), vec![]), Sharing::Full);
        assert_eq!(read(json!({"orderDetail": [{"coding": [{"code": "full"}]}]}), vec![]), Sharing::CodesOnly);
    }
}
