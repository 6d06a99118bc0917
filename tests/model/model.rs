//! What may happen next in a world, and what it does.
//!
//! [`Model::enabled`] lists, [`Model::apply`] takes one: a trace is a list of [`Do`], and a list can be run again. Every
//! transaction of the service is one `Do`, all or nothing; between two of them anything else may happen.

use wellbridge::referral::episode::{AttentionKind, Closed, FilingStatus};
use wellbridge::referral::event::{Alert, Effect, OfferMail, PartnerSaid};
use wellbridge::referral::lifecycle::Refusal;

use crate::ledger::{Ledger, Move, WORDS, kind_number, may_be_settled, offer_number};
use crate::world::{Attempt, End, FILINGS, Job, Letter, OFFERS, Paper, Phase, Row, Timers, Version, World};
use crate::{jobs, people, promises};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    /// The practice saves its record like this.
    Change(Version),
    /// The practice is polled, or the referral is read again on its day.
    Poll,
    /// An attempt starts: it looks at the state again and goes no further than that.
    Begin(Job),
    /// A mail is written down as leaving.
    Leaves(usize),
    /// The outside effect, with its end; whether a mail whose end is unknown arrived.
    Act(usize, End, bool),
    /// What came of it is written down, with the job's completion.
    Commit(usize),
    /// The same, where the matcher finds no service in today's directory.
    CommitNoService(usize),
    /// The matcher could not be run for a whole day.
    GiveUpMatching(usize),
    /// The process dies, or the attempt ends in an error that changes nothing.
    Crash(usize),
    /// Time passes: every waiting deadline comes nearer.
    Tick,
    Remind(u8),
    Lapse(u8),
    /// A directory was read whole: what found nothing is matched again.
    Synced,
    /// The carrier that was handed a filing answers.
    Carrier(u8, End),
    Say {
        offer: u8,
        said: PartnerSaid,
        risk: bool,
    },
    View(u8),
    Ask {
        need: u8,
        service: u8,
    },
    Close(u8, Closed),
    PutBack(u8),
    KeepBack(u8),
    Support(u8),
    Settle(u8),
    Requeue(u8),
    SetAside(u8),
    InError(u8),
    /// A coordinator says that it is the same person.
    SamePerson,
}

/// How far the world goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Needs that the matcher reads: 1 or 2.
    pub(crate) needs: u8,
    /// Services asked, over all needs.
    pub(crate) offers: usize,
    /// Changes the practice makes after its first version.
    pub(crate) changes: u8,
    /// To which versions.
    pub(crate) versions: &'static [Version],
    /// The programme lets the machine ask.
    pub(crate) auto: bool,
    /// Attempts that run at the same time.
    pub(crate) slots: usize,
    /// Two attempts at the very same job.
    pub(crate) doubles: bool,
    /// How much a partner can say: the first so many of [`WORDS`].
    pub(crate) words: usize,
    /// Someone may report a risk.
    pub(crate) risks: bool,
    /// A carrier takes filings and answers later.
    pub(crate) carrier: bool,
    /// The directory may hold nothing today.
    pub(crate) directory: bool,
    /// The coordination Task is kept.
    pub(crate) task: bool,
    /// A coordinator is at work.
    pub(crate) coordinator: bool,
}

/// A mistake planted in the service or its surroundings, so that the walk can be seen to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    LosesMatch,
    LosesLapse,
    LosesNotice,
    LosesFiling,
    /// An offer's mail leaves without reading the practice again.
    MailsUnread,
    /// A mail leaves without looking at where the offer stands.
    MailsUnchecked,
    /// Who the person is is shown without reading the practice again.
    ShowsUnread,
    /// A second offer is made beside an open one.
    AsksTwo,
    /// A filing is called filed before it was written.
    FilesBeforeWriting,
    /// A refused filing stands before nobody.
    HidesRefusal,
    /// A Task written late from an older reading stays (found by this walk).
    KeepsOldTask,
    /// A mail that another attempt sends or has dropped leaves all the same (found by this walk).
    LeavesTwice,
    /// An attempt that was overtaken writes over what the quicker one said of a mail (found by this walk).
    SettlesOver,
    /// A mail leaves though what it says was taken back while it was being composed.
    LeavesUnchecked,
    /// A Task that the practice ended is written into.
    ReopensTask,
    /// That the request names another person stands before nobody.
    HidesQuestion,
    /// A match that read an older version is written all the same.
    MatchesOldVersion,
}

/// Why a `Do` leads nowhere.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The lifecycle said no: nothing changes.
    Refused,
    /// Beyond the bounds.
    Outside,
    /// A promise is broken.
    Broken(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Broken(why)
    }
}

/// The service and its surroundings, within bounds.
pub(crate) struct Model {
    pub(crate) ledger: Ledger,
    pub(crate) bounds: Bounds,
    pub(crate) flaw: Option<Flaw>,
}

impl Model {
    /// With nothing known yet.
    pub(crate) fn new(bounds: Bounds, flaw: Option<Flaw>) -> Self {
        assert!(bounds.offers <= OFFERS && bounds.slots <= 2);
        Self { ledger: Ledger::default(), bounds, flaw }
    }

