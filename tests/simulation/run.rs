//! Draws scenarios, plays several at a time, shrinks what fails, and says what was seen.
//!
//! Each scenario has a runtime of its own on a thread of its own. The n-th of a seed is always the same, however many are
//! played; what the threads of a service do within one is the machine's affair, so a failure is played again before it is
//! believed of a smaller list.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wellbridge::referral::episode::FilingStatus;
use wellbridge::referral::event::Event;
use wellbridge::store::ListFilter;

use super::op::{Op, scenario};
use super::stage::Stage;

/// Longer than any scenario takes.
const PATIENCE: Duration = Duration::from_mins(4);
/// Bugs that are shrunk in one run; the others are told as they were drawn.
const SHRUNK: usize = 3;

/// What is to be played.
#[derive(Debug)]
pub(crate) struct Wanted {
    scenarios: u64,
    seed: u64,
    at_once: usize,
    first: u64,
    /// How long one bug may be shrunk.
    shrink: Duration,
}

impl Wanted {
    /// `WELLBRIDGE_SIMULATE="scenarios=500 seed=7 at-once=4 first=0 shrink=120"`; the short form where it is not set.
    pub(crate) fn from_environment() -> Self {
        let said = std::env::var("WELLBRIDGE_SIMULATE").unwrap_or_default();
        let number = |name: &str| {
            let pair = said.split_whitespace().filter_map(|word| word.split_once('='));
            let mut values = pair.filter(|(theirs, _)| *theirs == name).map(|(_, value)| value);
            values.next().map(|value| value.parse::<u64>().unwrap_or_else(|_| panic!("{name}={value} is no number")))
        };
        Self {
            scenarios: number("scenarios").unwrap_or(25),
            seed: number("seed").unwrap_or(20_261_124),
            at_once: usize::try_from(number("at-once").unwrap_or(4)).unwrap(),
            first: number("first").unwrap_or(0),
            shrink: Duration::from_secs(number("shrink").unwrap_or(60)),
        }
    }
}

/// What one scenario came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    referrals: u64,
    deaths: u64,
    mails: u64,
    writes: u64,
    filed: u64,
    offers: u64,
    answers: u64,
    checked: u64,
    states: BTreeMap<String, u64>,
}

/// A scenario that went wrong.
#[derive(Debug)]
pub(crate) struct Bug {
    number: u64,
    ops: Vec<Op>,
    why: String,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) scenarios: u64,
    pub(crate) bugs: Vec<Bug>,
    seed: u64,
    ops: u64,
    seen: Seen,
    took: Duration,
}

impl Report {
    /// Whether enough happened for silence to mean something.
    pub(crate) fn is_telling(&self) -> bool {
        self.scenarios < 20 || (self.seen.deaths > 0 && self.seen.filed > 0 && self.seen.states.len() >= 3)
    }

