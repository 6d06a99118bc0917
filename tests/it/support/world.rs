//! The world of a scenario: a practice's FHIR server, a mail server, a directory and the service between them, all real,
//! on loopback and free ports, under a clock that stands still until the story moves it.
//!
//! The helpers read like a story; behind each is what the outside would do (FHIR, SMTP, a browser), never a shortcut
//! through the service's own functions, but where the story needs a coordinator's hand long before her desk is the
//! matter (confirming partners). The queue is drained by looking at it, never by waiting a while.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use riverqueue::RunHandle;
use serde_json::Value;
use sqlx::Connection as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toml::Table;
use wellbridge::clock::Clock;
use wellbridge::demo::mail_catcher::{CaughtMail, MailCatcher};
use wellbridge::demo::practice::PretendPractice;
use wellbridge::desk::accounts;
use wellbridge::referral::episode::{Episode, Offer};
use wellbridge::referral::event::Event;
use wellbridge::referral::{PartnerId, PracticeId, ProgrammeId, ReferralId, UserId};
use wellbridge::service::{Wellbridge, assemble};
use wellbridge::settings::deadlines::add_working_days;
use wellbridge::settings::{ConfigFile, LoadFrom, Settings};
use wellbridge::store::{Confirmation, ListFilter};
use wellbridge::{jobs, random, web};

use super::browser::Browser;
use super::city;
use super::database::Database;
use super::peers::{Medplum, PATIENCE, judged};
use super::record::Record;
use super::story::{OUR_CODE, Sent, Story};
use super::wire::Wire;

/// The duty addresses of the world's programme.
pub(crate) const DUTY: &str = "duty@leeds.example";
pub(crate) const SECOND_DUTY: &str = "lead@leeds.example";

/// What a world is to be made of; everything has a usual value.
#[derive(Debug)]
pub(crate) struct Plan {
    settings: Table,
    feed: Vec<Value>,
    confirmed: bool,
    overheard: bool,
}

impl Plan {
    /// A programme that lets the machine ask for befriending, with every partner confirmed.
    pub(crate) fn usual() -> Self {
        let (system, value) = OUR_CODE;
        let text = format!(
            r#"
            [web]
            listen = "127.0.0.1:0"
            [mail]
            host = "127.0.0.1"
            tls = "none"
            from = "Leeds Wellbeing <referrals@leeds.example>"
            answer_timeout = "5 s"
            [programmes.leeds]
            name = "Leeds Wellbeing Coordinators"
            phone = "0113 496 0100"
            mode = "auto"
            auto_needs = ["befriending", "social-groups"]
            signed_off_by = "Dr A. Example, clinical safety officer"
            duty_address = "{DUTY}"
            second_duty_address = "{SECOND_DUTY}"
            [practices.burton-croft]
            name = "Burton Croft Surgery"
            programme = "leeds"
            organisation = "{system}|{value}"
            # Real servers stamp changes with the real time while a story's clock runs ahead of it.
            overlap = "60 days"
            [directory.feeds.city]
            kind = "file"
            "#
        );
        Self { settings: text.parse().unwrap(), feed: city::feed(), confirmed: true, overheard: false }
    }

    /// Sets one value: `programmes.leeds.max_tries`.
    pub(crate) fn set(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        set(&mut self.settings, key, value.into());
        self
    }

    /// A coordinator approves everything.
    pub(crate) fn propose(mut self) -> Self {
        let programme = self.settings["programmes"]["leeds"].as_table_mut().unwrap();
        programme.remove("auto_needs");
        programme.remove("signed_off_by");
        self.set("programmes.leeds.mode", "propose")
    }

    /// Another directory.
    pub(crate) fn feed(self, feed: Vec<Value>) -> Self {
        Self { feed, ..self }
    }

    /// Nobody has confirmed a partner yet.
    pub(crate) fn nobody_confirmed(self) -> Self {
        Self { confirmed: false, ..self }
    }