    /// The moment at which a referral was taken in, in its first version.
    pub(crate) fn start(&mut self, version: Version) -> World {
        let (episode, effects) = self.ledger.start(version);
        let mut world = World {
            episode,
            truth: version,
            stored: version,
            content: version,
            person: version.person(),
            changes: self.bounds.changes,
            matches: 0,
            tasks: 0,
            letters: [[Letter::default(); 4]; OFFERS],
            timers: [Timers::default(); OFFERS],
            papers: [Paper::default(); FILINGS],
            task: 0,
            bad: 0,
            attempts: [Attempt::default(); 2],
        };
        for effect in &effects {
            self.queue(&mut world, effect).expect("a start asks for nothing twice");
        }
        world
    }

    /// Takes one step, checked.
    pub(crate) fn apply(&mut self, before: &World, what: Do) -> Result<World, Stop> {
        let mut world = *before;
        self.happens(&mut world, what)?;
        for timers in &mut world.timers {
            if !timers.remind && !timers.lapse {
                timers.elapsed = 0;
            }
        }
        promises::of_world(self, &world)?;
        Ok(world)
    }

    fn happens(&mut self, world: &mut World, what: Do) -> Result<(), Stop> {
        match what {
            Do::Change(version) => {
                world.truth = version;
                world.changes -= 1;
                Ok(())
            }
            Do::Poll => people::take_in(self, world),
            Do::Begin(job) => jobs::begin(self, world, job),
            Do::Leaves(slot) => jobs::leaves(self, world, slot),
            Do::Act(slot, end, arrives) => jobs::act(self, world, slot, end, arrives),
            Do::Commit(slot) => jobs::commit(self, world, slot, true),
            Do::CommitNoService(slot) => jobs::commit(self, world, slot, false),
            Do::GiveUpMatching(slot) => jobs::give_up_matching(self, world, slot),
            Do::Crash(slot) => {
                world.end(slot);
                Ok(())
            }
            Do::Tick => {
                world.timers.iter_mut().for_each(|t| t.elapsed = (t.elapsed + 1).min(2));
                Ok(())
            }
            Do::Remind(offer) => jobs::remind(self, world, offer),
            Do::Lapse(offer) => {
                world.timers[usize::from(offer)].lapse = false;
                self.record_if_it_may(world, Move::Lapsed(offer))
            }
            Do::Synced => {
                world.enqueue(Job::Match);
                Ok(())
            }
            Do::Carrier(filing, end) => jobs::carrier(self, world, filing, end),
            Do::View(offer) => people::view(self, world, offer),
            Do::SamePerson => people::same_person(self, world),
            other => people::decides(self, world, other),
        }
    }

    /// Records one event in the transaction at hand: the episode moves and what has to be done is queued.
    pub(crate) fn record(&mut self, world: &mut World, step: Move) -> Result<(), Stop> {
        let (next, effects) = match self.ledger.step(world.episode, step)? {
            Ok(taken) => taken,
            Err(Refusal::AlreadyDone) => return Ok(()),
            Err(_) => return Err(Stop::Refused),
        };
        let next = self.tampered(next, step);
        let episode = self.ledger.get(next);
        if episode.offers.len() > OFFERS || episode.filings.len() > FILINGS {
            return Err(Stop::Outside);
        }
        world.episode = next;
        effects.iter().try_for_each(|effect| self.queue(world, effect))
    }

    /// The same, where the service goes on when the lifecycle says no.
    pub(crate) fn record_if_it_may(&mut self, world: &mut World, step: Move) -> Result<(), Stop> {
        match self.record(world, step) {
            Err(Stop::Refused) => Ok(()),
            other => other,
        }
    }

    /// `store::queue::enqueue_effects`.
    fn queue(&self, world: &mut World, effect: &Effect) -> Result<(), Stop> {
        let episode = self.ledger.get(world.episode);
        match effect {
            Effect::Match if self.flaw == Some(Flaw::LosesMatch) && !episode.offers.is_empty() => {}
            Effect::Match => world.enqueue(Job::Match),
            Effect::Mail(_, OfferMail::Cancellation) if self.flaw == Some(Flaw::LosesNotice) => {}
            Effect::Mail(offer, mail) => {
                let (offer, kind) = (offer_number(episode, *offer), kind_number(*mail));
                if world.letter(offer, kind).row != Row::Never {
                    return Err(Stop::Broken(format!("{mail:?} of offer {offer} is asked for twice")));
                }
                world.enqueue(Job::Mail(offer, kind));
            }
            Effect::RemindAt(offer, _) => world.timers[usize::from(offer_number(episode, *offer))].remind = true,
            Effect::LapseAt(..) if self.flaw == Some(Flaw::LosesLapse) => {}
            Effect::LapseAt(offer, _) => world.timers[usize::from(offer_number(episode, *offer))].lapse = true,
            Effect::File(..) if self.flaw == Some(Flaw::LosesFiling) => {}
            Effect::File(id, _) => {
                let filing = episode.filings.iter().position(|f| f.id == *id).unwrap_or(FILINGS - 1);
                world.enqueue(Job::File(filing as u8));
            }
            Effect::KeepTask if self.bounds.task => world.enqueue(Job::Task),
            // Told by a job that hangs on nothing else; that it is raised is checked where the step is taken.
            Effect::KeepTask | Effect::Alert(_) => {}
        }
        Ok(())
    }

