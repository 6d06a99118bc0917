//! What the machine proposes at each try and for each need, replayed over the dev referrals of `tests/eval`.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::matching::{ConsentPolicy, Decision, Matcher};
use crate::practice::Input;
use crate::practice::fhir::{Mappings, referral_from_bundle};
use crate::referral::episode::{Offer, OfferStatus, Reason};
use crate::referral::{OfferId, PartnerId, PracticeId, ProgrammeId, ReferralId, ServiceId};
use crate::{directory::feed, random};

fn eval(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/eval").join(path)
}

/// Noon of the day the labels are for.
fn today() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// Every dev referral that could be read, and where it stands when it has just come.
fn referrals() -> Vec<(String, Referral, Episode)> {
    let mappings = Mappings::builtin().unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(eval("referrals")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let Input::Readable(referral, _) =
            referral_from_bundle(&text, &PracticeId::from("file"), &mappings, today()).unwrap()
        else {
            return None;
        };
        let facts = crate::referral::facts::facts(&referral, ConsentPolicy::Recorded);
        let id = ReferralId::from_uuid(random::uuid());
        let (practice, programme) = (PracticeId::from("file"), ProgrammeId::from("leeds"));
        let (episode, _) = crate::referral::lifecycle::start(id, &practice, &programme, facts, today());
        Some((path.file_stem().unwrap().to_str().unwrap().to_owned(), *referral, episode))
    };
    files.iter().filter_map(read).collect()
}

/// A service that was asked and said no.
fn refused(need: &NeedMatch, service: &ServiceId) -> Offer {
    Offer {
        id: OfferId::from_uuid(random::uuid()),
        need: need.need.clone(),
        service: service.clone(),
        partner: PartnerId::from("partner"),
        by: Actor::Machine,
        status: OfferStatus::Rejected(Reason::Capacity),
        made: today(),
        reply_by: today(),
        mailed: true,
        reminded: false,
        booked: false,
        identity_seen: false,
        late_yes: false,
        missed: false,
        notice_owed: false,
    }
}

/// One proposal: the referral, which of its needs (from 0), which try (from 0), the service.
type Proposed = (String, usize, usize, ServiceId);

/// Everything that would be proposed if every partner said no, three tries a need.
fn replay(next: impl Fn(&Match, &NeedMatch, &Episode) -> Option<ServiceId>) -> Vec<Proposed> {
    let matcher = Matcher::built_in().unwrap();
    let text = fs::read_to_string(eval("services-feed.json")).unwrap();
    let directory = Directory::new(feed::from_json(&text).unwrap().services);
    let mut proposed = Vec::new();
    for (name, referral, mut episode) in referrals() {
        let found = matcher.match_referral(&referral, &directory, crate::clock::london_date(today()));
        for (which, need) in found.needs.iter().enumerate() {
            for number in 0..3 {
                let Some(service) = next(&found, need, &episode) else { break };
                episode.offers.push(refused(need, &service));
                proposed.push((name.clone(), which, number, service));
            }
        }
    }
    proposed
}

fn by_machine(found: &Match, need: &NeedMatch, episode: &Episode) -> Option<ServiceId> {
    match place_need(found, need, episode, 3) {
        Place::Propose(service) => Some(service),
        Place::Hold(_) => None,
    }
}

/// (referral, service) pairs that the labels call harm.
fn harm() -> HashSet<(String, String)> {
    let text = fs::read_to_string(eval("qrels.csv")).unwrap();
    let rows = text.lines().skip(1).map(|row| row.split(',').map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|cells| cells[3] == "1").map(|cells| (cells[0].clone(), cells[1].clone())).collect()
}

/// How many of these the labels call harm, leaving out the first try for the main need (the matcher's own offer).
fn harmful_further_tries(all: &[Proposed]) -> (usize, usize) {
    let harm = harm();
    let further: Vec<&Proposed> = all.iter().filter(|(_, which, number, _)| (*which, *number) != (0, 0)).collect();
    let bad = further.iter().filter(|(name, _, _, id)| harm.contains(&(name.clone(), id.to_string()))).count();
    (further.len(), bad)
}

/// 2026-11-24, 80 dev referrals: taking whatever takes email made 129 further tries, 22 of them labelled harm; what the
/// matcher clears makes 22, 3 of them labelled harm.
#[test]
fn second_needs_and_further_tries_ask_only_what_the_matcher_cleared() {
    let whatever_takes_email = |found: &Match, need: &NeedMatch, episode: &Episode| {
        let tried = episode.tried(&need.need);
        let next = need.candidates.iter().find(|c| c.takes_email && !tried.contains(&c.service))?;
        let may = episode.facts.hold.is_none() && found.safety.is_empty() && found.decision == Decision::Auto;
        may.then(|| next.service.clone())
    };
    let (before, after) = (replay(whatever_takes_email), replay(by_machine));
    let firsts = |all: &[Proposed]| all.iter().filter(|(_, which, number, _)| (*which, *number) == (0, 0)).count();
    assert_eq!(firsts(&before), firsts(&after), "the first try is the matcher's own offer");
    let (before, after) = (harmful_further_tries(&before), harmful_further_tries(&after));
    assert!(before.1 >= 15, "the labels tell the two apart: {before:?}");
    assert!(after.1 * 5 < before.1, "further tries and those labelled harm: {after:?}, before {before:?}");
}

fn candidate(id: &str, machine_may: bool) -> crate::matching::Candidate {
    crate::matching::Candidate {
        service: id.into(),
        why: Vec::new(),
        careful: Vec::new(),
        distance_km: None,
        takes_email: true,
        machine_may,
    }
}

#[test]
fn a_need_without_a_service_cleared_for_a_machine_waits_for_a_person() {
    let (_, _, mut episode) = referrals().swap_remove(0);
    let need = |code: &str, candidates: Vec<crate::matching::Candidate>| NeedMatch {
        need: code.into(),
        shown_by: Vec::new(),
        candidates,
        excluded: Vec::new(),
    };
    let (main, second) = ("befriending", "debt-advice");
    let needs = vec![
        need(main, vec![candidate("a", true), candidate("b", false), candidate("c", true)]),
        need(second, vec![candidate("d", false)]),
    ];
    let found = Match {
        decision: Decision::Auto,
        hold: None,
        safety: Vec::new(),
        needs: needs.clone(),
        offer: Some("a".into()),
    };
    let put = |episode: &Episode| place(&found, episode, 3).into_iter().map(|p| p.place).collect::<Vec<_>>();
    assert_eq!(put(&episode), [Place::Propose("a".into()), Place::Hold(Hold::SecondBest)]);
    episode.offers.push(refused(&needs[0], &"a".into()));
    assert_eq!(put(&episode)[0], Place::Propose("c".into()), "the next cleared one, not the next one");
    episode.offers.push(refused(&needs[0], &"c".into()));
    assert_eq!(put(&episode)[0], Place::Hold(Hold::TriesExhausted));
}
