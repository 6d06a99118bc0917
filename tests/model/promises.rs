//! What must be true in every state and of every step, written from the design and not from the code.
//!
//! Of a step: [`moves_are_legal`], [`effects_are_allowed`]. Of a state: [`of_world`] (each need in one place, everything
//! unfinished owned by somebody, one open offer, filings in the record or before a person). Of a mail about to leave and
//! a page about to be shown: [`a_mail_may_leave`], [`the_person_may_be_shown`]. What must always be able to come to
//! pass: [`is_settled`].

use std::collections::BTreeSet;

use wellbridge::referral::NeedCode;
use wellbridge::referral::episode::{
    Actor, AttentionKind, Cause, Episode, FilingStatus, NeedState, Offer, OfferStatus, SupportedBy,
};
use wellbridge::referral::event::{Alert, Effect, Event, OfferMail};
use wellbridge::referral::lifecycle::{forbids_everybody, forbids_showing};

use crate::ledger::task_word;
use crate::model::{Model, raises};
use crate::world::{KINDS, Row, Version, World};

/// The design's table of offer moves, by its own names.
const MOVES: [(&str, &str); 4] = [
    ("requested", "accepted rejected cancelled"),
    ("accepted", "in-progress on-hold completed failed cancelled"),
    ("in-progress", "completed failed cancelled on-hold"),
    ("on-hold", "in-progress completed failed cancelled"),
];

type Kept = Result<(), String>;

fn must(kept: bool, why: impl FnOnce() -> String) -> Kept {
    if kept { Ok(()) } else { Err(why()) }
}

fn named(status: OfferStatus) -> String {
    // As it is stored: `"accepted"`, `{"failed":"capacity"}`.
    let json = serde_json::to_value(status).unwrap();
    json.as_str().map_or_else(|| json.as_object().unwrap().keys().next().unwrap().clone(), str::to_owned)
}

fn is_withdrawn(episode: &Episode) -> bool {
    episode.needs.iter().any(|n| n.state == NeedState::Withdrawn)
}

// ---- of a step -------------------------------------------------------------------------------------------------------

/// No offer is forgotten or moved against the table; no need vanishes but a misreading; what is over stays over.
pub(crate) fn moves_are_legal(before: &Episode, after: &Episode) -> Kept {
    for was in &before.offers {
        let now = after.offer(was.id).ok_or_else(|| format!("{was:?} is forgotten"))?;
        must((&now.need, &now.service) == (&was.need, &was.service), || format!("{was:?} became {now:?}"))?;
        if was.status != now.status {
            let (from, to) = (named(was.status), named(now.status));
            // A coordinator may say of any offer that it was made in error.
            let in_error = now.status == OfferStatus::EnteredInError;
            let allowed = in_error || MOVES.iter().any(|(f, all)| *f == from && all.split(' ').any(|t| t == to));
            must(allowed, || format!("an offer moved {from} -> {to}"))?;
        }
    }
    let new = after.offers.iter().filter(|o| before.offer(o.id).is_none());
    must(new.clone().all(|o| o.status == OfferStatus::Requested), || "an offer is born old".into())?;
    for was in &before.needs {
        let now = after.need(&was.code);
        let misread = was.state == NeedState::Received && before.offers.iter().all(|o| o.need != was.code);
        must(now.is_some() || misread, || format!("{was:?} vanished"))?;
        must(!was.state.is_final() || now == Some(was), || format!("{was:?} was over and moved"))?;
    }
    Ok(())
}

/// After a withdrawal only notices; a machine asks only where nothing forbids it; whoever must be told is told.
pub(crate) fn effects_are_allowed(before: &Episode, event: &Event, after: &Episode, effects: &[Effect]) -> Kept {
    let withdrawn = is_withdrawn(after);
    for effect in effects {
        let always = matches!(
            effect,
            Effect::Mail(_, OfferMail::Cancellation)
                | Effect::KeepTask
                | Effect::Alert(Alert::RiskReported | Alert::CancellationUndelivered | Alert::SentAgain)
        );
        must(always || !withdrawn, || format!("{effect:?} after a withdrawal"))?;
    }
    if let Event::Offered { by: Actor::Machine, .. } = event {
        let free = before.facts.hold.is_none() && !before.facts.contact_prohibited && !before.safety;
        must(free, || "the machine asked where something forbids it".into())?;
    }
    let told = |alert: Alert, kind: AttentionKind| {
        let stands = after.attention.iter().any(|a| a.kind == kind);
        must(stands && (withdrawn || raises(effects, alert)), || format!("nobody is told of {kind:?}"))
    };
    match event {
        Event::Partner { risk: true, .. } => {
            must(raises(effects, Alert::RiskReported), || "a risk was reported and nobody told".into())?;
            told(Alert::RiskReported, AttentionKind::Risk)
        }
        Event::FilingRefused { .. } => told(Alert::FilingRefused, AttentionKind::FilingRefused),
        Event::SentAgain { .. } => must(raises(effects, Alert::SentAgain), || "sent again, and nobody told".into()),
        Event::Matched { safety: true, .. } if before.safety_told < before.inputs => {
            must(raises(effects, Alert::Safety), || "a safety matter was read and nobody told".into())
        }
        _ => Ok(()),
    }
}