    /// With somebody who listens on the wire between the service and the practice.
    pub(crate) fn overheard(self) -> Self {
        Self { overheard: true, ..self }
    }

    /// Opens the world on the pretend practice.
    pub(crate) async fn open(self) -> World {
        let clock = story_clock();
        let practice = PretendPractice::start(clock.clone()).await.unwrap();
        let base = practice.base_url().to_owned();
        World::open(self, clock, &base, Practice::Pretend(practice)).await
    }

    /// Opens it on Medplum's server; `None` where that is not installed.
    pub(crate) async fn open_on_medplum(self) -> Option<World> {
        let medplum = Medplum::start().await?;
        let base = medplum.base_url().to_owned();
        Some(World::open(self, story_clock(), &base, Practice::Medplum(medplum)).await)
    }
}

/// Two hours ahead of the machine's: what is due in the story is never due for the queue by itself.
fn story_clock() -> Clock {
    Clock::fixed(Clock::System.now() + SignedDuration::from_hours(2))
}

#[derive(Debug)]
enum Practice {
    Pretend(PretendPractice),
    Medplum(#[expect(dead_code, reason = "held for its drop")] Medplum),
}

/// A process's worth of service.
struct Running {
    jobs: RunHandle,
    pages: JoinHandle<std::io::Result<()>>,
    stop: CancellationToken,
}

/// Everything, running.
pub(crate) struct World {
    pub(crate) service: Arc<Wellbridge>,
    pub(crate) record: Record,
    /// What was asked of the practice, where somebody listens.
    pub(crate) wire: Option<Wire>,
    pub(crate) mail: MailCatcher,
    pub(crate) clock: Clock,
    /// Where the service's pages are.
    pub(crate) base: String,
    practice: Practice,
    settings: Table,
    directory: PathBuf,
    /// On PostgreSQL, where this run of the tests is on it.
    database: Option<Database>,
    running: Option<Running>,
    /// Others on the same database.
    replicas: Vec<(Arc<Wellbridge>, Running)>,
}

impl World {
    async fn open(plan: Plan, clock: Clock, fhir: &str, practice: Practice) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("world-{}", random::uuid()));
        std::fs::create_dir_all(&directory).unwrap();
        let feed = directory.join("feed.json");
        std::fs::write(&feed, Value::Array(plan.feed).to_string()).unwrap();
        let mail = MailCatcher::start(clock.clone()).await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut settings = plan.settings;
        set(&mut settings, "data_dir", directory.to_str().unwrap().into());
        set(&mut settings, "web.public_url", base.clone().into());
        set_default(&mut settings, "practices.burton-croft.fhir", fhir.into());
        set_default(&mut settings, "mail.port", i64::from(mail.address().port()).into());
        if settings["directory"]["feeds"]["city"]["kind"].as_str() == Some("file") {
            set(&mut settings, "directory.feeds.city.path", feed.to_str().unwrap().into());
        }
        let record = Record::open(fhir).await;
        let wire = if plan.overheard { Some(Wire::tap(fhir).await) } else { None };
        if let Some(wire) = &wire {
            set(&mut settings, "practices.burton-croft.fhir", wire.base().into());
        }
        let database = Database::new().await;
        if let Some(database) = &database {
            set(&mut settings, "database.url", database.url().into());
            set(&mut settings, "web.link_key", "what every replica of this world makes links from".into());
        }
        let (service, running) = start(&settings, &clock, listener).await;
        let running = Some(running);
        let replicas = Vec::new();
        let mut world = Self {
            service,
            record,
            wire,
            mail,
            clock,
            base,
            practice,
            settings,
            directory,
            database,
            running,
            replicas,
        };
        world.drain().await;
        if plan.confirmed {
            for partner in city::PARTNERS {
                world.confirm(partner).await;
            }
        }
        world.drain().await;
        world
    }

    /// The pretend practice, where the world has it.
    pub(crate) fn pretend(&self) -> &PretendPractice {
        match &self.practice {
            Practice::Pretend(practice) => practice,
            Practice::Medplum(_) => panic!("this scenario is for the pretend practice"),
        }
    }

    // ---- the GP --------------------------------------------------------------------------------------------------

    /// The GP writes a referral, and the service looks.
    pub(crate) async fn gp_sends(&self, story: &Story) -> Sent {
        let sent = story.send(&self.record).await;
        self.poll().await;
        sent
    }

    /// The GP takes the referral back, and the service looks.
    pub(crate) async fn gp_withdraws(&self, sent: &Sent) {
        self.record.change("ServiceRequest", &sent.request, |request| request["status"] = "revoked".into()).await;
        self.poll().await;
    }

    /// The service looks at the practice at once, and does what follows.
    pub(crate) async fn poll(&self) {
        jobs::poll_now(&self.service.store, &PracticeId::new("burton-croft")).await.unwrap();
        self.drain().await;
    }

    // ---- time ----------------------------------------------------------------------------------------------------

    /// Waits until nothing is left to be done now.
    pub(crate) async fn drain(&self) {
        let drained = async {
            // The queue has no bell for "empty"; looking costs a tenth of a millisecond.
            while self.service.store.jobs_waiting().await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, drained).await.expect("the queue does not drain");
    }

    /// Time passes, and what was due in it is done.
    pub(crate) async fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
        self.service.store.bring_forward(self.clock.now()).await.unwrap();
        self.drain().await;
    }

    /// How long the next attempt of a job of this kind waits.
    pub(crate) async fn next_try(&self, kind: &str) -> Duration {
        const SQLITE: &str = "select cast(round((julianday(scheduled_at) - julianday('now')) * 86400) as bigint)
            from river_job where kind = $1 and state = 'retryable' order by scheduled_at limit 1";
        const POSTGRES: &str = "select cast(round(extract(epoch from scheduled_at - now())) as bigint)
            from river_job where kind = $1 and cast(state as text) = 'retryable' order by scheduled_at limit 1";
        Duration::from_secs(self.look(SQLITE, POSTGRES, &[kind]).await.unsigned_abs())
    }

    /// How many jobs of this kind are in this state.
    pub(crate) async fn jobs_of(&self, kind: &str, state: &str) -> i64 {
        const COUNT: &str = "select count(*) from river_job where kind = $1 and cast(state as text) = $2";
        self.look(COUNT, COUNT, &[kind, state]).await
    }

    /// The number that a query answers, past the service.
    async fn look(&self, sqlite: &'static str, postgres: &'static str, with: &[&str]) -> i64 {
        if let Some(database) = &self.database {
            let mut connection = sqlx::PgConnection::connect(&database.url()).await.unwrap();
            let query = with.iter().fold(sqlx::query_scalar(postgres), |query, value| query.bind(*value));
            return query.fetch_one(&mut connection).await.unwrap();
        }
        let file = self.directory.join("wellbridge.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let query = with.iter().fold(sqlx::query_scalar(sqlite), |query, value| query.bind(*value));
        query.fetch_one(&mut connection).await.unwrap()
    }

    /// Working days pass, one after the other.
    pub(crate) async fn advance_working_days(&self, days: u8) {
        for _ in 0..days {
            let now = self.clock.now();
            let next = add_working_days(now, 1, &self.service.settings.bank_holidays);
            self.advance(next.duration_since(now) + SignedDuration::from_secs(1)).await;
        }
    }

    /// The process ends and starts again on the same files.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.base.trim_start_matches("http://")).await.unwrap();
        let (service, running) = start(&self.settings, &self.clock, listener).await;
        self.service = service;
        self.running = Some(running);
        self.drain().await;
    }

    /// Whether other replicas could share this world's database.
    pub(crate) fn is_shared(&self) -> bool {
        self.database.is_some()
    }

    /// Another process on the same database, with pages of its own.
    pub(crate) async fn another_replica(&mut self) -> Arc<Wellbridge> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (service, running) = start(&self.settings, &self.clock, listener).await;
        self.replicas.push((Arc::clone(&service), running));
        service
    }

    /// The process ends in good order, and so do the others.
    pub(crate) async fn stop(&mut self) {
        for (service, running) in self.replicas.drain(..) {
            end(&service, running).await;
        }
        if let Some(running) = self.running.take() {
            end(&self.service, running).await;
        }
    }

    // ---- what is known -------------------------------------------------------------------------------------------

    /// Our id of a referral; `None` where it was never taken in.
    pub(crate) async fn find(&self, sent: &Sent) -> Option<ReferralId> {
        let all = self.service.store.list(&ListFilter::default()).await.unwrap();
        all.into_iter().find(|row| row.request == sent.request).map(|row| row.id)
    }

    /// Our id of a referral that was taken in.
    pub(crate) async fn id(&self, sent: &Sent) -> ReferralId {
        self.find(sent).await.expect("the referral was never taken in")
    }

    /// Where it stands.
    pub(crate) async fn episode(&self, sent: &Sent) -> Episode {
        self.service.store.standing(self.id(sent).await).await.unwrap().unwrap().episode
    }

    /// Its state in one word.
    pub(crate) async fn state(&self, sent: &Sent) -> &'static str {
        self.episode(sent).await.state().as_str()
    }

    /// What happened to it.
    pub(crate) async fn events(&self, sent: &Sent) -> Vec<Event> {
        let events = self.service.store.events(self.id(sent).await).await.unwrap();
        events.into_iter().map(|recorded| recorded.event).collect()
    }

    /// The offer that waits for an answer, or is being worked on.
    pub(crate) async fn open_offer(&self, sent: &Sent) -> Offer {
        let episode = self.episode(sent).await;
        let open: Vec<&Offer> = episode.offers.iter().filter(|offer| !offer.status.is_final()).collect();
        assert_eq!(open.len(), 1, "one open offer is expected: {:?}", episode.offers);
        open[0].clone()
    }

    /// The partner of an offer, as the city names it.
    pub(crate) fn partner_of(offer: &Offer) -> String {
        offer.partner.as_str().trim_end_matches("-trust").to_owned()
    }

    /// The mails that a partner got, of one kind (a word of the subject or of `X-…`; empty for all).
    pub(crate) fn mails_to_partner(&self, partner: &str) -> Vec<CaughtMail> {
        self.mail.mails_to(&city::mailbox(partner))
    }

    /// The mails to any partner.
    pub(crate) fn mails_to_partners(&self) -> Vec<CaughtMail> {
        city::PARTNERS.iter().flat_map(|partner| self.mails_to_partner(partner)).collect()
    }

    /// The offer's mail as the partner got it.
    pub(crate) fn offer_mail(&self, offer: &Offer) -> CaughtMail {
        let id = format!("{}.offer.1@", offer.id.uuid().simple());
        let mails = self.mails_to_partner(&Self::partner_of(offer));
        let found: Vec<_> =
            mails.into_iter().filter(|m| m.message_id.as_deref().is_some_and(|m| m.starts_with(&id))).collect();
        assert_eq!(found.len(), 1, "one mail for one offer");
        found.into_iter().next().unwrap()
    }

    /// A partner before her mail about an offer.
    pub(crate) fn partner(&self, offer: &Offer) -> Partner<'_> {
        let mail = self.offer_mail(offer);
        Partner { world: self, browser: Browser::new(&self.base), link: link_in(&mail), name: Self::partner_of(offer) }
    }

    /// A coordinator at her desk, signed in.
    pub(crate) async fn coordinator(&self) -> Coordinator<'_> {
        let (store, settings, now) = (&self.service.store, &self.service.settings, self.clock.now());
        let programmes = vec![ProgrammeId::new("leeds")];
        accounts::add(store, settings, "jo", "Jo Field", PASSWORD, programmes, now).await.unwrap();
        let browser = Browser::new(&self.base);
        let page = browser.open("/desk/sign-in").await;
        let desk = browser.submit(&page, "/sign-in", &[("user", "jo"), ("password", PASSWORD)]).await;
        assert!(desk.status.is_success() && desk.path.starts_with("/desk"), "{}", desk.html);
        Coordinator { world: self, browser }
    }

    /// A coordinator confirmed the partner's address and agreement.
    pub(crate) async fn confirm(&mut self, partner: &str) {
        let programme = ProgrammeId::new("leeds");
        let (id, name) = (PartnerId::new(format!("{partner}-trust")), format!("{partner} trust"));
        let (by, now) = (UserId::new("jo"), self.clock.now());
        let mut tx = self.service.store.begin().await.unwrap();
        let email = city::mailbox(partner);
        let confirmed = Confirmation { name: &name, email: &email, agreement: "takes referrals by email", by: &by };
        tx.confirm_partner(&programme, &id, &confirmed, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Ends the story: the ledger adds up, what is in the practice's record is sound FHIR, and the process ends in order.
    pub(crate) async fn ends_well(mut self) {
        self.drain().await;
        let verified = self.service.store.verify(|_, _| {}).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
        let mut written = Vec::new();
        for kind in ["Task", "Observation", "DocumentReference", "Procedure", "Provenance", "Communication"] {
            written.extend(self.record.all(kind).await);
        }
        if let Some(problems) = judged(&written) {
            assert!(problems.is_empty(), "{problems:?}");
        }
        self.stop().await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A leftover folder under target/ does no harm.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

const PASSWORD: &str = "three random words";

/// A Wellbeing Coordinator at her desk.
pub(crate) struct Coordinator<'a> {
    world: &'a World,
    pub(crate) browser: Browser,
}

impl Coordinator<'_> {
    /// Opens a referral.
    pub(crate) async fn opens(&self, sent: &Sent) -> super::browser::Page {
        let page = self.browser.open(&format!("/desk/referral/{}", self.world.id(sent).await)).await;
        assert!(page.status.is_success(), "{}", page.html);
        page
    }

    /// "Approve: ask them."
    pub(crate) async fn approves(&self, sent: &Sent) {
        let page = self.opens(sent).await;
        self.browser.submit(&page, "/offer", &[]).await;
        self.world.drain().await;
    }

    /// Asks a service of her own choice.
    pub(crate) async fn asks(&self, sent: &Sent, need: &str, partner: &str) {
        let id = self.world.id(sent).await;
        let page =
            self.browser.open(&format!("/desk/referral/{id}/offer?need={need}&service={partner}-befriending")).await;
        self.browser.submit(&page, "/offer", &[]).await;
        self.world.drain().await;
    }
}

/// Somebody at a charity who reads her mail and has a browser.
pub(crate) struct Partner<'a> {
    world: &'a World,
    pub(crate) browser: Browser,
    pub(crate) link: String,
    pub(crate) name: String,
}

