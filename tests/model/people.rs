//! The people around: the practice that saves its record, the partner with its link, the coordinator at her desk.
//!
//! Mirrors `store::intake::take_in` and `take_in_unreadable`, `web::answer::person` (what is looked at before the
//! person is shown) and `desk::act` (what a coordinator can choose).

use wellbridge::referral::episode::{AttentionKind, Closed, Episode, FilingStatus, Hold, NeedState, OfferStatus};
use wellbridge::referral::lifecycle::forbids_showing;

use crate::ledger::{Move, SERVICES, WORDS, may_be_settled};
use crate::model::{Do, Flaw, Model, Stop};
use crate::promises;
use crate::world::{Version, World};

// ---- the practice ----------------------------------------------------------------------------------------------------

/// What the practice's record says now is read and taken in.
pub(crate) fn take_in(model: &mut Model, world: &mut World) -> Result<(), Stop> {
    let (now, before) = (world.truth, world.content);
    if world.stored == now {
        return Ok(());
    }
    world.stored = now;
    if now == Version::Unreadable {
        return updated(model, world, now);
    }
    world.content = now;
    let known = model.ledger.get(world.episode).clone();
    if !known.was_taken_on() {
        world.person = now.person();
    }
    if now == Version::Revoked {
        return model.record_if_it_may(world, Move::Withdrawn);
    }
    let asked_again = before == Version::Revoked || before.words() != now.words();
    if !known.is_open() && asked_again {
        model.record(world, Move::SentAgain(now))?;
    } else {
        updated(model, world, now)?;
    }
    if before.contact() != now.contact() {
        model.record_if_it_may(world, Move::ContactChanged)?;
    }
    if before.person() == now.person() || !known.was_taken_on() {
        return Ok(());
    }
    match world.person == now.person() {
        true if known.person_in_question().is_some() => {
            model.record_if_it_may(world, Move::SamePerson { practice: true })
        }
        true => Ok(()),
        false => model.record_if_it_may(world, Move::PersonChanged),
    }
}

/// A withdrawn referral stays withdrawn.
fn updated(model: &mut Model, world: &mut World, now: Version) -> Result<(), Stop> {
    model.record_if_it_may(world, Move::Updated(now))
}

/// `store::feeds::without_service`.
pub(crate) fn waits_for_a_directory(episode: &Episode) -> bool {
    episode.hold() == Some(Hold::NoService)
}

// ---- the partner -----------------------------------------------------------------------------------------------------

/// The page with who the person is: the practice is read again at this moment.
pub(crate) fn view(model: &mut Model, world: &mut World, offer: u8) -> Result<(), Stop> {
    if !is_taken(model, world, offer) {
        return Err(Stop::Refused);
    }
    let known = model.ledger.get(world.episode).facts;
    if model.flaw != Some(Flaw::ShowsUnread) {
        take_in(model, world)?;
    }
    let fresh = model.ledger.get(world.episode);
    let id = fresh.offers[usize::from(offer)].id;
    let came_up =
        fresh.attention.iter().any(|a| a.kind == AttentionKind::ChangedAfterAcceptance && a.offer == Some(id));
    let found = world.stored.facts();
    let forbids = found.hold.is_some_and(|why| forbids_showing(why) || found.hold != known.hold);
    let in_question = fresh.person_in_question().is_some();
    if !is_taken(model, world, offer) || came_up || in_question || forbids || world.stored == Version::Unreadable {
        return Ok(());
    }
    model.record(world, Move::Viewed(offer))?;
    let with_contact = !fresh_prohibits(model, world);
    promises::the_person_may_be_shown(world, with_contact)?;
    Ok(())
}

/// What the page leaves out, it leaves out by what was taken in.
fn fresh_prohibits(model: &Model, world: &World) -> bool {
    model.ledger.get(world.episode).facts.contact_prohibited || world.content == Version::Prohibited
}

fn is_taken(model: &Model, world: &World, offer: u8) -> bool {
    let status = model.ledger.get(world.episode).offers[usize::from(offer)].status;
    matches!(status, OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold)
}

// ---- the coordinator -------------------------------------------------------------------------------------------------

/// What a partner's form or a coordinator's button does.
pub(crate) fn decides(model: &mut Model, world: &mut World, what: Do) -> Result<(), Stop> {
    let step = match what {
        Do::Say { offer, said, risk } => {
            let said = WORDS.iter().position(|w| *w == said).ok_or(Stop::Outside)? as u8;
            Move::Said { offer, said, risk }
        }
        // Nobody is asked at an address that bounced.
        Do::Ask { service, .. } if world.bad & (1 << service) != 0 => return Err(Stop::Refused),
        Do::Ask { need, service } => Move::Offered { need, service, machine: false },
        Do::Close(need, how) => Move::Closed(need, how),
        Do::PutBack(need) => Move::PutBack { need, machine: false },
        Do::KeepBack(need) => Move::KeepBack(need),
        Do::Support(need) => Move::Supports(need),
        Do::Settle(n) => Move::Settled(n),
        Do::Requeue(filing) => Move::Requeued(filing),
        Do::SetAside(filing) => Move::SetAside(filing),
        Do::InError(offer) => Move::InError(offer),
        _ => return Err(Stop::Outside),
    };
    model.record(world, step)
}

/// `store::intake::same_person`: who the request names now is who was taken on, from now on.
pub(crate) fn same_person(model: &mut Model, world: &mut World) -> Result<(), Stop> {
    model.record(world, Move::SamePerson { practice: false })?;
    world.person = world.content.person();
    Ok(())
}

/// What she can choose on the page of a referral.
pub(crate) fn choices(episode: &Episode, most_offers: usize, out: &mut Vec<Do>) {
    for (n, need) in (0u8..).zip(&episode.needs).filter(|(_, need)| !need.state.is_final()) {
        let waits = matches!(need.state, NeedState::Proposed(_) | NeedState::Held(_));
        if waits && episode.offers.len() < most_offers {
            out.extend((0..SERVICES.len() as u8).map(|service| Do::Ask { need: n, service }));
        }
        out.extend([Closed::Other, Closed::DeclinedSocialPrescribing].map(|how| Do::Close(n, how)));
        out.extend([Do::PutBack(n), Do::KeepBack(n), Do::Support(n)]);
    }
    out.extend(episode.person_in_question().map(|_| Do::SamePerson));
    for (n, matter) in (0u8..).zip(&episode.attention) {
        out.extend(may_be_settled(matter.kind).then_some(Do::Settle(n)));
    }
    for (n, offer) in (0u8..).zip(&episode.offers) {
        out.extend((offer.status != OfferStatus::EnteredInError).then_some(Do::InError(n)));
    }
    for (n, filing) in (0u8..).zip(&episode.filings) {
        if filing.status == FilingStatus::Refused {
            out.extend([Do::Requeue(n), Do::SetAside(n)]);
        }
    }
}
