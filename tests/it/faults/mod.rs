//! Faults, on purpose: what the edges of the service do on bad days, as a table ([`practice`], [`mail`], [`feed`],
//! [`tls`]); and every step of every job failing in turn ([`steps`]).
//!
//! Each row of a table says what a referral does while the fault lasts, whom it is told to and when. Then the edge is
//! healed, and the referral comes to the end of what the fault kept it from, once; the failing was told once and is over.
//! README, "When something fails", is the same table for people.

mod clocks;
mod feed;
mod mail;
mod practice;
mod steps;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use wellbridge::practice::fhir::{Auth, FhirPractice, FhirSettings, Limits, Mappings, OurOrganization};
use wellbridge::referral::event::Alert;
use wellbridge::service::Wellbridge;
use wellbridge::settings::OurOrganisation;

use crate::support::world::{DUTY, World};

/// When somebody is told that an edge fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It gets better by itself, or another edge tells it.
    Nobody,
    /// At the first try: waiting does not help.
    AtOnce,
    /// From the third try on: a short absence wakes nobody.
    AfterThree,
}

/// How often the duty address was mailed that something is well again.
fn told_well(world: &World) -> usize {
    world.mail.mails_to(DUTY).iter().filter(|mail| mail.message_id.as_ref().unwrap().contains(".well-again.")).count()
}

/// How often it was told that an edge fails: alerts, and mails to the duty address.
async fn told(world: &World) -> (usize, usize) {
    let alerts = world.service.store.open_alerts(None).await.unwrap();
    let failing: Vec<String> =
        alerts.iter().filter(|a| a.kind == Alert::EdgeFailing).map(|a| a.id.uuid().simple().to_string()).collect();
    let about = |id: &str| id.contains(".alert.") && failing.iter().any(|alert| id.starts_with(alert.as_str()));
    let mails = world.mail.mails_to(DUTY);
    let mails = mails.iter().filter(|mail| mail.message_id.as_deref().is_some_and(about)).count();
    (failing.len(), mails)
}

/// How many edges are said to fail just now.
async fn failing(world: &World) -> usize {
    world.service.store.failing_edges().await.unwrap().len()
}

/// Time for the second try, the third and one more, of whatever schedule. (Not much: the queue counts a job's age from
/// the machine's time, which a story with many rows leaves behind.)
async fn tries_again_and_again(world: &World) {
    for minutes in [1, 3, 6] {
        world.advance(SignedDuration::from_mins(minutes)).await;
    }
}

/// Longer than any wait after those tries, then as long as one that the first success has queued, and then so long that what
/// fails next is news again.
async fn the_edge_is_well(world: &World) {
    for minutes in [31, 5, 10] {
        world.advance(SignedDuration::from_mins(minutes)).await;
    }
}

/// The practice's adapter waits a second where it usually waits twelve, and believes in fewer pages.
fn hasty(service: &mut Wellbridge) {
    let practice = service.settings.practices.values().next().unwrap();
    let OurOrganisation::Identifier { system, value } = practice.fhir.organisation.clone() else { panic!() };
    let settings = FhirSettings {
        organization: Some(OurOrganization::Identifier { system, value }),
        limits: Limits { answer: Duration::from_secs(1), ..Limits::default() },
        max_pages: 8,
        ..FhirSettings::new(practice.id.clone(), practice.fhir.base.clone())
    };
    let mappings = Arc::new(Mappings::builtin().unwrap());
    let system = FhirPractice::new(settings, Arc::new(Auth::None), mappings, service.clock.clone()).unwrap();
    service.practices.insert(practice.id.clone(), Arc::new(system));
}
