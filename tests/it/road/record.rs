//! What stands in the patient's record in the end: each need's own words, at its own moment, in the right record.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::Value;
use wellbridge::demo::practice::Fault;
use wellbridge::referral::episode::{FilingStatus, Hold};
use wellbridge::referral::event::{Event, Place, Placed};

use super::on_both;
use crate::support::city::PARTNERS;
use crate::support::story::{Sent, Story};
use crate::support::world::{Plan, World};

const AFTER: [(&str, &str); 4] = [("satisfied", "7"), ("worthwhile", "8"), ("happy", "7"), ("anxious", "2")];

/// Every document's words, and whether it lies apart under a restricting label.
async fn documents(world: &World) -> Vec<(String, bool)> {
    use base64::Engine as _;
    let all = world.record.all("DocumentReference").await;
    let read = |d: &Value| {
        let data = d["content"][0]["attachment"]["data"].as_str().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        (String::from_utf8(bytes).unwrap(), d["meta"]["security"].is_array())
    };
    all.iter().map(read).collect()
}

/// A further need that a person must look at, as the matcher would have found it.
async fn also_needs(world: &World, sent: &Sent, need: &str) {
    let needs = vec![Placed { need: need.into(), place: Place::Hold(Hold::NoService) }];
    let now = world.clock.now();
    let mut tx = world.service.store.begin().await.unwrap();
    tx.record(world.id(sent).await, &Event::Matched { needs, safety: false }, None, now, now).await.unwrap();
    tx.commit().await.unwrap();
}

/// The coordinator closes one need at her desk.
async fn closes(world: &World, sent: &Sent, need: &str, how: &str, words: &str) {
    let jo = world.coordinator().await;
    let page = jo.browser.open(&format!("/desk/referral/{}/decide?need={need}", world.id(sent).await)).await;
    let done = jo.browser.submit(&page, "/decide", &[("how", how), ("words", words)]).await;
    assert!(done.status.is_success(), "{}", done.html);
    world.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_needs_words_and_scores_never_stand_in_anothers_filing_and_sensitive_ones_lie_apart() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        also_needs(&world, &sent, "addiction").await;
        let partner = world.partner(&world.open_offer(&sent).await);
        partner.accepts().await;
        partner.tells("started", &[]).await;
        let finished = [&[("tried", "Six visits with Maggie.")], &AFTER[..]].concat();
        partner.tells("finished", &finished).await;
        closes(&world, &sent, "addiction", "met-by-coordinator", "Goes to the recovery cafe now.").await;
        let all = documents(&world).await;
        let about = |words: &str| all.iter().filter(|(text, _)| text.contains(words)).collect::<Vec<_>>();
        assert_eq!(about("Six visits with Maggie").len(), 1, "{all:?}");
        assert!(!about("Six visits with Maggie")[0].1, "befriending may be read by anybody in the surgery");
        assert_eq!(about("recovery cafe").len(), 1, "{all:?}");
        assert!(about("recovery cafe")[0].1, "what an addiction service would do lies apart, whoever did it");
        assert!(!about("recovery cafe")[0].0.contains("Maggie"));
        let after = world.record.all("Observation").await;
        let after = after.iter().filter(|o| o["note"][0]["text"] == "After support").count();
        assert_eq!(after, 1, "one partner's scores are filed once");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_coordinator_writes_when_she_ends_a_partners_support_reaches_the_gp() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let need = world.episode(&sent).await.needs[0].code.to_string();
        let partner = world.partner(&world.open_offer(&sent).await);
        partner.accepts().await;
        partner.tells("started", &[]).await;
        closes(&world, &sent, &need, "person-declined", "She would rather go to the lunch club by herself.").await;
        let all = documents(&world).await;
        assert!(all.iter().any(|(text, _)| text.contains("rather go to the lunch club")), "{all:?}");
        world.ends_well().await;
    })
    .await;
}

/// The partner of the only open offer says yes and tells that support has started, with scores.
async fn supports(world: &World, sent: &Sent, score: &str) -> String {
    let partner = world.partner(&world.open_offer(sent).await);
    partner.accepts().await;
    partner.tells("started", &["satisfied", "worthwhile", "happy", "anxious"].map(|name| (name, score))).await;
    partner.name
}

