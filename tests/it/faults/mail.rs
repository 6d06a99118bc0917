//! The mail server: an offer on its bad days, and who hears of them.
//!
//! While it is away nobody can be mailed about it: the desk shows it, and the duty address has the mail as soon as any
//! mail leaves.

use std::time::Duration;

use jiff::SignedDuration;
use wellbridge::demo::mail_catcher::{Door, MailFault};
use wellbridge::referral::event::{Alert, Event, OfferMail};

use super::Told::{self, AfterThree, Nobody};
use super::{failing, the_edge_is_well, told, told_well, tries_again_and_again};
use crate::support::proxy::Line;
use crate::support::story::Story;
use crate::support::world::{Plan, World};

/// What the mail server does.
#[derive(Debug)]
enum Does {
    /// The line to it is so.
    Line(Line),
    /// It meets every connection so.
    Door(Door),
    /// It meets every mail so.
    Answers(MailFault),
}

use Does::{Answers, Door as Meets, Line as On};

impl Does {
    async fn begins(&self, world: &World) {
        match self {
            Self::Line(line) => world.lines.as_ref().unwrap().mail.becomes(line.clone()).await,
            Self::Door(door) => {
                // What is kept open would not meet the door.
                world.lines.as_ref().unwrap().mail.becomes(Line::Refused).await;
                world.lines.as_ref().unwrap().mail.becomes(Line::Good).await;
                world.mail.set_door(*door);
            }
            Self::Answers(fault) => world.mail.fail_next(100_000, "", fault.clone()),
        }
    }

    async fn ends(&self, world: &World) {
        world.mail.heal();
        world.lines.as_ref().unwrap().mail.becomes(Line::Good).await;
    }
}

/// How many copies of an offer may have left in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copies {
    /// One.
    One,
    /// Nobody can know, and the ledger says so; none that was counted.
    OneAndNobodyKnew,
    /// Every try brought one, each with the same Message-ID, and the ledger says so.
    Several,
}

use Copies::{One, OneAndNobodyKnew, Several};

/// What passes by waiting.
fn passing() -> Vec<(&'static str, Does, Told, Copies)> {
    vec![
        ("connection refused", On(Line::Refused), AfterThree, One),
        ("reset at once", On(Line::CutAfter(0)), AfterThree, One),
        ("reset in the middle of the commands", On(Line::CutAfter(60)), AfterThree, One),
        ("no greeting", On(Line::Silent), AfterThree, One),
        ("a greeting byte by byte", On(Line::Dripping), AfterThree, One),
        ("421 as a greeting", Meets(Door::Busy), AfterThree, One),
        ("shut without a word", Meets(Door::Shut), AfterThree, One),
        ("421 to the recipient", Answers(MailFault::AtRecipient(421)), AfterThree, One),
        ("450 to the recipient", Answers(MailFault::AtRecipient(450)), Nobody, One),
        ("452 to the recipient", Answers(MailFault::AtRecipient(452)), Nobody, One),
        ("421 after the text", Answers(MailFault::AfterData(421)), AfterThree, One),
        ("450 after the text", Answers(MailFault::AfterData(450)), Nobody, One),
        ("452 after the text", Answers(MailFault::AfterData(452)), Nobody, One),
        ("lost after the final dot, not kept", Answers(MailFault::LostUnkept), AfterThree, OneAndNobodyKnew),
        ("lost after the final dot, kept", Answers(MailFault::LostKept), AfterThree, Several),
        ("250 after the longest wait", Answers(MailFault::Slow(Duration::from_millis(1500))), AfterThree, Several),
    ]
}

/// A mailer that waits a second where it usually waits longer.
fn plan() -> Plan {
    let waits = ["mail.connect_timeout", "mail.command_timeout", "mail.answer_timeout"];
    waits.into_iter().fold(Plan::usual().bad_lines(), |plan, wait| plan.set(wait, "1 s"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_waits_for_the_mail_server_and_leaves_once_or_the_ledger_says_that_nobody_knows() {
    let world = plan().open().await;
    for (name, does, when, copies) in passing() {
        let (told_before, told_well_before) = (told(&world).await, told_well(&world));
        does.begins(&world).await;
        let sent = world.gp_sends(&Story::lonely()).await;
        let offer = world.open_offer(&sent).await;
        assert_eq!(told(&world).await.0, told_before.0, "{name}: once may be chance");
        tries_again_and_again(&world).await;
        assert_eq!(world.open_offer(&sent).await.id, offer.id, "{name}: nobody else is asked for it");
        let expected = usize::from(when == AfterThree);
        assert_eq!(failing(&world).await, expected, "{name}: it stands on the desk");
        does.ends(&world).await;
        the_edge_is_well(&world).await;
        let mails = world.copies_of(&offer);
        assert!(if copies == Several { mails.len() > 1 } else { mails.len() == 1 }, "{name}: {}", mails.len());
        assert!(mails.windows(2).all(|two| two[0].raw == two[1].raw), "{name}: the same mail, byte for byte");
        let events = world.events(&sent).await;
        let unknown = |e: &Event| matches!(e, Event::Mailed { mail: OfferMail::Offer, outcome_unknown: true, .. });
        assert_eq!(events.iter().any(unknown), copies != One, "{name}: the ledger says what nobody knows");
        assert_eq!(failing(&world).await, 0, "{name}: well again");
        let now = told(&world).await;
        assert_eq!(now.0 - told_before.0, expected, "{name}: told once");
        assert!(if copies == Several { now.1 > told_before.1 } else { now.1 - told_before.1 == expected }, "{name}");
        assert_eq!(told_well(&world) - told_well_before, expected, "{name}: and that it is well again, once");
    }
    world.ends_well().await;
}

/// What does not pass for this address: whoever runs it is not asked again, and the next service is.
fn lasting() -> Vec<(&'static str, MailFault, bool)> {
    vec![
        ("550 to the recipient", MailFault::AtRecipient(550), true),
        ("550 after the text", MailFault::AfterData(550), true),
        ("554 to the recipient", MailFault::AtRecipient(554), false),
        ("554 after the text", MailFault::AfterData(554), false),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_offer_goes_to_the_next_service_at_once() {
    for (name, fault, bad_address) in lasting() {
        let world = Plan::usual().open().await;
        world.mail.fail_next(1, "", fault);
        let sent = world.gp_sends(&Story::lonely()).await;
        let offers = world.episode(&sent).await.offers;
        assert_eq!(offers.len(), 2, "{name}: {offers:?}");
        world.offer_mail(&world.open_offer(&sent).await);
        assert_eq!(world.mails_to_partners().len(), 1, "{name}");
        let partners = world.service.store.partners(&"leeds".into()).await.unwrap();
        let bad: Vec<_> = partners.iter().filter(|p| p.bad.is_some()).map(|p| &p.id).collect();
        assert_eq!(bad.contains(&&offers[0].partner), bad_address, "{name}: {bad:?}");
        let alerts = world.service.store.alerts_of(world.id(&sent).await).await.unwrap();
        let given_up = alerts.iter().filter(|a| a.kind == Alert::GivenUp).count();
        assert_eq!(given_up, usize::from(!bad_address), "{name}: a refused mail is looked into");
        assert_eq!((told(&world).await, failing(&world).await), ((0, 0), 0), "{name}: the mail server is well");
        world.advance(SignedDuration::from_hours(3)).await;
        world.nobody_was_mailed_twice();
        world.ends().await;
    }
}
