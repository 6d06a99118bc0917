//! Match a referral, and ask a partner where the programme lets the machine.
//!
//! Matching is pure and reads the directory's snapshot; what it found, where each need goes, and an offer made by the
//! machine are one transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::schedule::{OWN, Schedule};
use super::task::meanwhile;
use super::{About, Attempt, Effect, JobError, nothing_to_do, tell_given_up};
use crate::crash_point;
use crate::directory::Directory;
use crate::effect::EffectError;
use crate::matching::{self, Match, NeedMatch};
use crate::partner::offering::{self, Asking, OfferError};
use crate::referral::episode::{Actor, Episode, Hold, NeedState, UNREAD};
use crate::referral::event::{Decision, Event, Place, Placed};
use crate::referral::lifecycle::Refusal;
use crate::referral::{NeedCode, Referral};
use crate::service::Wellbridge;
use crate::settings::{Mode, Programme};
use crate::store::queue::MatchReferral;
use crate::store::{Appended, StoreError, Tx};

impl Effect for MatchReferral {
    const SCHEDULE: Schedule = OWN;

    fn about(&self) -> About {
        About::Referral(self.referral)
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let done = self.find(service, attempt).await;
        if done.is_err() {
            // The practice sees that we have it, though nobody has looked for a service yet.
            meanwhile(service, self.referral, attempt).await;
        }
        done
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, _: &EffectError) -> Result<(), StoreError> {
        let mut tx = service.store.begin().await?;
        if let Some(standing) = tx.standing(self.referral).await? {
            tell_given_up(&mut tx, &standing.episode.programme, self.referral, attempt.now).await?;
            let event = Event::Matched { needs: left_to_a_person(&standing.episode), safety: false };
            match tx.record(self.referral, &event, None, attempt.now, attempt.now).await {
                Ok(_) | Err(StoreError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}

impl MatchReferral {
    async fn find(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let Some(standing) = service.store.standing(self.referral).await? else {
            return nothing_to_do(service, attempt).await;
        };
        let episode = standing.episode;
        // Every version is read, also where nothing waits for the matcher: it may say something about safety.
        let (Some(content), true) = (service.store.content(self.referral).await?, episode.is_open()) else {
            return nothing_to_do(service, attempt).await;
        };
        let Some(programme) = service.programme(&episode.programme) else {
            let why = format!("programme {} is no longer in the settings: put it back", episode.programme);
            return Err(EffectError::NeedsPerson { why }.into());
        };
        service.refresh_directory().await?;
        let directory = service.directory();
        let found = read(service, &content, &directory, programme, attempt.now);
        let needs = place(&found, &episode, programme.max_tries);
        // "No suitable service" is nothing to say of a directory that was never read; a safety matter does not wait.
        if needs.iter().any(|placed| hangs_on_the_directory(&placed.place)) && never_synced(service).await? {
            return Err(EffectError::retry("a directory feed was not read yet: the referral waits for it").into());
        }
        let back = now_otherwise(&episode, &needs);
        let event = Event::Matched { needs, safety: found.safety.iter().any(|finding| finding.kind.is_urgent()) };
        let mut tx = service.store.begin().await?;
        if tx.standing(self.referral).await?.is_none_or(|now| now.episode.inputs != episode.inputs) {
            // A newer version came between our reading and our writing: it queued a match of its own.
            tx.complete(attempt.job).await?;
            return Ok(tx.commit().await?);
        }
        tx.put_match(self.referral, &programme.id, &found, attempt.now).await?;
        for need in back {
            let back = Event::Decided { need, decision: Decision::PutBack, by: Actor::Machine, note: None };
            tx.record(self.referral, &back, None, attempt.now, attempt.now).await?;
        }
        match tx.record(self.referral, &event, None, attempt.now, attempt.now).await {
            Ok(Appended::Now(episode, _)) => {
                see_partners(&mut tx, programme, &directory, &found).await?;
                ask_by_machine(&mut tx, service, programme, &directory, &episode, attempt.now).await?;
            }
            // It moved between our reading and our writing (changed, withdrawn): whoever moved it queued what follows.
            Ok(Appended::Already) | Err(StoreError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        tx.complete(attempt.job).await?;
        crash_point::reached("before:offer");
        tx.commit().await?;
        crash_point::reached("after:offer");
        Ok(())
    }
}

/// Each need that still waits for the matcher waits for a person instead: named one by one, so that none counts as a
/// misreading and goes. (Where none waits, "nothing could be read" changes nothing.)
fn left_to_a_person(episode: &Episode) -> Vec<Placed> {
    let waiting = episode.needs.iter().filter(|need| need.state == NeedState::Received).map(|need| need.code.clone());
    let mut needs: Vec<NeedCode> = waiting.collect();
    if needs.is_empty() {
        needs.push(NeedCode::from(UNREAD));
    }
    needs.into_iter().map(|need| Placed { need, place: Place::Hold(Hold::NeedUnclear) }).collect()
}

/// What the matcher reads in a referral under a programme's rule on consent.
pub(crate) fn read(
    service: &Wellbridge,
    content: &Referral,
    directory: &Directory,
    programme: &Programme,
    now: Timestamp,
) -> Match {
    let matcher = service.matcher.clone().with_consent(programme.consent);
    matcher.match_referral(content, directory, crate::clock::london_date(now))
}

/// What a referral says forbids a machine to send anything, whatever the directory holds.
pub(crate) fn forbids_machine(service: &Wellbridge, content: &Referral, programme: &Programme, now: Timestamp) -> bool {
    let found = read(service, content, &Directory::default(), programme, now);
    !found.safety.is_empty() || found.hold.is_some_and(|why| !matches!(why, Hold::NeedUnclear | Hold::NoService))
}

/// Where each need goes: pure.
fn place(found: &Match, episode: &Episode, max_tries: u8) -> Vec<Placed> {
    let place_one =
        |need: &NeedMatch| Placed { need: need.need.clone(), place: place_need(found, need, episode, max_tries) };
    if found.needs.is_empty() {
        let why = found.hold.unwrap_or(Hold::NeedUnclear);
        return vec![Placed { need: NeedCode::from(UNREAD), place: Place::Hold(why) }];
    }
    found.needs.iter().map(place_one).collect()
}

fn place_need(found: &Match, need: &NeedMatch, episode: &Episode, max_tries: u8) -> Place {
    let hold = [found.hold, episode.facts.hold].into_iter().flatten().min();
    let tried = episode.tried(&need.need);
    // Only what the matcher cleared for a machine, whichever need and whichever try it is.
    let next = need.candidates.iter().find(|c| c.machine_may && !tried.contains(&c.service));
    match (found.decision, next) {
        // A hold that intake found, or a safety matter, stands whatever could be offered.
        _ if episode.facts.hold.is_some() || !found.safety.is_empty() => Place::Hold(hold.unwrap_or(Hold::Safety)),
        _ if tried.len() >= usize::from(max_tries) => Place::Hold(Hold::TriesExhausted),
        (matching::Decision::Auto, Some(candidate)) => Place::Propose(candidate.service.clone()),
        (matching::Decision::Auto, None) if !tried.is_empty() => Place::Hold(Hold::TriesExhausted),
        (matching::Decision::Auto, None) => Place::Hold(why_not_by_machine(need)),
        (matching::Decision::None, _) => Place::Hold(Hold::NoService),
        (matching::Decision::Person, _) => Place::Hold(hold.unwrap_or(Hold::SecondBest)),
    }
}

/// Whether another directory would put the need elsewhere.
const fn hangs_on_the_directory(place: &Place) -> bool {
    matches!(
        place,
        Place::Propose(_) | Place::Hold(Hold::NoService | Hold::NoEmail | Hold::SecondBest | Hold::TriesExhausted)
    )
}

/// A feed of the settings has never been read whole.
async fn never_synced(service: &Wellbridge) -> Result<bool, StoreError> {
    let known = service.store.feeds().await?;
    let synced = |id: &String| known.iter().any(|feed| feed.id == *id && feed.synced.is_some());
    Ok(!service.settings.feeds.keys().all(synced))
}

/// Needs that found no service in an earlier directory and find one in this: the matcher's own word is taken back.
/// Where nothing changed nothing is touched, so that what waits goes on being seen to wait.
fn now_otherwise(episode: &Episode, needs: &[Placed]) -> Vec<NeedCode> {
    let none = |state: &NeedState| matches!(state, NeedState::Held(Hold::NoService | Hold::NoEmail));
    let held = |placed: &&Placed| episode.need(&placed.need).is_some_and(|need| none(&need.state));
    let found = |placed: &&Placed| matches!(placed.place, Place::Propose(_) | Place::Hold(Hold::SecondBest));
    needs.iter().filter(held).filter(found).map(|placed| placed.need.clone()).collect()
}

/// Services were found for the person, and none that a machine may ask.
fn why_not_by_machine(need: &NeedMatch) -> Hold {
    if need.candidates.is_empty() {
        Hold::NoService
    } else if need.candidates.iter().any(|c| c.takes_email) {
        Hold::SecondBest
    } else {
        Hold::NoEmail
    }
}

/// Partners whose services are shown to a coordinator are known from then on, unconfirmed.
async fn see_partners(
    tx: &mut Tx,
    programme: &Programme,
    directory: &Directory,
    found: &Match,
) -> Result<(), StoreError> {
    const SHOWN: usize = 8;
    let shown = found.needs.iter().flat_map(|need| need.candidates.iter().take(SHOWN));
    // In one order, whatever the matcher's: two replicas that see the same new partners must not wait for each other.
    let services: BTreeMap<_, _> =
        shown.filter_map(|candidate| directory.get(&candidate.service)).map(|s| (offering::partner_of(s), s)).collect();
    for service in services.values() {
        offering::see_partner(tx, programme, service).await?;
    }
    Ok(())
}

/// In a programme that lets the machine: asks the proposed partner of each need on its list.
async fn ask_by_machine(
    tx: &mut Tx,
    service: &Wellbridge,
    programme: &Programme,
    directory: &Directory,
    episode: &Episode,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Mode::Auto { needs: allowed, .. } = &programme.mode else { return Ok(()) };
    for need in &episode.needs {
        let NeedState::Proposed(proposed) = &need.state else { continue };
        let (true, Some(asked)) = (allowed.contains(&need.code), directory.get(proposed)) else { continue };
        let asking = Asking { referral: episode.id, need: &need.code, service: asked, by: Actor::Machine, note: None };
        match offering::offer(tx, service, programme, &asking, now).await {
            // An unconfirmed partner or a rule against it: the proposal waits for a coordinator.
            Ok(_) | Err(OfferError::NotConfirmed | OfferError::Store(StoreError::Refused(Refusal::Forbidden))) => {}
            Err(OfferError::Store(error)) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