#[tokio::test(flavor = "multi_thread")]
async fn each_partners_scores_reach_the_record_and_each_once() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let need = world.episode(&sent).await.needs[0].code.to_string();
        let first = supports(&world, &sent, "3").await;
        let failing = world.partner(&world.open_offer(&sent).await);
        failing.tells("could-not", &[("why", "99"), ("reason", "Our visitor moved away.")]).await;
        let next = PARTNERS.iter().find(|partner| **partner != first).unwrap();
        world.coordinator().await.asks(&sent, &need, next).await;
        supports(&world, &sent, "5").await;
        let second = world.partner(&world.open_offer(&sent).await);
        second.tells("finished", &[&[("tried", "Six visits.")], &AFTER[..]].concat()).await;
        let all = world.record.all("Observation").await;
        // The practice's own baseline, which has no such note, stays what it was.
        let mut found: Vec<_> = all
            .iter()
            .filter(|o| o["note"].is_array())
            .map(|o| (o["note"][0]["text"].as_str().unwrap(), o["component"][0]["valueInteger"].as_u64().unwrap()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [("After support", 7), ("Before support", 3), ("Before support", 5)]);
        world.ends_well().await;
    })
    .await;
}

/// A partner fails in its own words, another says no in its own, and the coordinator closes.
async fn comes_to_nothing(world: &World, story: &Story) -> (Sent, String) {
    let sent = world.gp_sends(story).await;
    let need = world.episode(&sent).await.needs[0].code.to_string();
    let partner = world.partner(&world.open_offer(&sent).await);
    partner.accepts().await;
    partner.tells("on-hold", &[("reason", "Rang three times, mornings and evenings.")]).await;
    partner.tells("could-not", &[("why", "unreachable"), ("reason", "Nobody ever picked up.")]).await;
    let next = PARTNERS.iter().find(|other| **other != partner.name).unwrap();
    world.coordinator().await.asks(&sent, &need, next).await;
    let other = world.partner(&world.open_offer(&sent).await);
    other.declines("22", "Our waiting list is a year long.").await;
    if let Some(open) = world.episode(&sent).await.open_offer(&need.as_str().into()).cloned() {
        world.partner(&open).declines("99", "Not this month.").await;
    }
    closes(world, &sent, &need, "unreachable", "We tried for a month.").await;
    (sent, partner.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_partners_tried_and_what_did_not_work_reaches_the_gp_when_the_coordinator_closes() {
    let world = Plan::usual().open().await;
    comes_to_nothing(&world, &Story::lonely()).await;
    let all = documents(&world).await;
    let (text, _) = all.iter().find(|(text, _)| text.contains("We tried for a month.")).unwrap();
    let line = |heading: &str| text.lines().skip_while(|l| !l.starts_with(heading)).collect::<Vec<_>>().join("\n");
    assert!(line("What was tried:").contains("Rang three times, mornings and evenings."), "{text}");
    let failed = line("What did not help:");
    for words in ["the person could not be reached", "Nobody ever picked up.", "said no", "a year long"] {
        assert!(failed.contains(words), "{words} in {text}");
    }
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partners_words_of_failure_stay_here_where_the_person_shares_codes_only() {
    let world = Plan::usual().open().await;
    comes_to_nothing(&world, &Story::lonely().sharing(Some("codes-only"))).await;
    assert_eq!(documents(&world).await, []);
    world.ends_well().await;
}

/// Support starts while the practice's system cannot take it; the filing waits for its next try.
async fn starts_while_the_practice_is_down(world: &World) -> Sent {
    let sent = world.gp_sends(&Story::lonely()).await;
    let partner = world.partner(&world.open_offer(&sent).await);
    partner.accepts().await;
    world.pretend().fail_next(3, Method::POST, "/", Fault::status(503));
    partner.tells("started", &[("satisfied", "4"), ("worthwhile", "5"), ("happy", "3"), ("anxious", "6")]).await;
    assert!(world.record.all("Procedure").await.is_empty());
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filing_that_had_to_wait_still_says_when_support_started() {
    let world = Plan::usual().open().await;
    let sent = starts_while_the_practice_is_down(&world).await;
    let started = world.clock.now();
    let partner = world.partner(&world.open_offer(&sent).await);
    world.advance(SignedDuration::from_mins(1)).await;
    partner.tells("on-hold", &[("reason", "In hospital.")]).await;
    world.advance(SignedDuration::from_hours(26)).await;
    world.advance(SignedDuration::from_hours(1)).await;
    let procedures = world.record.all("Procedure").await;
    let when: jiff::Timestamp = procedures[0]["performedDateTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(when.as_second(), started.as_second());
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_person_shares_is_asked_again_before_anything_is_written() {
    let world = Plan::usual().open().await;
    let sent = starts_while_the_practice_is_down(&world).await;
    let nothing = |request: &mut Value| request["orderDetail"][0]["coding"][0]["code"] = "nothing".into();
    world.record.change("ServiceRequest", &sent.request, nothing).await;
    world.advance(SignedDuration::from_hours(1)).await;
    world.advance(SignedDuration::from_hours(1)).await;
    assert!(world.record.all("Procedure").await.is_empty());
    assert!(world.record.all("DocumentReference").await.is_empty());
    assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Filed, "there is nothing to write");
    world.ends_well().await;
}

/// The practice's request, and the Task about it, name this patient now.
async fn names(world: &World, sent: &Sent, patient: &str) {
    let task = world.record.all("Task").await[0]["id"].as_str().unwrap().to_owned();
    world.record.change("Task", &task, |task| task["for"]["reference"] = patient.into()).await;
    let moved = |request: &mut Value| request["subject"]["reference"] = patient.into();
    world.record.change("ServiceRequest", &sent.request, moved).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_into_the_record_of_somebody_else() {
    let world = Plan::usual().open().await;
    let sent = starts_while_the_practice_is_down(&world).await;
    let other = Story::lonely_too().send(&world.record).await.patient;
    names(&world, &sent, &format!("Patient/{other}")).await;
    world.advance(SignedDuration::from_hours(1)).await;
    world.advance(SignedDuration::from_hours(1)).await;
    assert!(world.record.all("Procedure").await.is_empty());
    assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Refused, "a person looks");
    // The practice puts its request right, and the coordinator has it written.
    world.pretend().heal();
    let hers = format!("Patient/{}", sent.patient);
    names(&world, &sent, &hers).await;
    let jo = world.coordinator().await;
    let page = jo.opens(&sent).await;
    assert!(page.says("names another person"), "{}", page.html);
    jo.browser.submit(&page, "/file-again", &[]).await;
    world.drain().await;
    assert_eq!(world.record.all("Procedure").await[0]["subject"]["reference"], hers.as_str());
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_nhs_number_waits_for_the_coordinators_word_and_then_everything_goes_on() {
    let world = Plan::usual().open().await;
    let sent = starts_while_the_practice_is_down(&world).await;
    let partner = world.partner(&world.open_offer(&sent).await);
    let corrected = |patient: &mut Value| patient["identifier"][0]["value"] = "9990300003".into();
    world.record.change("Patient", &sent.patient, corrected).await;
    world.advance(SignedDuration::from_hours(1)).await;
    world.advance(SignedDuration::from_hours(1)).await;
    assert!(world.record.all("Procedure").await.is_empty());
    let page = partner.opens_the_person().await;
    assert!(page.says("Please ring us before you go on") && !page.says("Barraclough"), "{}", page.html);
    let jo = world.coordinator().await;
    let page = jo.opens(&sent).await;
    for words in ["Another person?", "999 030 0127", "999 030 0003"] {
        assert!(page.says(words), "{words}: {}", page.html);
    }
    world.pretend().heal();
    let done = jo.browser.submit(&page, "/same-person", &[]).await;
    assert!(done.says("It is the same person."), "{}", done.html);
    world.drain().await;
    let episode = world.episode(&sent).await;
    assert_eq!((episode.filings[0].status, episode.attention), (FilingStatus::Filed, vec![]));
    assert_eq!(world.record.all("Procedure").await.len(), 1);
    let page = partner.browser.open(&format!("{}/person", partner.link)).await;
    assert!(page.says("Barraclough"), "{}", page.html);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_the_practice_puts_back_is_nobodys_question_any_more() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    world.partner(&world.open_offer(&sent).await).accepts().await;
    for (number, asked) in [("9990300003", true), ("9990300127", false)] {
        let typed = |patient: &mut Value| patient["identifier"][0]["value"] = number.into();
        world.record.change("Patient", &sent.patient, typed).await;
        world.advance(SignedDuration::from_hours(26)).await;
        assert_eq!(world.episode(&sent).await.person_in_question().is_some(), asked, "{number}");
    }
    world.ends_well().await;
}