// ---- of a state ------------------------------------------------------------------------------------------------------

/// Everything that must be so whatever happened.
pub(crate) fn of_world(model: &Model, world: &World) -> Kept {
    let episode = model.ledger.get(world.episode);
    every_need_is_in_one_place(episode)?;
    everything_unfinished_is_owned(episode, world)?;
    what_was_accepted_is_filed(episode, world)?;
    nobody_new_is_asked_in_doubt(episode)?;
    let told = !model.bounds.task || world.task == task_word(episode) || world.truth == Version::TaskOver;
    must(!world.is_quiet() || told, || "all is quiet, and the coordination Task says something old".into())
}

/// While it is uncertain whose the referral is, no offer waits to be told to anybody.
fn nobody_new_is_asked_in_doubt(episode: &Episode) -> Kept {
    let waits = |o: &Offer| o.status == OfferStatus::Requested && !o.mailed;
    let doubt = episode.person_in_question().is_some();
    must(!doubt || !episode.offers.iter().any(waits), || "somebody new is asked, and nobody knows for whom".into())
}

/// What the practice ended is not written into.
pub(crate) fn the_task_is_not_over(world: &World) -> Kept {
    must(world.truth != Version::TaskOver, || "a Task that the practice ended is written into".into())
}

fn every_need_is_in_one_place(episode: &Episode) -> Kept {
    must(!episode.needs.is_empty(), || "a referral without a need".into())?;
    let codes: BTreeSet<&NeedCode> = episode.needs.iter().map(|n| &n.code).collect();
    must(codes.len() == episode.needs.len(), || "two needs of one kind".into())?;
    for need in &episode.needs {
        let open: Vec<&Offer> = episode.offers.iter().filter(|o| o.need == need.code && !o.status.is_final()).collect();
        must(open.len() <= 1, || format!("{} open offers for {}", open.len(), need.code))?;
        let fits = match (&need.state, open.first().map(|o| o.id)) {
            (NeedState::Offered(id) | NeedState::Supported(SupportedBy::Offer(id)), Some(offer)) => *id == offer,
            (NeedState::Offered(_) | NeedState::Supported(SupportedBy::Offer(_)), None) => false,
            (_, open) => open.is_none(),
        };
        must(fits, || format!("{need:?} beside {:?}", open.first()))?;
    }
    Ok(())
}

/// What is not over has a job, a deadline, or a person before whom it stands.
fn everything_unfinished_is_owned(episode: &Episode, world: &World) -> Kept {
    let waits = episode.needs.iter().any(|n| n.state == NeedState::Received);
    must(!waits || world.matches > 0, || "a need is received, and nobody will match it".into())?;
    for ((offer, letters), timers) in episode.offers.iter().zip(&world.letters).zip(&world.timers) {
        let silent = offer.status == OfferStatus::Requested;
        must(!silent || timers.lapse, || "a partner is asked, and nobody looks at it again".into())?;
        must(!offer.notice_owed || letters[2].queued, || "a notice is owed, and nothing sends it".into())?;
        for (letter, kind) in letters.iter().zip(KINDS) {
            let open = matches!(letter.row, Row::Asked | Row::Leaving);
            must(!open || letter.queued, || format!("{kind:?} is {:?} for ever", letter.row))?;
        }
    }
    Ok(())
}

