//! The service's jobs, as far as they decide: each looks at the state again when it runs, acts, and writes down.
//!
//! Mirrors `jobs::offer_mail` (`run`, `still_true`, `may_still_ask`, `drop_it`, `not_sent`, `keep_back`),
//! `jobs::matching` (`run`, `place_need`, `now_otherwise`, `ask_by_machine`), `jobs::record` (`run`, `forbidden`,
//! `give_up`), `jobs::task` and `jobs::chase`. Whoever changes what those re-check changes it here.

use wellbridge::referral::episode::{
    Actor, Cause, Episode, FilingStatus, Hold, NeedState, Offer, OfferStatus, ReferralState,
};
use wellbridge::referral::lifecycle::{forbids_everybody, whose_record_is_unknown};

use crate::ledger::{Move, NEEDS, SERVICES, Spot, task_word};
use crate::model::{Flaw, Model, Stop};
use crate::people::take_in;
use crate::promises;
use crate::world::{Attempt, End, Job, Phase, Row, Version, World};

/// Services asked for one need before a person decides.
const MAX_TRIES: usize = 2;

/// The start of an attempt.
pub(crate) fn begin(model: &mut Model, world: &mut World, job: Job) -> Result<(), Stop> {
    let goes_on = match job {
        Job::Mail(offer, kind) => mail_goes(model, world, offer, kind)?,
        Job::File(filing) => filing_goes(model, world, filing)?,
        Job::Match => model.ledger.get(world.episode).is_open().then(Attempt::default),
        Job::Task | Job::None => Some(Attempt::default()),
    };
    let Some(attempt) = goes_on else {
        world.completed(job);
        return Ok(());
    };
    let free = world.attempts.len() - 1;
    let twin = world.live(job) >= world.queued(job);
    if twin {
        world.attempts.iter_mut().filter(|a| a.job == job && !a.overtaken).for_each(|a| a.twin = true);
    }
    let seen = if matches!(job, Job::Match | Job::Task) { world.episode } else { 0 };
    world.attempts[free] = Attempt { job, seen, twin, ..attempt };
    world.in_order();
    Ok(())
}

/// The world's end of an attempt.
pub(crate) fn act(model: &Model, world: &mut World, slot: usize, end: End, arrives: bool) -> Result<(), Stop> {
    let Attempt { job, seen, .. } = world.attempts[slot];
    match job {
        Job::Mail(offer, kind) => {
            let letter = world.letter(offer, kind);
            if arrives && letter.arrived && !letter.said_unknown {
                return Err(Stop::Broken(format!("mail {kind} of offer {offer} came twice, and nobody knows")));
            }
            letter.arrived |= arrives;
        }
        Job::File(filing) => {
            let paper = &mut world.papers[usize::from(filing)];
            paper.in_record |= end == End::Taken && model.flaw != Some(Flaw::FilesBeforeWriting);
            paper.with_carrier |= end == End::Handed;
        }
        Job::Task if world.truth == Version::TaskOver && model.flaw != Some(Flaw::ReopensTask) => {
            // `practice::fhir::task::is_left_alone`.
            world.attempts[slot].phase = Phase::Done(End::Nothing);
            world.in_order();
            return Ok(());
        }
        Job::Task => {
            promises::the_task_is_not_over(world)?;
            world.task = task_word(model.ledger.get(seen));
        }
        Job::Match | Job::None => {}
    }
    world.attempts[slot].phase = Phase::Done(end);
    world.in_order();
    Ok(())
}

/// The last transaction of an attempt.
pub(crate) fn commit(model: &mut Model, world: &mut World, slot: usize, services: bool) -> Result<(), Stop> {
    let attempt = world.attempts[slot];
    let before = *world;
    let result = match (attempt.job, attempt.phase) {
        (Job::Mail(offer, kind), Phase::Done(end)) => mail_ends(model, world, slot, (offer, kind), end),
        (Job::File(filing), Phase::Done(end)) => filing_ends(model, world, slot, filing, end),
        // What the practice did with its Task is read before anything is written.
        (Job::Task, Phase::Done(End::Nothing)) if is_news(model, world) => {
            world.end(slot);
            take_in(model, world)
        }
        (Job::Task, _) => {
            // Whoever moved it meanwhile may have written a newer word before this older one.
            if world.complete(slot) && attempt.seen != world.episode && model.flaw != Some(Flaw::KeepsOldTask) {
                world.enqueue(Job::Task);
            }
            Ok(())
        }
        (Job::Match, _) => match_ends(model, world, slot, attempt.seen, services),
        _ => Err(Stop::Outside),
    };
    // A transaction that is refused is dropped whole; the job is tried again.
    if matches!(result, Err(Stop::Refused)) {
        *world = before;
        world.end(slot);
        return Ok(());
    }
    result
}