impl Partner<'_> {
    /// "Yes, we can help."
    pub(crate) async fn accepts(&self) {
        let page = self.browser.open(&self.link).await;
        self.browser.submit(&page, "/yes", &[]).await;
        self.world.drain().await;
    }

    /// Says yes where the page still asks.
    pub(crate) async fn accepts_if_asked(&self) {
        let page = self.browser.open(&self.link).await;
        if page.form("/yes").is_some() {
            self.browser.submit(&page, "/yes", &[]).await;
        }
        self.world.drain().await;
    }

    /// "No, not this time", for a coded reason.
    pub(crate) async fn declines(&self, reason: &str, words: &str) {
        let page = self.browser.open(&format!("{}/no", self.link)).await;
        self.browser.submit(&page, "/no", &[("reason", reason), ("words", words)]).await;
        self.world.drain().await;
    }

    /// Tells how it goes: `started`, `finished`, …
    pub(crate) async fn tells(&self, what: &str, fields: &[(&str, &str)]) {
        let page = self.browser.open(&format!("{}/tell/{what}", self.link)).await;
        let answer = self.browser.submit(&page, &format!("/tell/{what}"), fields).await;
        assert!(answer.status.is_success(), "{what}: {} {}", answer.status, answer.html);
        self.world.drain().await;
    }

    /// Asks for a code, reads it in the mail, types it in, and sees what is then shown.
    pub(crate) async fn opens_the_person(&self) -> super::browser::Page {
        let before = self.world.mails_to_partner(&self.name).len();
        let page = self.browser.open(&self.link).await;
        let page = if page.form("/code").is_some() {
            self.browser.submit(&page, "/code", &[]).await
        } else {
            return page;
        };
        self.world.drain().await;
        let mails = self.world.mails_to_partner(&self.name);
        let Some(mail) = mails.get(before) else { return page };
        let code = code_in(mail.text.as_deref().unwrap());
        self.browser.submit(&page, "/open", &[("code", &code)]).await
    }
}

