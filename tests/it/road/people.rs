//! The person's own say: agreement, contact, and what a partner may see.

use jiff::SignedDuration;
use serde_json::{Value, json};
use wellbridge::demo::mail_catcher::MailFault;
use wellbridge::referral::episode::{Actor, Hold, OfferStatus};

use super::on_both;
use crate::support::city::{self, PARTNERS, mailbox};
use crate::support::story::{Sent, Story, consent};
use crate::support::world::{Plan, World};

async fn takes_back_consent(world: &World, consent: &str) {
    world.record.change("Consent", consent, |consent| consent["provision"]["type"] = "deny".into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_agreement_nothing_leaves() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely().without_consent()).await;
        assert_eq!(world.episode(&sent).await.hold(), Some(Hold::ConsentMissing));
        assert!(world.mails_to_partners().is_empty());
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_taken_back_before_acceptance_shows_nothing() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let partner = world.partner(&world.open_offer(&sent).await);
        takes_back_consent(&world, sent.consent.as_ref().unwrap()).await;
        // No poll has come in between: the record is read again before anything is shown.
        partner.accepts_if_asked().await;
        let page = partner.opens_the_person().await;
        for secret in Story::lonely().identifiers() {
            assert!(!page.says(&secret), "{secret} on {}:\n{}", page.path, page.html);
        }
        assert_eq!(
            world
                .events(&sent)
                .await
                .iter()
                .filter(|e| matches!(e, wellbridge::referral::event::Event::IdentityViewed { .. }))
                .count(),
            0
        );
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_taken_back_is_found_by_the_next_look_at_the_practice() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let offer = world.open_offer(&sent).await;
        takes_back_consent(&world, sent.consent.as_ref().unwrap()).await;
        // Whatever brings it to light (the daily reading at the latest), the partner is told that it is off.
        world.advance(SignedDuration::from_hours(26)).await;
        assert_eq!(world.episode(&sent).await.hold(), Some(Hold::ConsentDeclined));
        assert_eq!(world.mails_to_partner(&World::partner_of(&offer)).len(), 2, "the offer and its cancellation");
        world.advance_working_days(10).await;
        assert_eq!(world.mails_to_partners().len(), 2);
        world.ends_well().await;
    })
    .await;
}

/// An offer is made, by the machine or by a coordinator, and its mail waits for a busy mail server.
async fn a_mail_waits(world: &World) -> Sent {
    for partner in PARTNERS {
        world.mail.fail_next(1, &mailbox(partner), MailFault::AtRecipient(450));
    }
    let sent = world.gp_sends(&Story::lonely()).await;
    if world.state(&sent).await == "proposed" {
        world.coordinator().await.approves(&sent).await;
        assert!(matches!(world.open_offer(&sent).await.by, Actor::Coordinator(_)));
    }
    assert_eq!((world.state(&sent).await, world.mails_to_partners().len()), ("offered", 0));
    sent
}