/// Whether the practice's end of its Task is not known yet, of a referral that is not over.
fn is_news(model: &Model, world: &World) -> bool {
    world.content != Version::TaskOver && model.ledger.get(world.episode).is_open()
}

// ---- mail ------------------------------------------------------------------------------------------------------------

fn mail_goes(model: &mut Model, world: &mut World, offer: u8, kind: u8) -> Result<Option<Attempt>, Stop> {
    let row = world.letter(offer, kind).row;
    if row == Row::Leaving {
        world.letter(offer, kind).row = Row::Unknown;
        said_unknown(model, world, offer, kind)?;
    }
    let asks = kind < 2;
    if asks && still_true(model, world, offer, kind) && model.flaw != Some(Flaw::MailsUnread) {
        take_in(model, world)?;
    }
    if row == Row::Sent {
        return Ok(None);
    }
    if !still_true(model, world, offer, kind) && model.flaw != Some(Flaw::MailsUnchecked) {
        return Ok(drop_it(world, offer, kind));
    }
    let asked = model.ledger.get(world.episode).offers[usize::from(offer)].clone();
    if asks && asked.by == Actor::Machine && machine_must_not(world.content) {
        let needs = &model.ledger.get(world.episode).needs;
        if let Some(need) = needs.iter().position(|n| n.code == asked.need) {
            model.record_if_it_may(world, Move::PutBack { need: need as u8, machine: true })?;
        }
        return Ok(drop_it(world, offer, kind));
    }
    if world.bad & service_bit(&asked) != 0 {
        world.letter(offer, kind).row = Row::Failed;
        model.record_if_it_may(world, Move::Undeliverable { offer, kind })?;
        return Ok(None);
    }
    promises::a_mail_may_leave(model, world, offer, kind)?;
    Ok(Some(Attempt { lost: matches!(row, Row::Leaving | Row::Unknown), ..Attempt::default() }))
}

/// Written down before a byte leaves.
pub(crate) fn leaves(model: &Model, world: &mut World, slot: usize) -> Result<(), Stop> {
    let Job::Mail(offer, kind) = world.attempts[slot].job else { return Err(Stop::Outside) };
    // Another attempt was quicker: this one ends in an error.
    let mine = !world.attempts[slot].overtaken;
    let first = mine && matches!(world.letter(offer, kind).row, Row::Asked | Row::Unknown);
    if !first && model.flaw != Some(Flaw::LeavesTwice) {
        world.end(slot);
        return Ok(());
    }
    if !still_true(model, world, offer, kind) && model.flaw != Some(Flaw::LeavesUnchecked) {
        if world.complete(slot) {
            drop_it(world, offer, kind);
        }
        return Ok(());
    }
    promises::a_mail_is_true(model, world, offer, kind)?;
    world.letter(offer, kind).row = Row::Leaving;
    world.attempts[slot].phase = Phase::Leaves;
    world.in_order();
    Ok(())
}

fn mail_ends(model: &mut Model, world: &mut World, slot: usize, (offer, kind): (u8, u8), end: End) -> Result<(), Stop> {
    let lost = world.attempts[slot].lost;
    match end {
        End::Unknown | End::Nothing => {
            let unknown = end == End::Unknown;
            world.end(slot);
            if world.letter(offer, kind).row == Row::Leaving || model.flaw == Some(Flaw::SettlesOver) {
                world.letter(offer, kind).row = if unknown || lost { Row::Unknown } else { Row::Asked };
            }
            if unknown { said_unknown(model, world, offer, kind) } else { Ok(()) }
        }
        _ if !world.complete(slot) => Ok(()),
        End::Taken | End::Handed => {
            world.letter(offer, kind).row = Row::Sent;
            model.record(world, Move::Mailed { offer, kind, unknown: false })
        }
        End::Refused | End::GivenUp => {
            world.letter(offer, kind).row = Row::Failed;
            if end == End::Refused {
                world.bad |= service_bit(&model.ledger.get(world.episode).offers[usize::from(offer)]);
            }
            model.record_if_it_may(world, Move::Undeliverable { offer, kind })
        }
    }
}