/// The link of an offer's mail.
pub(crate) fn link_in(mail: &CaughtMail) -> String {
    let text = mail.text.as_deref().expect("the mail has a text part");
    let links = text.split_whitespace().filter(|word| word.contains("/answer/"));
    let link = links.map(|word| word.trim_matches(['<', '>', '.', '(', ')'])).find(|word| !word.ends_with("/no"));
    link.unwrap_or_else(|| panic!("no link in:\n{text}")).to_owned()
}

/// The six digits of a code's mail (`123 456`).
fn code_in(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let three = |word: &str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
    let pair = words.windows(2).find(|pair| three(pair[0]) && three(pair[1]));
    pair.unwrap_or_else(|| panic!("no code in:\n{text}")).concat()
}

async fn end(service: &Wellbridge, mut running: Running) {
    running.stop.cancel();
    running.jobs.stop().await.unwrap();
    tokio::time::timeout(PATIENCE, running.pages).await.expect("the pages do not end").unwrap().unwrap();
    service.store.close().await;
}

async fn start(settings: &Table, clock: &Clock, listener: TcpListener) -> (Arc<Wellbridge>, Running) {
    let from = LoadFrom { file: ConfigFile::Text(settings.to_string()), env: std::collections::BTreeMap::new() };
    let settings = Settings::load(&from).unwrap_or_else(|error| panic!("{error}"));
    let parts = assemble::parts(settings, clock.clone()).await.unwrap_or_else(|error| panic!("{error}"));
    let service = Arc::new(Wellbridge::new(parts).await.unwrap());
    let jobs = jobs::start(&service).await.unwrap_or_else(|error| panic!("{error}"));
    let stop = CancellationToken::new();
    let pages = tokio::spawn(web::serve(listener, Arc::clone(&service), stop.clone().cancelled_owned()));
    (service, Running { jobs, pages, stop })
}

fn set(table: &mut Table, key: &str, value: toml::Value) {
    let (path, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut at = table;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let inner = at.entry(part).or_insert_with(|| Table::new().into());
        at = inner.as_table_mut().unwrap();
    }
    at.insert(last.to_owned(), value);
}

fn set_default(table: &mut Table, key: &str, value: toml::Value) {
    let mut parts = key.split('.');
    let first = parts.next().unwrap();
    let found = parts.fold(table.get(first), |at, part| at.and_then(|at| at.get(part)));
    if found.is_none() {
        set(table, key, value);
    }
}

/// Milliseconds are all that the ledger keeps.
#[expect(dead_code, reason = "for scenarios that compare times")]
pub(crate) fn floor(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap()
}
