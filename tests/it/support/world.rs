//! The world of a scenario: a practice's FHIR server, a mail server, a directory and the service between them, all real,
//! on loopback and free ports, under a clock that stands still until the story moves it.
//!
//! The helpers read like a story; behind each is what the outside would do (FHIR, SMTP, a browser), never a shortcut
//! through the service's own functions, but where the story needs a coordinator's hand long before her desk is the
//! matter (confirming partners). The queue is drained by looking at it, never by waiting a while.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use riverqueue::RunHandle;
use serde_json::Value;
use sqlx::Connection as _;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toml::Table;
use wellbridge::clock::Clock;
use wellbridge::demo::mail_catcher::{CaughtMail, MailCatcher};
use wellbridge::demo::practice::PretendPractice;
use wellbridge::referral::episode::{Episode, Offer};
use wellbridge::referral::event::Event;
use wellbridge::referral::{PartnerId, PracticeId, ProgrammeId, ReferralId, UserId};
use wellbridge::service::{Wellbridge, assemble};
use wellbridge::settings::deadlines::add_working_days;
use wellbridge::settings::{ConfigFile, LoadFrom, Settings};
use wellbridge::store::{Confirmation, ListFilter};
use wellbridge::{jobs, random, web};

use super::city;
use super::database::Database;
use super::peers::{Medplum, PATIENCE, judged};
use super::plan::{Prepared, set, set_default};
use super::proxy::Proxy;
use super::record::Record;
use super::story::{Sent, Story};
use super::terminal::{Ended, wellbridge};
use super::wire::Wire;

pub(crate) use super::people::Partner;
pub(crate) use super::plan::{DUTY, Plan, SECOND_DUTY};

/// Two hours ahead of the machine's: what is due in the story is never due for the queue by itself.
pub(super) fn story_clock() -> Clock {
    Clock::fixed(Clock::System.now() + SignedDuration::from_hours(2))
}

#[derive(Debug)]
pub(super) enum Practice {
    Pretend(PretendPractice),
    Medplum(#[expect(dead_code, reason = "held for its drop")] Medplum),
}

/// A process's worth of service.
struct Running {
    jobs: RunHandle,
    pages: JoinHandle<std::io::Result<()>>,
    stop: CancellationToken,
    life: Life,
}

/// The runtime that a service has to itself, so that it can die as a process does: all of it, at once, wherever it stands.
struct Life(Option<Runtime>);

impl Life {
    fn new() -> Self {
        Self(Some(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()))
    }

