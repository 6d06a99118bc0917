//! Every step fails in turn: for each kind of job, at each step of an attempt (before and after its outside effect,
//! before and after each of its commits), an error, a time-out and a death; each attempt worked twice; two attempts at
//! once. The same story is told each time, and must come to the same end: nothing lost, nothing twice but the second
//! copy of a mail that SMTP cannot exclude, and of that the ledger says so.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use jiff::SignedDuration;
use wellbridge::crash_point::planted::{Plan as Planted, Step, Strike, Worked};
use wellbridge::demo::practice::Deed;
use wellbridge::referral::event::Event;
use wellbridge::settings::deadlines::add_working_days;
use wellbridge::store::{MailRow, offer_mail_id};

use crate::support::story::{Sent, Story};
use crate::support::world::{Plan, World};

/// Every kind of job there is.
const KINDS: [&str; 11] = [
    "chase_offer",
    "file_record",
    "keep_task",
    "match_referral",
    "poll_practice",
    "read_again",
    "send_alert",
    "send_code",
    "send_offer_mail",
    "sync_directory",
    "tick",
];
/// Stories told side by side: most of one is waiting for the queue.
const AT_ONCE: usize = 6;
const SCORES: [(&str, &str); 4] = [("satisfied", "4"), ("worthwhile", "5"), ("happy", "3"), ("anxious", "6")];

/// The referrals of the story.
struct Three {
    /// Travels the whole road.
    finished: Sent,
    /// Nobody answers; reminded, lapsed, offered to the next, taken back.
    silent: Sent,
    /// A safety matter.
    unsafe_one: Sent,
}

impl Three {
    fn each(&self) -> [&Sent; 3] {
        [&self.finished, &self.silent, &self.unsafe_one]
    }
}

/// What came of it, as far as it must be the same however often something failed.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    states: Vec<&'static str>,
    /// What happened to each referral: how often each kind of event (not counted: "it may have left").
    events: Vec<BTreeMap<String, usize>>,
    /// What was created in the record, by kind.
    written: BTreeMap<String, usize>,
    /// Different mails by recipient and kind.
    mails: BTreeMap<(String, String), usize>,
    /// What the duty address was told.
    alerts: BTreeMap<String, usize>,
    services: usize,
}

/// Tells the story in a world where this is planted, and looks at its end.
async fn tell(planted: &Planted) -> Outcome {
    let here = planted.clone();
    // Polled on demand only: what is open is then read again by its own job, each day.
    let plan = Plan::usual().set("practices.burton-croft.poll_every", "30 days");
    let world = plan.prepared(move |service| here.plant(&service.settings.data_dir)).open().await;
    world.runs_on().await;
    let three = Three {
        finished: Story::lonely().send(&world.record).await,
        silent: Story::lonely_too().send(&world.record).await,
        unsafe_one: Story::unsafe_at_home().send(&world.record).await,
    };
    world.poll().await;
    world.runs_on().await;
    finishes(&world, &three.finished).await;
    // Reminded, lapsed, the next one asked; the days pass, and what is open is read again on each.
    for _ in 0..5 {
        let now = world.clock.now();
        let tomorrow = add_working_days(now, 1, &world.service.settings.bank_holidays);
        world.clock.advance(tomorrow.duration_since(now) + SignedDuration::from_secs(1));
        world.runs_on().await;
    }
    world.record.change("ServiceRequest", &three.silent.request, |request| request["status"] = "revoked".into()).await;
    world.poll().await;
    world.runs_on().await;
    let outcome = outcome(&world, &three).await;
    at_rest(&world, &three).await;
    world.ends().await;
    outcome
}

async fn finishes(world: &World, sent: &Sent) {
    let offer = world.open_offer(sent).await;
    let partner = world.partner_reading(&offer, &world.copies_of(&offer)[0]);
    partner.accepts().await;
    world.runs_on().await;
    assert!(partner.opens_the_person_in_the_end().await.says("Barraclough"));
    partner.tells("started", &SCORES).await;
    world.runs_on().await;
    partner.tells("finished", &[&[("tried", "Six visits with Maggie.")], &SCORES[..]].concat()).await;
    world.runs_on().await;
}

async fn outcome(world: &World, three: &Three) -> Outcome {
    let (mut states, mut events) = (Vec::new(), Vec::new());
    for sent in three.each() {
        states.push(world.state(sent).await);
        let all = world.events(sent).await.into_iter();
        let known = all.filter(|event| !matches!(event, Event::Mailed { outcome_unknown: true, .. }));
        events.push(counted(known.map(|event| kind_of(&event))));
    }
    let ours = ["Task", "Procedure", "DocumentReference", "Provenance", "Observation"];
    let created = world.pretend().writes().into_iter().filter(|w| w.deed == Deed::Created);
    let mails: BTreeSet<(String, String)> =
        world.mail.mails().into_iter().map(|mail| (mail.envelope_to[0].clone(), mail.message_id.unwrap())).collect();
    let alerts = world.service.store.open_alerts(None).await.unwrap();
    Outcome {
        states,
        events,
        written: counted(created.filter(|w| ours.contains(&w.kind.as_str())).map(|w| w.kind)),
        mails: counted(mails.into_iter().map(|(to, id)| (to, id.split('.').nth(1).unwrap().to_owned()))),
        alerts: counted(alerts.into_iter().map(|alert| alert.kind.as_str().to_owned())),
        services: world.service.store.services().await.unwrap().len(),
    }
}