    fn add(&mut self, ops: usize, seen: &Seen) {
        self.ops += ops as u64;
        self.seen.referrals += seen.referrals;
        self.seen.deaths += seen.deaths;
        self.seen.mails += seen.mails;
        self.seen.writes += seen.writes;
        self.seen.filed += seen.filed;
        self.seen.offers += seen.offers;
        self.seen.answers += seen.answers;
        self.seen.checked += seen.checked;
        for (state, n) in &seen.states {
            *self.seen.states.entry(state.clone()).or_default() += n;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Bug { number, ops, why } in &self.bugs {
            writeln!(f, "scenario {number} went wrong: {why}\n{ops:#?}")?;
        }
        let Seen { referrals, deaths, mails, writes, filed, offers, answers, checked, states } = &self.seen;
        let states: Vec<String> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
        write!(
            f,
            "seed {}: {} scenarios, {} ops, {referrals} referrals ({}), {offers} offers, {answers} answers, {mails} mails, \
             {writes} writes to the record, {filed} filings, {deaths} deaths, {checked} checked from outside, {} bugs, {:.1} s",
            self.seed,
            self.scenarios,
            self.ops,
            states.join(", "),
            self.bugs.len(),
            self.took.as_secs_f64()
        )
    }
}

/// Plays everything that is wanted.
pub(crate) fn run(wanted: &Wanted) -> Report {
    let began = Instant::now();
    let next = AtomicU64::new(wanted.first);
    let end = wanted.first + wanted.scenarios;
    let report = Mutex::new(Report { seed: wanted.seed, scenarios: wanted.scenarios, ..Report::default() });
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= end {
                return;
            }
            let ops = draw(wanted.seed, number).current();
            let played = play(&ops);
            let mut report = report.lock().unwrap();
            match played {
                Ok(seen) => report.add(ops.len(), &seen),
                Err(why) => {
                    eprintln!("scenario {number}: {why}");
                    report.bugs.push(Bug { number, ops, why });
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..wanted.at_once {
            scope.spawn(work);
        }
    });
    let mut report = report.into_inner().unwrap();
    report.took = began.elapsed();
    for bug in report.bugs.iter_mut().take(SHRUNK) {
        shrink(wanted, bug);
    }
    report
}

fn draw(seed: u64, number: u64) -> impl proptest::strategy::ValueTree<Value = Vec<Op>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    scenario().new_tree(&mut runner).unwrap()
}

/// Makes the list shorter as long as it still goes wrong. A list that goes well once is not believed to be well: what the
/// service's threads do differs from run to run.
fn shrink(wanted: &Wanted, bug: &mut Bug) {
    let began = Instant::now();
    let mut tree = draw(wanted.seed, bug.number);
    let mut goes_on = tree.simplify();
    while goes_on && began.elapsed() < wanted.shrink {
        let ops = tree.current();
        let wrong = play(&ops).err().or_else(|| play(&ops).err());
        goes_on = match wrong {
            Some(why) => {
                (bug.ops, bug.why) = (ops, why);
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
}

/// Plays one scenario to its end and looks at it; why it went wrong, if it did.
pub(crate) fn play(ops: &[Op]) -> Result<Seen, String> {
    play_and(ops, |_| {})
}

/// Something done behind everybody's back.
pub(crate) type Behind = fn(&Stage);

/// The same, with something done behind everybody's back before it is looked at.
pub(crate) fn play_and(ops: &[Op], behind: Behind) -> Result<Seen, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async { tokio::time::timeout(PATIENCE, to_its_end(ops, behind)).await })
    }));
    runtime.shutdown_background();
    match played {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(_)) => Err("it does not come to an end".to_owned()),
        Err(panic) => Err(words_of(panic.as_ref())),
    }
}

async fn to_its_end(ops: &[Op], behind: Behind) -> Seen {
    let mut stage = Stage::open().await;
    for op in ops {
        stage.apply(*op).await;
    }
    stage.comes_to_rest().await;
    behind(&stage);
    stage.is_as_it_must_be().await;
    let checked = stage.is_checked().await;
    let listed = stage.world.service.store.list(&ListFilter::default()).await.unwrap();
    let mut seen = Seen {
        referrals: listed.len() as u64,
        deaths: stage.deaths as u64,
        mails: stage.world.mail.mails().len() as u64,
        writes: stage.practice().writes().len() as u64,
        checked: checked.into(),
        ..Seen::default()
    };
    for row in &listed {
        *seen.states.entry(row.state.clone()).or_default() += 1;
        let episode = stage.world.service.store.standing(row.id).await.unwrap().unwrap().episode;
        seen.offers += episode.offers.len() as u64;
        seen.filed += episode.filings.iter().filter(|filing| filing.status == FilingStatus::Filed).count() as u64;
        let events = stage.world.service.store.events(row.id).await.unwrap();
        seen.answers += events.iter().filter(|one| matches!(one.event, Event::Partner { .. })).count() as u64;
    }
    stage.world.stop().await;
    seen
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked without words").to_owned()
}
