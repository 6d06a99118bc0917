//! The stage: the world of a scenario, and each [`Op`] as something that happens in it.
//!
//! What people do goes the way that people go (pages, mails); the practice's staff write past their own server, so that a
//! fault of it meets only the service. A death is prepared before an op ([`Doom`]) and strikes in the middle of it: the op is
//! dropped where it stands, as a visitor's connection is, and so is everything that the process was doing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::Instant;
use wellbridge::demo::mail_catcher::{Door as MailDoor, MailFault};
use wellbridge::demo::practice::{self, PretendPractice};
use wellbridge::jobs;
use wellbridge::referral::episode::Episode;
use wellbridge::referral::{PracticeId, ReferralId};
use wellbridge::settings::deadlines::add_working_days;

use super::op::{Door, Edit, Fault, Moment, Op, To, Trouble, Who};
use super::queue;
use super::support::browser::Browser;
use super::support::record::Record;
use super::support::story::{Sent, Story};
use super::support::world::{DUTY, Plan, World};

/// How often we look whether the moment of a death has come.
const BLINK: Duration = Duration::from_millis(2);
/// Longer than anybody waits: the answer to a mail during which the process dies.
const NEVER: Duration = Duration::from_hours(1);
/// Nobody here is to be turned away.
const MANY: i64 = 1_000_000;

/// What lies before a process.
#[derive(Debug)]
struct Doom {
    moment: Moment,
    /// How many requests the practice had left without an answer, and how many mails had come, before.
    unanswered: usize,
    mails: usize,
}