    /// Where a mistake is planted in what a step gives.
    fn tampered(&mut self, next: u32, step: Move) -> u32 {
        match (self.flaw, step) {
            (Some(Flaw::AsksTwo), Move::Offered { .. }) => self.ledger.change(next, |episode| {
                let mut second = episode.offers[episode.offers.len() - 1].clone();
                second.id = crate::ledger::offer_id(episode.offers.len());
                episode.offers.push(second);
            }),
            (Some(Flaw::HidesRefusal), Move::Refused(_)) => {
                self.ledger.change(next, |e| e.attention.retain(|a| may_be_settled(a.kind)))
            }
            (Some(Flaw::HidesQuestion), Move::PersonChanged) => {
                self.ledger.change(next, |e| e.attention.retain(|a| a.kind != AttentionKind::AnotherPerson))
            }
            _ => next,
        }
    }

    /// Everything that may happen.
    pub(crate) fn enabled(&self, world: &World, out: &mut Vec<Do>) {
        let episode = self.ledger.get(world.episode);
        if world.changes > 0 {
            let others = self.bounds.versions.iter().filter(|v| **v != world.truth);
            out.extend(others.map(|v| Do::Change(*v)));
        }
        if world.truth != world.stored {
            out.push(Do::Poll);
        }
        self.attempts(world, out);
        for (n, timers) in (0u8..).zip(&world.timers) {
            out.extend((timers.remind && timers.elapsed >= 1).then_some(Do::Remind(n)));
            out.extend((timers.lapse && timers.elapsed >= 2).then_some(Do::Lapse(n)));
        }
        if world.timers.iter().any(|t| (t.remind || t.lapse) && t.elapsed < 2) {
            out.push(Do::Tick);
        }
        for (n, _) in (0u8..).zip(world.letters).filter(|(_, l)| l[0].arrived) {
            let words = WORDS[..self.bounds.words].iter();
            out.extend(words.map(|said| Do::Say { offer: n, said: *said, risk: false }));
            if self.bounds.risks {
                out.push(Do::Say { offer: n, said: PartnerSaid::Asked, risk: true });
            }
            out.push(Do::View(n));
        }
        if self.bounds.directory && world.matches == 0 && people::waits_for_a_directory(episode) {
            out.push(Do::Synced);
        }
        // Its answer is known by the receipt, once that is written down.
        for (n, filing) in (0u8..).zip(&episode.filings) {
            let handed = matches!(filing.status, FilingStatus::Handed | FilingStatus::Acknowledged);
            if handed && world.papers[usize::from(n)].with_carrier {
                out.extend([End::Handed, End::Taken, End::Refused].map(|end| Do::Carrier(n, end)));
            }
        }
        if self.bounds.coordinator {
            people::choices(episode, self.bounds.offers, out);
        }
    }

    fn attempts(&self, world: &World, out: &mut Vec<Do>) {
        if world.attempts[self.bounds.slots - 1].job == Job::None {
            let mails = (0..OFFERS as u8).flat_map(|o| (0..4).map(move |k| Job::Mail(o, k)));
            let files = (0..FILINGS as u8).map(Job::File);
            for job in [Job::Match, Job::Task].into_iter().chain(mails).chain(files) {
                let queued = world.queued(job);
                if queued > world.live(job) || (queued > 0 && self.bounds.doubles) {
                    out.push(Do::Begin(job));
                }
            }
        }
        for (slot, attempt) in world.attempts.iter().enumerate().filter(|(_, a)| a.job != Job::None) {
            out.push(Do::Crash(slot));
            match (attempt.job, attempt.phase) {
                (Job::Mail(..), Phase::Checked) => out.push(Do::Leaves(slot)),
                (Job::Mail(..), Phase::Leaves) => {
                    let ends = [
                        (End::Taken, true),
                        (End::Unknown, true),
                        (End::Unknown, false),
                        (End::Nothing, false),
                        (End::Refused, false),
                        (End::GivenUp, false),
                    ];
                    out.extend(ends.map(|(end, arrives)| Do::Act(slot, end, arrives)));
                }
                (Job::File(_), Phase::Checked) => {
                    out.extend([End::Taken, End::Refused].map(|end| Do::Act(slot, end, false)));
                    out.extend(self.bounds.carrier.then_some(Do::Act(slot, End::Handed, false)));
                }
                (Job::Task, Phase::Checked) => out.push(Do::Act(slot, End::Taken, false)),
                (Job::Match, _) if self.bounds.directory => {
                    out.extend([Do::Commit(slot), Do::CommitNoService(slot), Do::GiveUpMatching(slot)]);
                }
                _ => out.push(Do::Commit(slot)),
            }
        }
    }
}

/// Alerts that a step raised, for the promises.
pub(crate) fn raises(effects: &[Effect], alert: Alert) -> bool {
    effects.contains(&Effect::Alert(alert))
}