/// The mail never leaves, and a person decides.
async fn it_is_kept_back(world: World, sent: &Sent, why: Hold) {
    world.advance(SignedDuration::from_mins(2)).await;
    assert!(world.mails_to_partners().is_empty(), "request, patient and consent are read again before sending");
    assert_eq!(world.episode(sent).await.hold(), Some(why));
    assert!(world.episode(sent).await.offers.iter().all(|offer| offer.status.is_final()));
    world.advance_working_days(3).await;
    assert!(world.mails_to_partners().is_empty(), "nor later: nobody was told, so nobody is told that it is over");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_taken_back_while_the_mail_waits_keeps_it_back_whoever_asked() {
    for plan in [Plan::usual as fn() -> Plan, || Plan::usual().propose()] {
        on_both(plan, async |world: World| {
            let sent = a_mail_waits(&world).await;
            takes_back_consent(&world, sent.consent.as_ref().unwrap()).await;
            it_is_kept_back(world, &sent, Hold::ConsentDeclined).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_rule_that_nobody_may_contact_the_person_keeps_the_waiting_mail_back_whoever_asked() {
    for plan in [Plan::usual as fn() -> Plan, || Plan::usual().propose()] {
        let world = plan().open().await;
        let sent = a_mail_waits(&world).await;
        let prohibited = |request: &mut Value| {
            let system = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes";
            let code = json!({ "coding": [{ "system": system, "code": "contacting-subject-prohibited" }] });
            request["orderDetail"].as_array_mut().unwrap().push(code);
        };
        world.record.change("ServiceRequest", &sent.request, prohibited).await;
        it_is_kept_back(world, &sent, Hold::ContactProhibited).await;
    }
}

/// Taken on for one need; the mail about another, to a partner that knows nothing yet, waits for a busy mail server.
async fn taken_on_while_another_mail_waits() -> (World, Sent) {
    let mut feed = city::feed();
    let mut benefits = city::befriending("bramley");
    benefits["id"] = "benefits-befriending".into();
    benefits["name"] = "Bramley Benefits Advice".into();
    benefits["description"] = "Welfare benefits advice for people in Leeds: benefit checks, help to claim attendance \
        allowance, PIP and universal credit, form filling and appeals. Anybody may refer by email."
        .into();
    feed.push(benefits);
    let needs: toml::Value = vec!["befriending", "social-groups", "benefits-advice"].into();
    let world = Plan::usual().feed(feed).set("programmes.leeds.auto_needs", needs).open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    world.partner(&world.open_offer(&sent).await).accepts().await;
    for partner in PARTNERS {
        world.mail.fail_next(1, &mailbox(partner), MailFault::AtRecipient(450));
    }
    let more = |request: &mut Value| {
        let words = "Widowed six years, lives alone and is very lonely. Would love a regular visitor for a chat. Needs \
            help to claim attendance allowance, benefits advice. Agrees to this referral.";
        request["note"][0]["text"] = words.into();
    };
    world.record.change("ServiceRequest", &sent.request, more).await;
    world.poll().await;
    let offers = world.episode(&sent).await.offers;
    let waits: Vec<bool> = offers.iter().map(|o| o.status == OfferStatus::Requested && !o.mailed).collect();
    assert_eq!(waits, [false, true], "{offers:?}");
    (world, sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_uncertain_who_the_person_is_no_waiting_offer_leaves() {
    let (world, sent) = taken_on_while_another_mail_waits().await;
    let before = world.mails_to_partners().len();
    let other = Story::lonely_too();
    let changed = |patient: &mut Value| {
        patient["identifier"][0]["value"] = other.nhs_number.into();
        patient["name"][0]["family"] = other.family.into();
        patient["birthDate"] = other.born.into();
    };
    world.record.change("Patient", &sent.patient, changed).await;
    // The last look before the mail's next try finds it.
    world.advance(SignedDuration::from_hours(6)).await;
    assert!(world.episode(&sent).await.person_in_question().is_some());
    world.advance_working_days(2).await;
    assert_eq!(world.mails_to_partners().len(), before, "nobody new is asked until a coordinator has said who it is");
    let jo = world.coordinator().await;
    let page = jo.opens(&sent).await;
    assert!(page.says("The new details are right"), "{}", page.html);
    jo.browser.submit(&page, "/same-person", &[]).await;
    jo.asks(&sent, "benefits-advice", "benefits").await;
    assert_eq!(world.mails_to_partners().len(), before + 1, "then she asks, and it goes on");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_may_contact_the_person_no_machine_asks_anybody() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely().nobody_may_contact()).await;
        assert_eq!(world.episode(&sent).await.hold(), Some(Hold::ContactProhibited));
        assert!(world.mails_to_partners().is_empty());
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_record_becomes_restricted_the_old_address_is_gone_from_the_desk_and_from_what_was_matched() {
    let placed = || {
        let mut feed = city::feed();
        for service in &mut feed {
            let location = json!({ "name": "Hall", "latitude": 53.80, "longitude": -1.46 });
            service["service_at_locations"] = json!([{ "location": location }]);
        }
        Plan::usual().propose().feed(feed)
    };
    on_both(placed, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let coordinator = world.coordinator().await;
        let before = coordinator.opens(&sent).await;
        assert!(before.says("45 Specimen Street") && before.says("km from home"), "{}", before.html);
        let label = |patient: &mut serde_json::Value| {
            patient["meta"]["security"] =
                json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V" }]);
        };
        world.record.change("Patient", &sent.patient, label).await;
        world.advance(SignedDuration::from_hours(26)).await;
        assert_eq!(world.episode(&sent).await.hold(), Some(Hold::Restricted));
        let id = world.id(&sent).await;
        let kept = format!(
            "{:?} {:?}",
            world.service.store.content(id).await.unwrap(),
            world.service.store.matched(id).await.unwrap()
        );
        let after = world.coordinator().await.opens(&sent).await;
        assert!(after.says("Restricted"), "{}", after.html);
        for place in ["Specimen Street", "LS15", "km from home"] {
            assert!(!kept.contains(place), "{place} in {kept}");
            assert!(!after.html.contains(place), "{place} in {}", after.html);
        }
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_no_recorded_beside_the_yes_that_came_with_the_request_shows_nothing() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let partner = world.partner(&world.open_offer(&sent).await);
        partner.accepts().await;
        let mut no = consent(&format!("Patient/{}", sent.patient), "deny");
        no["dateTime"] = json!("2026-11-23T09:00:00Z");
        world.record.create(&no).await;
        let page = partner.opens_the_person().await;
        for secret in Story::lonely().identifiers() {
            assert!(!page.says(&secret), "{secret} on {}:\n{}", page.path, page.html);
        }
        assert_eq!(world.episode(&sent).await.facts.hold, Some(Hold::ConsentDeclined));
        world.ends_well().await;
    })
    .await;
}