/// It may have left: once in the ledger, whoever says it.
fn said_unknown(model: &mut Model, world: &mut World, offer: u8, kind: u8) -> Result<(), Stop> {
    if world.letter(offer, kind).said_unknown {
        return Ok(());
    }
    world.letter(offer, kind).said_unknown = true;
    model.record_if_it_may(world, Move::Mailed { offer, kind, unknown: true })
}

fn drop_it(world: &mut World, offer: u8, kind: u8) -> Option<Attempt> {
    let row = &mut world.letter(offer, kind).row;
    if !matches!(row, Row::Unknown | Row::Leaving) {
        *row = Row::Dropped;
    }
    None
}

fn still_true(model: &Model, world: &World, offer: u8, kind: u8) -> bool {
    let episode = model.ledger.get(world.episode);
    let offer = &episode.offers[usize::from(offer)];
    match kind {
        0 | 1 => offer.status == OfferStatus::Requested && may_still_ask(offer, episode),
        2 => matches!(
            offer.status,
            OfferStatus::Cancelled(Cause::Withdrawn | Cause::Superseded) | OfferStatus::EnteredInError
        ),
        _ => offer.late_yes && episode.state() != ReferralState::Withdrawn,
    }
}

fn may_still_ask(offer: &Offer, episode: &Episode) -> bool {
    episode.person_in_question().is_none()
        && episode.facts.hold.is_none_or(|why| offer.by != Actor::Machine && !forbids_everybody(why))
}

/// `jobs::matching::forbids_machine`: what the words say now, whatever their match has found.
fn machine_must_not(content: Version) -> bool {
    content == Version::Unsafe || content.facts().hold.is_some()
}

fn service_bit(offer: &Offer) -> u8 {
    1 << SERVICES.iter().position(|s| *s == offer.service.as_str()).unwrap_or(7)
}

/// A reminder waits for the mail it reminds of, and for a word on whose the referral is, while there is time.
pub(crate) fn remind(model: &mut Model, world: &mut World, offer: u8) -> Result<(), Stop> {
    let asked = &model.ledger.get(world.episode).offers[usize::from(offer)];
    let in_question = model.ledger.get(world.episode).person_in_question().is_some();
    let too_early = asked.status == OfferStatus::Requested && (!asked.mailed || in_question);
    let timers = &mut world.timers[usize::from(offer)];
    timers.remind = too_early && timers.elapsed < 2;
    if too_early { Ok(()) } else { model.record_if_it_may(world, Move::Reminded(offer)) }
}

// ---- matching --------------------------------------------------------------------------------------------------------

fn match_ends(model: &mut Model, world: &mut World, slot: usize, seen: u32, services: bool) -> Result<(), Stop> {
    let snapshot = model.ledger.get(seen).clone();
    if !world.complete(slot) {
        return Ok(());
    }
    let newer = model.ledger.get(world.episode).inputs != snapshot.inputs;
    if newer && model.flaw != Some(Flaw::MatchesOldVersion) {
        return Ok(());
    }
    let spots = place(model, world.content, &snapshot, services);
    for (code, spot) in NEEDS.iter().zip(spots) {
        let none = |state: &NeedState| matches!(state, NeedState::Held(Hold::NoService | Hold::NoEmail));
        let back = snapshot.need(&(*code).into()).is_some_and(|need| none(&need.state));
        let needs = &model.ledger.get(world.episode).needs;
        let found = matches!(spot, Spot::Propose(_) | Spot::Hold(Hold::SecondBest));
        if let (true, true, Some(need)) = (back, found, needs.iter().position(|n| n.code.as_str() == *code)) {
            model.record(world, Move::PutBack { need: need as u8, machine: true })?;
        }
    }
    model.record_if_it_may(world, Move::Matched(spots, world.content == Version::Unsafe))?;
    if model.bounds.auto { ask_by_machine(model, world) } else { Ok(()) }
}

