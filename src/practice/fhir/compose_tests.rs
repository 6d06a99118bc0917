//! What is filed under each sharing choice, and that every bit of it is well formed.

use super::*;
use crate::practice::MessageBack;
use crate::practice::fhir::typed;
use crate::referral::{FilingId, OfferId, Source};

fn scores(n: u8) -> Ons4 {
    let score = |n: u8| Score::try_from(n).unwrap();
    Ons4 { satisfied: score(n), worthwhile: score(n + 1), happy: score(n), anxious: score(10 - n) }
}

fn taken(offer: u128, at: &str, n: u8) -> Taken {
    Taken { offer: OfferId::from_uuid(Uuid::from_u128(offer)), at: at.parse().unwrap(), scores: scores(n) }
}

fn filing(moment: Moment, sharing: Sharing) -> ClinicalFiling {
    ClinicalFiling {
        id: "0190a5d3-7c00-7000-8000-000000000001".parse::<FilingId>().unwrap(),
        moment,
        source: Source { practice: "beckside".into(), request: "sr1".into(), task: None, version: "1".into() },
        request: None,
        occurred: "2026-11-24T12:00:00Z".parse().unwrap(),
        sharing,
        person_accepted: true,
        already_coded: false,
        before: Some(taken(1, "2026-11-03T09:00:00Z", 3)),
        after: Some(taken(1, "2026-11-24T11:00:00Z", 6)),
        message: MessageBack {
            service: Some("Tai Chi at the Reginald Centre".into()),
            tried: Some("Six sessions".into()),
            helped: Some("Going with a neighbour".into()),
            did_not_help: Some("The early class".into()),
            risks: Some("Fell once on the stairs".into()),
            outcome: Some("Goes on by herself".into()),
            sensitive: false,
        },
    }
}

fn composed(filing: &ClinicalFiling, practice_codes_itself: bool) -> Vec<Entry> {
    let mappings = Mappings::builtin().unwrap();
    let about = About {
        mappings: &mappings,
        subject: json!({"reference": "Patient/p1"}),
        request: json!({"reference": "ServiceRequest/sr1"}),
        author: json!({"display": "Wellbridge"}),
        practice_codes_itself,
    };
    let entries = entries(filing, &about);
    for entry in &entries {
        typed::check(&entry.resource).unwrap();
    }
    entries
}

fn kinds(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|e| e.resource["resourceType"].as_str().unwrap()).collect()
}

fn text(entry: &Entry) -> String {
    let data = entry.resource["content"][0]["attachment"]["data"].as_str().unwrap();
    String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()
}