    /// Returns when nothing of it moves any more.
    async fn ends(&mut self) {
        let runtime = self.0.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The lines to the servers of a world.
pub(crate) struct Lines {
    pub(crate) practice: Proxy,
    pub(crate) mail: Proxy,
}

/// Everything, running.
pub(crate) struct World {
    pub(crate) service: Arc<Wellbridge>,
    pub(crate) record: Record,
    /// What was asked of the practice, where somebody listens.
    pub(crate) wire: Option<Wire>,
    /// The lines to the practice and to the mail server, where they can go bad.
    pub(crate) lines: Option<Lines>,
    pub(crate) mail: MailCatcher,
    pub(crate) clock: Clock,
    /// Where the service's pages are.
    pub(crate) base: String,
    practice: Practice,
    settings: Table,
    prepared: Prepared,
    directory: PathBuf,
    /// On PostgreSQL, where this run of the tests is on it.
    database: Option<Database>,
    running: Option<Running>,
    /// Others on the same database.
    replicas: Vec<(Arc<Wellbridge>, Running)>,
}

impl Lines {
    fn before(fhir: &str, mail: std::net::SocketAddr) -> Self {
        let practice = fhir.split('/').nth(2).unwrap().parse().unwrap();
        Self { practice: Proxy::before(practice), mail: Proxy::before(mail) }
    }
}

impl World {
    pub(super) async fn open(plan: Plan, clock: Clock, fhir: &str, practice: Practice) -> Self {
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
        let wire = if plan.overheard { Some(Wire::tap(fhir, plan.practice_clock).await) } else { None };
        if let Some(wire) = &wire {
            set(&mut settings, "practices.burton-croft.fhir", wire.base().into());
        }
        let lines = if plan.bad_lines { Some(Lines::before(fhir, mail.address())) } else { None };
        if let Some(lines) = &lines {
            set(&mut settings, "practices.burton-croft.fhir", lines.practice.base_for(fhir).into());
            set(&mut settings, "mail.port", i64::from(lines.mail.port()).into());
        }
        let database = Database::new().await;
        if let Some(database) = &database {
            set(&mut settings, "database.url", database.url().into());
            set(&mut settings, "web.link_key", "what every replica of this world makes links from".into());
        }
        let prepared = plan.prepared;
        let (service, running) = start(&settings, &prepared, &clock, listener).await;
        let running = Some(running);
        let replicas = Vec::new();
        let mut world = Self {
            service,
            record,
            wire,
            lines,
            mail,
            clock,
            base,
            practice,
            settings,
            prepared,
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

    /// Runs on until nothing is left that is due by the story's clock, what failed and is to be tried again included.
    pub(crate) async fn runs_on(&self) {
        let quiet = async {
            loop {
                // In this order: while nothing runs, nothing comes to be tried again.
                let at_rest = self.service.store.jobs_waiting().await.unwrap() == 0;
                let due = self.service.store.bring_forward(self.clock.now()).await.unwrap();
                if at_rest && due == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        };
        tokio::time::timeout(PATIENCE, quiet).await.expect("it does not come to rest");
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

    /// How many attempts of jobs of this kind failed.
    pub(crate) async fn failures_of(&self, kind: &str) -> i64 {
        const SQLITE: &str = "select cast(coalesce(sum(json_array_length(coalesce(errors, '[]'))), 0) as bigint)
            from river_job where kind = $1";
        const POSTGRES: &str = "select cast(coalesce(sum(coalesce(array_length(errors, 1), 0)), 0) as bigint)
            from river_job where kind = $1";
        self.look(SQLITE, POSTGRES, &[kind]).await
    }

    /// How often jobs of this kind found that it was not their turn yet.
    pub(crate) async fn waited(&self, kind: &str) -> i64 {
        const SQLITE: &str = "select cast(coalesce(sum(json_extract(metadata, '$.snoozes')), 0) as bigint)
            from river_job where kind = $1";
        const POSTGRES: &str = "select cast(coalesce(sum(cast(metadata ->> 'snoozes' as bigint)), 0) as bigint)
            from river_job where kind = $1";
        self.look(SQLITE, POSTGRES, &[kind]).await
    }

    /// The number that a query answers, past the service.
    async fn look(&self, sqlite: &'static str, postgres: &'static str, with: &[&str]) -> i64 {
        if let Some(database) = &self.database {
            let mut connection = sqlx::PgConnection::connect(&database.url()).await.unwrap();
            let query = with.iter().fold(sqlx::query_scalar(postgres), |query, value| query.bind(*value));
            return query.fetch_one(&mut connection).await.unwrap();
        }
        let query = with.iter().fold(sqlx::query_scalar(sqlite), |query, value| query.bind(*value));
        query.fetch_one(&mut self.file().await).await.unwrap()
    }

    async fn file(&self) -> sqlx::SqliteConnection {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.directory.join("wellbridge.sqlite"));
        sqlx::ConnectOptions::connect(&options.busy_timeout(PATIENCE)).await.unwrap()
    }

    /// A statement past the store, beside the running service: plants (and mends) a fault that only a database has.
    pub(crate) async fn past_the_store(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.database {
            Some(database) => {
                let mut connection = sqlx::PgConnection::connect(&database.url()).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            None => {
                sqlx::raw_sql(sql).execute(&mut self.file().await).await.unwrap();
            }
        }
    }

    /// From now on the database takes no row into `table` whose body is like this.
    pub(crate) async fn takes_no_more(&self, table: &str, like: &str) {
        let sql = match self.database {
            None => format!(
                "create trigger broken before insert on {table} when new.body like '{like}'
                 begin select raise(abort, 'disk I/O error'); end"
            ),
            Some(_) => format!(
                "create function broken() returns trigger language plpgsql as
                 $$ begin raise exception 'disk I/O error'; end $$;
                 create trigger broken before insert on {table} for each row when (new.body like '{like}')
                 execute function broken()"
            ),
        };
        self.past_the_store(&sql).await;
    }

    /// The database is well again.
    pub(crate) async fn takes_again(&self, table: &str) {
        let sql = match self.database {
            None => "drop trigger broken".to_owned(),
            Some(_) => format!("drop trigger broken on {table}; drop function broken()"),
        };
        self.past_the_store(&sql).await;
    }

    /// Somebody at a terminal runs the binary on this world's settings, beside the running service.
    pub(crate) async fn at_the_terminal(&self, arguments: &[&str]) -> Ended {
        std::fs::write(self.directory.join("wellbridge.toml"), self.settings.to_string()).unwrap();
        let mut command = wellbridge(&self.directory, arguments);
        let ended = tokio::task::spawn_blocking(move || Ended::from(command.output().unwrap())).await.unwrap();
        self.drain().await;
        ended
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
        self.rises().await;
        self.drain().await;
    }

    /// Somebody corrects the settings, and the process starts again with them.
    pub(crate) async fn restart_with(&mut self, key: &str, value: &str) {
        set(&mut self.settings, key, value.into());
        self.restart().await;
    }

    /// The database file is lost, and an empty one is begun; a coordinator confirms the partners anew.
    pub(crate) async fn loses_its_database(&mut self) {
        self.stop().await;
        for file in ["wellbridge.sqlite", "wellbridge.sqlite-wal", "wellbridge.sqlite-shm"] {
            // The last connection takes the two others with it.
            let _ = std::fs::remove_file(self.directory.join(file));
        }
        self.rises().await;
        self.drain().await;
        for partner in city::PARTNERS {
            self.confirm(partner).await;
        }
        self.drain().await;
    }

    /// The process dies where it stands, without a word: what it was doing is never done.
    pub(crate) async fn dies(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.life.ends().await;
        drop(running);
        // As the system does for a dead process: its connections are closed and its lock is gone.
        let file = self.directory.join("wellbridge.sqlite");
        let gone = async {
            self.service.store.close().await;
            // SQLite's own threads end what they have begun; a dead process would not have begun it.
            while is_open(&file) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("the dead hold the database");
    }

    /// A process starts on the same files.
    pub(crate) async fn rises(&mut self) {
        let listener = TcpListener::bind(self.base.trim_start_matches("http://")).await.unwrap();
        let (service, running) = start(&self.settings, &self.prepared, &self.clock, listener).await;
        self.service = service;
        self.running = Some(running);
    }

    /// Whether other replicas could share this world's database.
    pub(crate) fn is_shared(&self) -> bool {
        self.database.is_some()
    }

    /// Another process on the same database, with pages of its own.
    pub(crate) async fn another_replica(&mut self) -> Arc<Wellbridge> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (service, running) = start(&self.settings, &self.prepared, &self.clock, listener).await;
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

    /// Where its database is, as `tests/checker` takes it.
    pub(crate) fn database(&self) -> String {
        let url = self.settings.get("database").and_then(|database| database.get("url")).and_then(|url| url.as_str());
        url.map_or_else(|| format!("sqlite:{}", self.directory.join("wellbridge.sqlite").display()), str::to_owned)
    }

    /// A folder that is gone with this world.
    pub(crate) fn folder(&self) -> &Path {
        &self.directory
    }

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
        let mut found = self.copies_of(offer);
        assert_eq!(found.len(), 1, "one mail for one offer");
        found.remove(0)
    }

    /// Every copy of the offer's mail that the partner got.
    pub(crate) fn copies_of(&self, offer: &Offer) -> Vec<CaughtMail> {
        let id = format!("{}.offer.1@", offer.id.uuid().simple());
        let mails = self.mails_to_partner(&Self::partner_of(offer));
        mails.into_iter().filter(|m| m.message_id.as_deref().is_some_and(|m| m.starts_with(&id))).collect()
    }

    /// No two mails that anybody got are the same one.
    pub(crate) fn nobody_was_mailed_twice(&self) {
        let mails = self.mail.mails();
        let ids: Vec<&str> = mails.iter().map(|mail| mail.message_id.as_deref().unwrap()).collect();
        let once: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(once.len(), ids.len(), "{ids:?}");
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
    pub(crate) async fn ends_well(self) {
        self.drain().await;
        let mut written = Vec::new();
        for kind in ["Task", "Observation", "DocumentReference", "Procedure", "Provenance", "Communication"] {
            written.extend(self.record.all(kind).await);
        }
        if let Some(problems) = judged(&written) {
            assert!(problems.is_empty(), "{problems:?}");
        }
        self.ends().await;
    }

    /// The same where what is in the record was judged in another story.
    pub(crate) async fn ends(mut self) {
        self.drain().await;
        let verified = self.service.store.verify(|_, _| {}).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
        self.stop().await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A leftover folder under target/ does no harm.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

async fn end(service: &Wellbridge, mut running: Running) {
    running.stop.cancel();
    running.jobs.stop().await.unwrap();
    tokio::time::timeout(PATIENCE, running.pages).await.expect("the pages do not end").unwrap().unwrap();
    service.store.close().await;
}

/// Whether this process has the file open; where the system does not say, it is taken to be closed.
fn is_open(file: &Path) -> bool {
    let descriptors = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|open| open == file)
}

async fn start(
    settings: &Table,
    prepared: &Prepared,
    clock: &Clock,
    listener: TcpListener,
) -> (Arc<Wellbridge>, Running) {
    let from = LoadFrom { file: ConfigFile::Text(settings.to_string()), env: std::collections::BTreeMap::new() };
    let settings = Settings::load(&from).unwrap_or_else(|error| panic!("{error}"));
    let (clock, listener, life) = (clock.clone(), listener.into_std().unwrap(), Life::new());
    let prepared = prepared.clone();
    let started = life.0.as_ref().unwrap().spawn(async move {
        let mut service = assemble::service(settings, clock).await.unwrap_or_else(|error| panic!("{error}"));
        prepared.prepare(&mut service);
        let service = Arc::new(service);
        let jobs = jobs::start(&service).await.unwrap_or_else(|error| panic!("{error}"));
        let stop = CancellationToken::new();
        let listener = TcpListener::from_std(listener).unwrap();
        let pages = tokio::spawn(web::serve(listener, Arc::clone(&service), stop.clone().cancelled_owned()));
        (service, jobs, pages, stop)
    });
    let (service, jobs, pages, stop) = started.await.expect("the service does not start");
    (service, Running { jobs, pages, stop, life })
}