/// `give_up`: its horizon has passed.
pub(crate) fn give_up_matching(model: &mut Model, world: &mut World, slot: usize) -> Result<(), Stop> {
    if !world.complete(slot) {
        return Ok(());
    }
    model.record_if_it_may(world, Move::NothingRead(Hold::NeedUnclear))
}

/// What the matcher reads in a version, and `place_need`.
fn place(model: &Model, content: Version, episode: &Episode, services: bool) -> [Spot; 2] {
    let read: [bool; 2] = match (content, model.bounds.needs) {
        (Version::Reworded, _) => [false, true],
        (_, 1) => [true, false],
        _ => [true, true],
    };
    let found = content.facts().hold;
    let hold = [found, episode.facts.hold].into_iter().flatten().min();
    let one = |(code, read): (&str, bool)| {
        if !read {
            return Spot::Unread;
        }
        let tried = episode.tried(&code.into());
        let next = SERVICES.iter().position(|s| !tried.iter().any(|t| t.as_str() == *s));
        match next {
            _ if episode.facts.hold.is_some() || content == Version::Unsafe => Spot::Hold(hold.unwrap_or(Hold::Safety)),
            _ if found.is_some() => Spot::Hold(hold.unwrap_or(Hold::SecondBest)),
            _ if tried.len() >= MAX_TRIES => Spot::Hold(Hold::TriesExhausted),
            _ if !services => Spot::Hold(Hold::NoService),
            Some(service) => Spot::Propose(service as u8),
            None => Spot::Hold(Hold::TriesExhausted),
        }
    };
    let [first, second] = [0, 1].map(|n| one((NEEDS[n], read[n])));
    [first, second]
}

fn ask_by_machine(model: &mut Model, world: &mut World) -> Result<(), Stop> {
    let proposed: Vec<(u8, u8)> = (0u8..)
        .zip(&model.ledger.get(world.episode).needs)
        .filter_map(|(n, need)| match &need.state {
            NeedState::Proposed(service) => Some((n, SERVICES.iter().position(|s| *s == service.as_str())? as u8)),
            _ => None,
        })
        .collect();
    for (need, service) in proposed {
        let room = model.ledger.get(world.episode).offers.len() < model.bounds.offers;
        if room && world.bad & (1 << service) == 0 {
            model.record_if_it_may(world, Move::Offered { need, service, machine: true })?;
        }
    }
    Ok(())
}

// ---- the record ------------------------------------------------------------------------------------------------------

fn queued(model: &Model, world: &World, filing: u8) -> bool {
    model.ledger.get(world.episode).filings[usize::from(filing)].status == FilingStatus::Queued
}

fn filing_goes(model: &mut Model, world: &mut World, filing: u8) -> Result<Option<Attempt>, Stop> {
    if !queued(model, world, filing) {
        return Ok(None);
    }
    take_in(model, world)?;
    if !queued(model, world, filing) {
        return Ok(None);
    }
    let episode = model.ledger.get(world.episode);
    let another = world.content.person() != world.person;
    if another || episode.state() == ReferralState::Withdrawn || episode.facts.hold.is_some_and(whose_record_is_unknown)
    {
        model.record_if_it_may(world, Move::Refused(filing))?;
        return Ok(None);
    }
    Ok(Some(Attempt::default()))
}

fn filing_ends(model: &mut Model, world: &mut World, slot: usize, filing: u8, end: End) -> Result<(), Stop> {
    if !world.complete(slot) {
        return Ok(());
    }
    match end {
        End::Taken => model.record(world, Move::Filed(filing)),
        End::Handed => model.record(world, Move::Handed(filing)),
        _ => model.record_if_it_may(world, Move::Refused(filing)),
    }
}

/// The carrier says that it arrived, that it is in the record, or that the practice's system said no.
pub(crate) fn carrier(model: &mut Model, world: &mut World, filing: u8, end: End) -> Result<(), Stop> {
    let paper = &mut world.papers[usize::from(filing)];
    match end {
        End::Taken => {
            (paper.in_record, paper.with_carrier) = (true, false);
            model.record_if_it_may(world, Move::Filed(filing))
        }
        End::Handed => model.record_if_it_may(world, Move::Acknowledged(filing)),
        _ => {
            paper.with_carrier = false;
            model.record_if_it_may(world, Move::Refused(filing))
        }
    }
}