#[test]
fn full_sharing_files_scores_words_and_codes_in_at_most_eight_conditional_entries() {
    let entries = composed(&filing(Moment::Closed(Closed::Finished), Sharing::Full), false);
    let expected = ["Observation", "Observation", "DocumentReference", "DocumentReference", "Procedure", "Provenance"];
    assert_eq!(kinds(&entries), expected);
    assert!(entries.iter().all(|e| !e.unless.is_empty()) && entries.len() <= 8);
    let after = &entries[1].resource;
    assert_eq!(after["component"].as_array().unwrap().len(), 4);
    assert_eq!(after["component"][1]["valueInteger"], 7);
    assert_eq!(after["code"]["coding"][0]["system"], "https://wellbridge.example/fhir/CodeSystem/ons4");
    let message = text(&entries[2]);
    for words in ["Services and care", "What did not help: The early class", "After support: satisfied 6, worthwhile 7"]
    {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn risks_lie_in_a_document_of_their_own_under_a_restricting_label() {
    let entries = composed(&filing(Moment::Closed(Closed::Finished), Sharing::Full), false);
    assert!(!text(&entries[2]).contains("Fell once") && text(&entries[3]).contains("Risks\nFell once on the stairs"));
    assert!(entries[2].resource.get("securityLabel").is_none());
    assert_eq!(entries[3].resource["meta"]["security"][0]["code"], "R");
    let mut sensitive = filing(Moment::Started, Sharing::Full);
    sensitive.message.sensitive = true;
    let entries = composed(&sensitive, false);
    assert_eq!(entries[2].resource["securityLabel"][0]["coding"][0]["code"], "R");
}

#[test]
fn a_risk_that_both_filings_of_an_offer_bring_is_one_document_and_further_words_are_another() {
    let document = |id: &str, risks: &str| {
        let mut filing = filing(Moment::Started, Sharing::Full);
        filing.id = id.parse().unwrap();
        filing.message.risks = Some(risks.to_owned());
        composed(&filing, false).remove(3)
    };
    let [first, second] = ["0190a5d3-7c00-7000-8000-000000000001", "0190a5d3-7c00-7000-8000-000000000002"];
    let started = document(first, "Fell once on the stairs");
    assert!(text(&started).contains("Fell once"));
    assert_eq!(document(second, "Fell once on the stairs").unless, started.unless);
    assert_ne!(document(second, "Fell once on the stairs\nFell again").unless, started.unless);
    assert!(!started.unless.contains("Fell"), "no words in a header");
}

#[test]
fn codes_only_files_neither_a_word_nor_a_score() {
    let entries = composed(&filing(Moment::Started, Sharing::CodesOnly), false);
    assert_eq!(kinds(&entries), ["Procedure", "Provenance"]);
    let all: String = entries.iter().map(|e| e.resource.to_string()).collect();
    for word in ["Tai Chi", "neighbour", "valueInteger", "stairs"] {
        assert!(!all.contains(word), "{word}");
    }
}

#[test]
fn nothing_is_filed_where_the_person_wants_nothing_filed() {
    for moment in [Moment::Started, Moment::Closed(Closed::Finished), Moment::Closed(Closed::DeclinedSocialPrescribing)]
    {
        assert!(composed(&filing(moment, Sharing::Nothing), false).is_empty());
    }
}

#[test]
fn the_referral_is_coded_once_and_only_where_the_person_accepted() {
    let codes = |change: fn(&mut ClinicalFiling), practice_codes_itself: bool| {
        let mut filing = filing(Moment::Started, Sharing::CodesOnly);
        change(&mut filing);
        kinds(&composed(&filing, practice_codes_itself)).contains(&"Procedure")
    };
    assert!(codes(|_| {}, false));
    assert!(!codes(|f| f.person_accepted = false, false));
    assert!(!codes(|f| f.already_coded = true, false));
    assert!(!codes(|_| {}, true));
    // Two filings of one episode share the condition, so that even a wrong flag codes once.
    let first = composed(&filing(Moment::Started, Sharing::CodesOnly), false);
    let mut later = filing(Moment::Closed(Closed::Finished), Sharing::CodesOnly);
    later.id = "0190a5d3-7c00-7000-8000-000000000002".parse().unwrap();
    assert_eq!(first[0].unless, composed(&later, false)[0].unless);
}

#[test]
fn declining_is_coded_only_where_social_prescribing_as_a_whole_was_declined() {
    for (how, coded) in [
        (Closed::DeclinedSocialPrescribing, true),
        (Closed::PersonDeclined, false),
        (Closed::Unreachable, false),
        (Closed::NoService, false),
    ] {
        let mut filing = filing(Moment::Closed(how), Sharing::CodesOnly);
        filing.person_accepted = false;
        let all: String = composed(&filing, false).iter().map(|e| e.resource.to_string()).collect();
        assert_eq!(all.contains("871711000000103"), coded, "{how:?}");
    }
}

#[test]
fn the_same_filing_makes_the_same_bundle_and_its_provenance_points_at_all_of_it() {
    let filing = filing(Moment::Closed(Closed::Finished), Sharing::Full);
    let bundle = transaction(&filing, &composed(&filing, false));
    assert_eq!(bundle, transaction(&filing, &composed(&filing, false)));
    let urls: Vec<&Value> = bundle["entry"].as_array().unwrap().iter().map(|e| &e["fullUrl"]).collect();
    let targets = bundle["entry"][5]["resource"]["target"].as_array().unwrap();
    assert_eq!(targets.iter().map(|t| &t["reference"]).collect::<Vec<_>>(), urls[..5]);
    let procedure = &bundle["entry"][4];
    assert_eq!(
        (&procedure["resource"]["resourceType"], &procedure["request"]["ifNoneExist"]),
        (
            &json!("Procedure"),
            &json!("identifier=https%3A%2F%2Fwellbridge.example%2Ffhir%2FId%2Fepisode%7Csr1.referred")
        )
    );
}

#[test]
fn the_same_scores_are_one_entry_at_both_filings_and_another_partners_are_another() {
    let before = |filing: &ClinicalFiling| composed(filing, false).swap_remove(0);
    let started = filing(Moment::Started, Sharing::Full);
    let mut closed = filing(Moment::Closed(Closed::Finished), Sharing::Full);
    (closed.id, closed.occurred) =
        ("0190a5d3-7c00-7000-8000-000000000002".parse().unwrap(), "2026-12-20T09:00:00Z".parse().unwrap());
    let (first, again) = (before(&started), before(&closed));
    assert_eq!(first.unless, again.unless);
    assert_eq!(first.resource, again.resource, "and it says when it was taken, not when it was filed");
    assert_eq!(first.resource["effectiveDateTime"], "2026-11-03T09:00:00Z");
    let offer = "00000000-0000-0000-0000-000000000001";
    assert_eq!(first.resource["identifier"][0]["value"], format!("{offer}.before.1793696400000"));
    closed.before = Some(taken(2, "2026-11-03T09:00:00Z", 3));
    assert_ne!(before(&closed).unless, first.unless, "another partner's");
    closed.before = Some(taken(1, "2026-11-05T09:00:00Z", 4));
    assert_ne!(before(&closed).unless, first.unless, "taken again");
    let all = composed(&closed, false);
    assert_ne!(all[0].unless, all[1].unless, "before and after");
}

#[test]
fn an_id_that_is_an_nhs_number_never_becomes_an_identifier_of_ours() {
    assert_eq!(episode_value("sr1", "task"), "sr1.task");
    let hashed = episode_value("9990300127", "task");
    assert!(hashed.starts_with("sha256-") && !hashed.contains("9990300127"), "{hashed}");
    assert_eq!(hashed, episode_value("9990300127", "task"));
}

#[test]
fn a_filing_with_nothing_to_say_writes_no_empty_document() {
    let mut quiet = filing(Moment::Started, Sharing::Full);
    quiet.message = MessageBack { service: Some("  ".into()), ..MessageBack::default() };
    (quiet.before, quiet.after) = (None, None);
    assert_eq!(kinds(&composed(&quiet, false)), ["Procedure", "Provenance"]);
    quiet.already_coded = true;
    assert!(composed(&quiet, false).is_empty());
}