/// `mailed`, and which mail; `partner`, and what it said.
fn kind_of(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap();
    format!("{} {} {}", value["type"].as_str().unwrap(), value["mail"], value["said"])
}

fn counted<T: Ord>(all: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    all.for_each(|one| *counts.entry(one).or_default() += 1);
    counts
}

/// Nothing is left to be done, nothing is said to fail, nothing was given up, and what came twice is said to have.
async fn at_rest(world: &World, three: &Three) {
    for kind in KINDS {
        for state in ["available", "running", "retryable", "discarded", "cancelled"] {
            assert_eq!(world.jobs_of(kind, state).await, 0, "{kind} {state}");
        }
    }
    assert_eq!(world.service.store.failing_edges().await.unwrap(), []);
    let mut known = BTreeMap::new();
    for sent in three.each() {
        for mail in world.service.store.mails(world.id(sent).await).await.unwrap() {
            known.insert(mail.id.clone(), mail);
        }
    }
    let unknown = unknown(world, three).await;
    for (id, copies) in counted(world.mail.mails().into_iter().map(|mail| mail.message_id.unwrap())) {
        let id = id.split('@').next().unwrap();
        let mail = known.get(id).unwrap_or_else(|| panic!("{id} is in no ledger"));
        assert_eq!(mail.state, "sent", "{id}");
        assert!(copies == 1 || (copies == 2 && (unknown.contains(id) || says_two(mail))), "{id}: {copies}, {mail:?}");
    }
    for (created, times) in
        counted(world.pretend().writes().into_iter().filter(|w| w.deed == Deed::Created).flat_map(|write| {
            write.identifiers.into_iter().filter(|i| i.contains("wellbridge")).map(move |i| (write.kind.clone(), i))
        }))
    {
        assert_eq!(times, 1, "{created:?}");
    }
}

/// The mails about offers of which the ledger says that they may have left twice.
async fn unknown(world: &World, three: &Three) -> BTreeSet<String> {
    let mut unknown = BTreeSet::new();
    for sent in three.each() {
        unknown.extend(world.events(sent).await.into_iter().filter_map(|event| match event {
            Event::Mailed { offer, mail, outcome_unknown: true } => Some(offer_mail_id(offer, mail)),
            _ => None,
        }));
    }
    unknown
}

fn says_two(mail: &MailRow) -> bool {
    mail.answer.as_deref().is_some_and(|answer| answer.contains("two copies"))
}

/// The story as it goes when nothing fails, and every step that its jobs take.
async fn undisturbed() -> (Outcome, BTreeSet<Step>) {
    let watched = Planted::watch();
    let outcome = tell(&watched).await;
    assert_eq!(outcome.states, ["closed", "withdrawn", "held"]);
    assert_eq!(
        outcome.written,
        [("DocumentReference", 2), ("Observation", 5), ("Procedure", 1), ("Provenance", 2), ("Task", 3)]
            .map(|(kind, n)| (kind.to_owned(), n))
            .into()
    );
    let steps = watched.seen();
    let kinds: BTreeSet<&str> = steps.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, BTreeSet::from(KINDS), "the story has every kind of job");
    (outcome, steps)
}

/// One story for each step: there, every job's first attempt meets this.
async fn every_step(strike: Strike) {
    let (usual, steps) = undisturbed().await;
    let longest: usize = steps.iter().map(|(.., nth)| *nth).max().unwrap();
    let told = stream::iter(1..=longest).map(|nth| async move {
        let planted = Planted::strike(nth, strike);
        (nth, tell(&planted).await, planted.struck())
    });
    let mut struck = BTreeSet::new();
    let mut told = told.buffer_unordered(AT_ONCE);
    while let Some((nth, outcome, here)) = told.next().await {
        assert_eq!(outcome, usual, "{strike:?} at step {nth}: {here:?}");
        struck.extend(here);
    }
    let missed: Vec<&Step> = steps.difference(&struck).collect();
    assert!(missed.is_empty(), "{strike:?} never happened at {missed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_any_step_of_any_job_changes_nothing_in_the_end() {
    every_step(Strike::Error).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_broken_off_at_any_step_of_any_job_changes_nothing_in_the_end() {
    every_step(Strike::TimeOut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_dies_at_any_step_of_any_job_changes_nothing_in_the_end() {
    every_step(Strike::Death).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_worked_twice_or_by_two_attempts_at_once_do_each_thing_once() {
    let (usual, steps) = undisturbed().await;
    for worked in [Worked::Twice, Worked::AtOnce] {
        let planted = Planted::worked_so(worked);
        assert_eq!(tell(&planted).await, usual, "{worked:?}");
        assert_eq!(planted.completed_twice(), BTreeSet::new(), "{worked:?}: one row, one completion");
        let kinds = |steps: &BTreeSet<Step>| steps.iter().map(|(kind, ..)| *kind).collect::<BTreeSet<_>>();
        assert_eq!(kinds(&planted.seen()), kinds(&steps), "{worked:?}");
    }
}