/// What the partner and the person both accepted is in the record, on its way there, or refused before a person.
fn what_was_accepted_is_filed(episode: &Episode, world: &World) -> Kept {
    for offer in &episode.offers {
        let both = matches!(offer.status, OfferStatus::InProgress | OfferStatus::Completed);
        let filed = episode.filings.iter().any(|f| f.offer == Some(offer.id));
        must(!both || filed, || "support began, and nothing is owed to the record".into())?;
    }
    for need in &episode.needs {
        let hers = need.state == NeedState::Supported(SupportedBy::Coordinator);
        let filed = episode.filings.iter().any(|f| f.need == need.code);
        must(!hers || filed, || "the coordinator supports, and nothing is owed to the record".into())?;
    }
    let shown = episode.attention.iter().any(|a| a.kind == AttentionKind::FilingRefused);
    for (filing, paper) in episode.filings.iter().zip(&world.papers) {
        match filing.status {
            FilingStatus::Queued => must(paper.queued, || "a filing waits, and nobody writes it".into())?,
            FilingStatus::Filed => must(paper.in_record, || "called filed, and the record has nothing".into())?,
            FilingStatus::Refused => must(shown, || "a filing was refused, and nobody sees it".into())?,
            FilingStatus::SetAside => {}
            FilingStatus::Handed | FilingStatus::Acknowledged => {
                must(paper.with_carrier, || "handed to a carrier that does not have it".into())?;
            }
        }
    }
    Ok(())
}

/// Nothing waits for a machine any more: what is left stands before a person, a partner, or is over.
pub(crate) fn is_settled(model: &Model, world: &World) -> bool {
    let episode = model.ledger.get(world.episode);
    let on_its_way =
        |s: FilingStatus| matches!(s, FilingStatus::Queued | FilingStatus::Handed | FilingStatus::Acknowledged);
    world.is_quiet()
        && episode.needs.iter().all(|n| n.state != NeedState::Received)
        && episode.offers.iter().all(|o| !o.notice_owed)
        && !episode.filings.iter().any(|f| on_its_way(f.status))
}

// ---- of what leaves --------------------------------------------------------------------------------------------------

/// A mail is written down as leaving: it must be right by what the ledger says at this moment.
pub(crate) fn a_mail_is_true(model: &Model, world: &World, offer: u8, kind: u8) -> Kept {
    let episode = model.ledger.get(world.episode);
    let (offer, mail) = (&episode.offers[usize::from(offer)], KINDS[usize::from(kind)]);
    let taken_back = matches!(
        offer.status,
        OfferStatus::Cancelled(Cause::Withdrawn | Cause::Superseded) | OfferStatus::EnteredInError
    );
    match mail {
        OfferMail::Cancellation => must(taken_back, || "a notice for an offer that stands".into()),
        _ if is_withdrawn(episode) => Err(format!("{mail:?} leaves after the withdrawal")),
        OfferMail::PassedOn => must(offer.late_yes, || "passed on without a late yes".into()),
        OfferMail::Offer | OfferMail::Reminder => {
            must(offer.status == OfferStatus::Requested, || format!("{mail:?} leaves for an offer that is over"))?;
            let doubt = episode.person_in_question().is_some();
            must(!doubt, || format!("{mail:?} leaves while nobody knows for whom"))
        }
    }
}

/// A mail passed its check after the practice was read again: it must also be right by what the record says at this moment.
pub(crate) fn a_mail_may_leave(model: &Model, world: &World, offer: u8, kind: u8) -> Kept {
    a_mail_is_true(model, world, offer, kind)?;
    let (offer, mail) = (&model.ledger.get(world.episode).offers[usize::from(offer)], KINDS[usize::from(kind)]);
    match mail {
        OfferMail::Cancellation | OfferMail::PassedOn => Ok(()),
        OfferMail::Offer | OfferMail::Reminder => {
            must(world.truth != Version::Revoked, || format!("{mail:?} leaves after the practice took it back"))?;
            let hold = world.truth.facts().hold;
            must(!hold.is_some_and(forbids_everybody), || format!("{mail:?} leaves under {hold:?}"))?;
            let machine_may = hold.is_none() && world.truth != Version::Unsafe;
            must(machine_may || offer.by != Actor::Machine, || format!("the machine's {mail:?} leaves all the same"))
        }
    }
}

/// The page with who the person is: by what the practice's record says at this moment.
pub(crate) fn the_person_may_be_shown(world: &World, with_contact: bool) -> Kept {
    let facts = world.truth.facts();
    must(world.truth != Version::Revoked, || "shown after the practice took it back".into())?;
    must(!facts.hold.is_some_and(forbids_showing), || format!("shown under {:?}", facts.hold))?;
    must(world.truth.person() == world.person, || "shown is somebody else than who was taken on".into())?;
    must(!(facts.contact_prohibited && with_contact), || "how to reach the person is shown, and nobody may".into())
}