/// Everything, and what is known of it.
pub(crate) struct Stage {
    pub(super) world: World,
    /// The practice's record in the hands of its staff.
    pub(super) staff: Record,
    pub(super) sent: RefCell<Vec<(Story, Sent)>>,
    /// Referrals about which a partner was told that its worry had been taken down.
    pub(super) worried: RefCell<BTreeSet<usize>>,
    pub(super) desk: Browser,
    pub(super) has_account: Cell<bool>,
    /// Grows with every report, so that no two say the same by chance.
    pub(super) reports: Cell<u8>,
    doom: Option<Doom>,
    /// What was done to the service, as the checker reads it.
    pub(super) disturbances: Vec<Value>,
    pub(super) deaths: usize,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let plan = Plan::usual()
            .set("limits.link_per_minute", MANY)
            .set("limits.visitor_per_minute", MANY)
            .set("limits.codes_per_hour", MANY)
            .set("limits.session_lasts", "1000 days");
        let world = plan.open().await;
        let staff = world.record.by_hand(world.pretend().clone());
        world.clock.advance(SignedDuration::from_hours(queue::AHEAD_HOURS));
        let desk = Browser::new(&world.base);
        let stage = Self {
            world,
            staff,
            sent: RefCell::default(),
            worried: RefCell::default(),
            desk,
            has_account: Cell::new(false),
            reports: Cell::new(0),
            doom: None,
            disturbances: Vec::new(),
            deaths: 0,
        };
        stage.time_passes(SignedDuration::ZERO).await;
        stage
    }

    /// One thing happens, and whatever follows from it now; or the process dies in the middle of that.
    pub(crate) async fn apply(&mut self, op: Op) {
        match op {
            Op::DiesAt(moment) => return self.prepare(moment),
            Op::Dies => return self.dies().await,
            Op::Restarts => return self.restarts().await,
            Op::DatabaseRestarts => {
                if !queue::cut(&self.world).await {
                    self.restarts().await;
                }
                return queue::drain(&self.world).await;
            }
            Op::MailMeets(_, Trouble::LostAfterArrival, _) => self.disturbed("lost after arrival", false),
            // What has left cannot be written down: for the next attempt it has not.
            Op::DatabaseRefuses(_) => self.disturbed("the database refuses", false),
            Op::Heals => self.heals().await,
            _ => {}
        }
        let died = {
            let doom = self.doom_strikes();
            tokio::select! {
                biased;
                () = doom => true,
                () = self.happens(op) => false,
            }
        };
        if died {
            self.dies().await;
        }
    }

    async fn happens(&self, op: Op) {
        match op {
            Op::Refers(who) => {
                let story = story(who);
                let sent = story.send(&self.staff).await;
                self.sent.borrow_mut().push((story, sent));
            }
            Op::Changes(nth, edit) => self.changes(nth, edit).await,
            Op::Polls => self.polls().await,
            Op::Says(nth, which, answer) => self.says(nth, which, answer, 1).await,
            Op::SaysTwice(nth, which, answer) => self.says(nth, which, answer, 2).await,
            Op::Does(nth, act) => self.does(nth, act).await,
            Op::MailMeets(to, trouble, times) => self.mail_meets(to, trouble, times),
            Op::MailIsAway => self.world.mail.set_door(MailDoor::Shut),
            Op::PracticeMeets(door, fault, times) => self.practice_meets(door, fault, times),
            Op::DatabaseRefuses(table) => queue::refuse(&self.world, table).await,
            Op::Minutes(minutes) => return self.time_passes(SignedDuration::from_mins(minutes.into())).await,
            Op::WorkingDays(days) => return self.working_days_pass(days).await,
            Op::Heals | Op::Restarts | Op::Dies | Op::DiesAt(_) | Op::DatabaseRestarts => {}
        }
        queue::drain(&self.world).await;
    }

    // ---- time ---------------------------------------------------------------------------------------------------------

    /// Time passes, and what was due in it is done at its end: the service may have been down all the while.
    pub(super) async fn time_passes(&self, by: SignedDuration) {
        self.world.clock.advance(by);
        self.world.service.store.bring_forward(self.world.clock.now()).await.unwrap();
        queue::drain(&self.world).await;
    }

    pub(super) async fn working_days_pass(&self, days: u8) {
        for _ in 0..days {
            let now = self.world.clock.now();
            let next = add_working_days(now, 1, &self.world.service.settings.bank_holidays);
            self.time_passes(next.duration_since(now) + SignedDuration::from_secs(1)).await;
        }
    }

    // ---- the practice -------------------------------------------------------------------------------------------------

    pub(super) fn practice(&self) -> &PretendPractice {
        self.world.pretend()
    }

    pub(super) async fn polls(&self) {
        jobs::poll_now(&self.world.service.store, &PracticeId::new("burton-croft")).await.unwrap();
        queue::drain(&self.world).await;
    }

    /// The referral that is meant, counted round; none where nobody was referred yet.
    pub(super) fn nth(&self, nth: u8) -> Option<(usize, Story, Sent)> {
        let sent = self.sent.borrow();
        let index = usize::from(nth) % sent.len().max(1);
        sent.get(index).map(|(story, sent)| (index, story.clone(), sent.clone()))
    }

    /// Where it stands, once the service knows it.
    pub(super) async fn episode(&self, sent: &Sent) -> Option<(ReferralId, Episode)> {
        let id = self.world.find(sent).await?;
        let standing = self.world.service.store.standing(id).await.unwrap();
        standing.map(|standing| (id, standing.episode))
    }

    async fn changes(&self, nth: u8, edit: Edit) {
        let Some((_, story, sent)) = self.nth(nth) else { return };
        let note = |words: &'static str| move |request: &mut Value| request["note"] = json!([{ "text": words }]);
        let status = |word: &'static str| move |resource: &mut Value| resource["status"] = word.into();
        let request = &sent.request;
        match edit {
            Edit::Words => {
                let words = "Lives alone and is lonely. Would like somebody to visit on a weekday afternoon.";
                self.staff.change("ServiceRequest", request, note(words)).await;
            }
            Edit::WordsUnsafe => {
                let words = "Lonely. Says her neighbour hits her and she is afraid to go home. Would like a visitor.";
                self.staff.change("ServiceRequest", request, note(words)).await;
            }
            Edit::TakenBack => drop(self.staff.change("ServiceRequest", request, status("revoked")).await),
            Edit::SentAgain => drop(self.staff.change("ServiceRequest", request, status("active")).await),
            Edit::ContactProhibited => {
                self.staff.change("ServiceRequest", request, prohibit).await;
            }
            Edit::SaysNo | Edit::SaysYes => {
                let word = if edit == Edit::SaysNo { "deny" } else { "permit" };
                if let Some(consent) = &sent.consent {
                    self.staff.change("Consent", consent, |consent| consent["provision"]["type"] = word.into()).await;
                }
            }
            Edit::Died => {
                self.staff.change("Patient", &sent.patient, |patient| patient["deceasedBoolean"] = true.into()).await;
            }
            Edit::AnotherNumber => {
                let other = if story.nhs_number == "9990300127" { "9990300003" } else { "9990300127" };
                let number = |patient: &mut Value| patient["identifier"][0]["value"] = other.into();
                self.staff.change("Patient", &sent.patient, number).await;
            }
            Edit::TaskCancelled => {
                // One that was cancelled before the service ever looked is nothing to it, and rightly so.
                if let (Some(task), Some(_)) = (&sent.task, self.episode(&sent).await) {
                    self.staff.change("Task", task, status("cancelled")).await;
                }
            }
        }
    }

    // ---- faults -------------------------------------------------------------------------------------------------------

    fn mail_meets(&self, to: To, trouble: Trouble, times: u8) {
        let address = match to {
            To::Anybody => "",
            To::Duty => DUTY,
        };
        let fault = match trouble {
            Trouble::NotNow => MailFault::AtRecipient(450),
            Trouble::NoSuchAddress => MailFault::AtRecipient(550),
            Trouble::FullAfterData => MailFault::AfterData(452),
            Trouble::RefusedAfterData => MailFault::AfterData(554),
            Trouble::Closing => MailFault::AfterData(421),
            Trouble::Lost => MailFault::LostUnkept,
            Trouble::LostAfterArrival => MailFault::LostKept,
        };
        self.world.mail.fail_next(times.into(), address, fault);
    }

    fn practice_meets(&self, door: Door, fault: Fault, times: u8) {
        let doors: &[(Method, &str)] = match door {
            Door::Searching => &[(Method::POST, "/ServiceRequest"), (Method::POST, "/Task")],
            Door::Reading => &[(Method::GET, "")],
            Door::WritingTask => &[(Method::PUT, "/Task"), (Method::POST, "/Task")],
            Door::Filing => &[(Method::POST, "/")],
        };
        let fault = match fault {
            Fault::Away => practice::Fault::status(503),
            Fault::TooMany => practice::Fault::too_many_requests(600),
            Fault::Broken => practice::Fault::status(500),
            Fault::NotAllowed => practice::Fault::status(401),
            Fault::Conflict => practice::Fault::status(409),
            Fault::Moved => practice::Fault::status(412),
            Fault::Refused => practice::Fault::status(422),
            Fault::LoginPage => practice::Fault::Html,
            Fault::HalfAnAnswer => practice::Fault::TruncatedJson,
            Fault::CutBefore => practice::Fault::DropBefore,
            Fault::CutAfter => practice::Fault::DropAfter,
        };
        for (method, path) in doors {
            self.practice().fail_next(times.into(), method.clone(), path, fault.clone());
        }
    }

    /// Everything around the service is well from now on.
    pub(super) async fn heals(&mut self) {
        self.peers_heal();
        queue::mend(&self.world).await;
    }

    fn peers_heal(&mut self) {
        self.doom = None;
        self.practice().heal();
        self.world.mail.heal();
        let now = self.world.clock.now().as_millisecond();
        for disturbance in self.disturbances.iter_mut().filter(|one| one["until"].is_null()) {
            disturbance["until"] = now.into();
        }
    }

    /// Something is done to the service: now and at once, or until it heals.
    fn disturbed(&mut self, what: &str, at_once: bool) {
        let now = self.world.clock.now().as_millisecond();
        let until = if at_once { json!(now) } else { Value::Null };
        self.disturbances.push(json!({ "at": now, "until": until, "what": what }));
    }

    // ---- death --------------------------------------------------------------------------------------------------------

    /// From here on the process has this death before it; one at a time.
    fn prepare(&mut self, moment: Moment) {
        let (before, after) = (practice::Fault::HangBefore, practice::Fault::HangAfter);
        if self.doom.is_some() {
            return;
        }
        let door = match moment {
            Moment::Searching => Some((Method::POST, "/ServiceRequest", before)),
            Moment::Reading => Some((Method::GET, "", before)),
            Moment::TaskUnwritten => Some((Method::PUT, "/Task", before)),
            Moment::TaskWritten => Some((Method::PUT, "/Task", after)),
            Moment::Unfiled => Some((Method::POST, "/", before)),
            Moment::Filed => Some((Method::POST, "/", after)),
            Moment::MailArrived => {
                self.world.mail.fail_next(1, "", MailFault::Slow(NEVER));
                None
            }
            Moment::After(_) => None,
        };
        if let Some((method, path, fault)) = door {
            self.practice().fail_next(1, method, path, fault);
        }
        self.doom = Some(Doom { moment, unanswered: self.unanswered(), mails: self.world.mail.mails().len() });
    }

    fn unanswered(&self) -> usize {
        self.practice().asked().iter().filter(|asked| asked.status.is_none()).count()
    }

    /// Returns at the moment of death; never where none lies ahead.
    async fn doom_strikes(&self) {
        let Some(doom) = &self.doom else { return std::future::pending().await };
        let began = Instant::now();
        loop {
            let has_come = match doom.moment {
                Moment::After(milliseconds) => began.elapsed() >= Duration::from_millis(milliseconds.into()),
                // Any mail: the slow one is the next that comes.
                Moment::MailArrived => self.world.mail.mails().len() > doom.mails,
                _ => self.unanswered() > doom.unanswered,
            };
            if has_come {
                return;
            }
            tokio::time::sleep(BLINK).await;
        }
    }

    /// `kill -9`, and somebody starts it again.
    async fn dies(&mut self) {
        self.deaths += 1;
        self.world.dies().await;
        self.disturbed("kill", true);
        // What hung in the dead process hangs no more; and so that nothing hangs for ever, other faults of the two are over.
        self.peers_heal();
        queue::cut(&self.world).await;
        self.world.rises().await;
        queue::bury(&self.world).await;
        queue::drain(&self.world).await;
    }

    async fn restarts(&mut self) {
        // What hangs now would hold up an end in good order.
        if self.doom.is_some() {
            self.peers_heal();
        }
        self.world.stop().await;
        self.world.rises().await;
        queue::drain(&self.world).await;
    }
}

fn prohibit(request: &mut Value) {
    let system = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes";
    let detail = json!({ "coding": [{ "system": system, "code": "contacting-subject-prohibited" }] });
    match request["orderDetail"].as_array_mut() {
        Some(details) => details.push(detail),
        None => request["orderDetail"] = json!([detail]),
    }
}

fn story(who: Who) -> Story {
    match who {
        Who::Lonely => Story::lonely(),
        Who::LonelyToo => Story::lonely_too(),
        Who::WithTask => Story::lonely().with_task(),
        Who::CodesOnly => Story::lonely_too().sharing(Some("codes-only")),
        Who::SharesNothing => Story::lonely().sharing(Some("nothing")),
        Who::Unsafe => Story::unsafe_at_home(),
        Who::NotToBeContacted => Story::lonely_too().nobody_may_contact(),
        Who::WithoutConsent => Story::lonely().without_consent(),
    }
}
