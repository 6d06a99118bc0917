//! The decision: may a machine ask a service now, which one, or why must a person look.
//!
//! When in doubt, a person. The order of the holds is the order of their weight: safety and the person's own no come
//! before everything practical.

use jiff::civil::Date;

use super::{
    Decision, Finding, Match, Matcher, NeedMatch, SafetyKind, identity, needs,
    person::Person,
    rank::{self, Scored},
    safety,
};
use crate::{
    directory::Directory,
    referral::{
        Referral, SafeContact, ServiceId,
        content::{Priority, RequestStatus, TaskState},
        episode::Hold,
    },
};

/// A service must be for the very need at least so much, before a machine may choose it.
const FITS: f32 = 0.42;
/// A machine takes the first that can be emailed only if it is nearly as good as the best.
const NEARLY: f32 = 0.90;
/// How far down the list a machine may go for its first try.
const FIRST: usize = 2;

pub(super) fn decide(matcher: &Matcher, referral: &Referral, directory: &Directory, today: Date) -> Match {
    let mut findings = safety::read(&matcher.mapping, referral);
    findings.extend(identity::read(referral, today));
    if !findings.iter().any(|f| f.kind == SafetyKind::ConsentDeclined) {
        findings.extend(safety::consent(referral.consent, matcher.consent));
    }
    let mut wanted = needs::read(&matcher.mapping, referral);
    if let Some((finding, code)) = findings.iter().find_map(|f| specialist(f.kind).map(|code| (f, code))) {
        needs::put_first(&matcher.mapping, &mut wanted, code, finding.evidence.clone());
    }
    let person = Person::of(&matcher.mapping, &matcher.places, referral, &wanted, today);
    let mut ranked: Vec<Vec<Scored>> = Vec::with_capacity(wanted.len());
    let mut per_need: Vec<NeedMatch> = Vec::with_capacity(wanted.len());
    for need in &wanted {
        let (mut scored, excluded) = rank::rank(matcher, referral, &person, need, directory, today);
        let Some(def) = matcher.mapping.needs.get(need.need) else { continue };
        clear_for_machine(&mut scored);
        per_need.push(NeedMatch {
            need: def.code.clone(),
            shown_by: need.shown_by.clone(),
            candidates: scored.iter().map(|s| s.candidate.clone()).collect(),
            excluded,
        });
        ranked.push(scored);
    }
    let (decision, hold, offer) = verdict(matcher, referral, &findings, ranked.first().map(Vec::as_slice));
    Match { decision, hold, safety: findings, needs: per_need, offer }
}

/// The need of specialist help that a safety matter brings with it.
fn specialist(kind: SafetyKind) -> Option<&'static str> {
    match kind {
        SafetyKind::DomesticAbuse => Some("domestic-abuse"),
        SafetyKind::Safeguarding | SafetyKind::SuicideSelfHarm => Some("crisis-safeguarding"),
        SafetyKind::UrgentSymptom
        | SafetyKind::Contradiction
        | SafetyKind::WrongPatient
        | SafetyKind::ConsentMissing
        | SafetyKind::ConsentDeclined => None,
    }
}

/// Marks what a machine may ask, for the first try and for every further one: good enough in itself, and beside the best.
fn clear_for_machine(scored: &mut [Scored]) {
    let best = scored.first().map_or(0.0, |s| s.score);
    for one in scored {
        one.candidate.machine_may =
            one.candidate.takes_email && one.fit >= FITS && one.score >= best * NEARLY && !one.drawback;
    }
}

type Verdict = (Decision, Option<Hold>, Option<ServiceId>);

fn verdict(matcher: &Matcher, referral: &Referral, findings: &[Finding], main: Option<&[Scored]>) -> Verdict {
    let person = |hold| (Decision::Person, Some(hold), None);
    if let Some(hold) = held(matcher, referral, findings) {
        return person(hold);
    }
    let Some(scored) = main else { return person(Hold::NeedUnclear) };
    if scored.is_empty() {
        return (Decision::None, Some(Hold::NoService), None);
    }
    if !scored.iter().any(|s| s.candidate.takes_email) {
        return person(Hold::NoEmail);
    }
    match scored.iter().take(FIRST).find(|s| s.candidate.machine_may) {
        Some(chosen) => (Decision::Auto, None, Some(chosen.candidate.service.clone())),
        None => person(Hold::SecondBest),
    }
}

/// What holds a referral before any service is looked at.
fn held(matcher: &Matcher, referral: &Referral, findings: &[Finding]) -> Option<Hold> {
    let patient = &referral.patient;
    let consent = |f: &Finding| matches!(f.kind, SafetyKind::ConsentDeclined | SafetyKind::ConsentMissing);
    if findings.iter().any(|f| !consent(f)) {
        return Some(Hold::Safety);
    }
    let contact = matcher.safe_contact(referral);
    let checks = [
        (findings.iter().any(|f| f.kind == SafetyKind::ConsentDeclined), Hold::ConsentDeclined),
        (findings.iter().any(|f| f.kind == SafetyKind::ConsentMissing), Hold::ConsentMissing),
        (referral.priority != Priority::Routine, Hold::Urgent),
        (contact == SafeContact::Prohibited, Hold::ContactProhibited),
        (patient.restricted, Hold::Restricted),
        (patient.deceased, Hold::Deceased),
        (patient.left_practice, Hold::LeftPractice),
        (referral.status != RequestStatus::Active || referral.task != TaskState::Open, Hold::NotActive),
        (matches!(contact, SafeContact::Unclear(_)), Hold::ContactUnclear),
        (!referral.unread.is_empty(), Hold::NotAllRead),
    ];
    checks.into_iter().find_map(|(is, hold)| is.then_some(hold))
}
