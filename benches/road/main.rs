//! The whole road at once: `cargo bench --bench road`.
//!
//! A thousand referrals travel from a FHIR server to a mailbox and, once the partner has said yes and started, into the
//! record: by the service, and by a bare loop that makes the same HTTP and SMTP calls with no ledger, on fresh peers in
//! the same run. Then, on an idle service, the time from a poll to the mail server's 250. The peers (the pretend practice
//! and the mail catcher) have a thread of their own. `WELLBRIDGE_BENCH_REFERRALS=100` makes it short.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that fails should stop, and prints a table")]

mod bare;
mod referrals;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use wellbridge::clock::Clock;
use wellbridge::demo::mail_catcher::MailCatcher;
use wellbridge::demo::practice::{Calls, PretendPractice};
use wellbridge::referral::event::{Event, PartnerSaid};
use wellbridge::referral::{PartnerId, PracticeId, ProgrammeId, UserId};
use wellbridge::service::{Wellbridge, assemble};
use wellbridge::settings::{ConfigFile, LoadFrom, Settings};
use wellbridge::store::{Confirmation, ListFilter};
use wellbridge::{jobs, random};

use bare::MAIL_CONNECTIONS;
use referrals::{organisation, refer};

const IDLE_ROUNDS: usize = 30;

/// What one way of doing it took.
struct Taken {
    seconds: f64,
    calls: Calls,
    mails: usize,
}

fn main() {
    let many = std::env::var("WELLBRIDGE_BENCH_REFERRALS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (practice, mail) = peers();
    let (service, idle) = runtime.block_on(async { by_the_service(practice, mail, many).await });
    let (practice, mail) = peers();
    let bare = runtime.block_on(by_a_bare_loop(practice, mail, many, &service.calls));
    report(many, &service, &bare, &idle);
}

/// A practice and a mail server on a thread of their own.
fn peers() -> (PretendPractice, MailCatcher) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let practice = PretendPractice::start(Clock::System).await.unwrap();
            let mail = MailCatcher::start(Clock::System).await.unwrap();
            sender.send((practice, mail)).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().unwrap()
}

// ---- by a bare loop ----------------------------------------------------------------------------------------------

async fn by_a_bare_loop(practice: PretendPractice, mail: MailCatcher, many: usize, wanted: &Calls) -> Taken {
    practice.put(organisation());
    let referrals: Vec<(String, String)> = (0..many).map(|number| refer(&practice, number)).collect();
    let seconds = bare::run(practice.base_url(), mail.address().port(), &referrals, wanted).await;
    Taken { seconds, calls: practice.calls(), mails: mail.mails().len() }
}

// ---- by the service ----------------------------------------------------------------------------------------------

async fn by_the_service(practice: PretendPractice, mail: MailCatcher, many: usize) -> (Taken, Vec<Duration>) {
    let folder = std::env::temp_dir().join(format!("wellbridge-bench-{}", random::uuid()));
    std::fs::create_dir_all(&folder).unwrap();
    practice.put(organisation());
    let service = start(&folder, &practice, &mail).await;
    let mut running = jobs::start(&service).await.unwrap();
    drain(&service).await;
    confirm(&service).await;
    service.refresh_directory().await.unwrap();
    for number in 0..many {
        refer(&practice, number);
    }
    let began = Instant::now();
    jobs::poll_now(&service.store, &PracticeId::new("bench")).await.unwrap();
    let mut caught = mail.caught();
    caught.wait_for(|n| *n >= many as u64).await.unwrap();
    partner_starts(&service).await;
    drain(&service).await;
    let seconds = began.elapsed().as_secs_f64();
    let taken = Taken { seconds, calls: practice.calls(), mails: mail.mails().len() };
    assert_eq!(practice.all("DocumentReference").len(), many, "every referral has come into the record");
    let idle = idle_times(&service, &practice, &mail, many).await;
    running.stop().await.unwrap();
    service.store.close().await;
    let _ = std::fs::remove_dir_all(&folder);
    (taken, idle)
}

async fn start(folder: &Path, practice: &PretendPractice, mail: &MailCatcher) -> Arc<Wellbridge> {
    let feed = folder.join("feed.json");
    let services = json!([{
        "id": "befriending",
        "name": "Leeds Befrienders",
        "description": "Befriending for older people in Leeds who are lonely. A volunteer visits you at home once a week.",
        "email": "referrals@befrienders.example",
        "status": "active",
        "assured_date": "2026-10-01",
        "organization": { "id": "befrienders", "name": "Leeds Befrienders" },
    }]);
    std::fs::write(&feed, services.to_string()).unwrap();
    let text = format!(
        r#"
        data_dir = "{data}"
        [web]
        public_url = "http://127.0.0.1:8080"
        [limits]
        offers_per_hour = 1000000
        [mail]
        host = "127.0.0.1"
        port = {port}
        tls = "none"
        from = "referrals@leeds.example"
        max_connections = {MAIL_CONNECTIONS}
        [programmes.leeds]
        name = "Leeds Wellbeing Coordinators"
        phone = "0113 496 0100"
        mode = "auto"
        auto_needs = ["befriending", "social-groups"]
        signed_off_by = "Nobody: a benchmark"
        duty_address = "duty@leeds.example"
        second_duty_address = "lead@leeds.example"
        [practices.bench]
        name = "Bench Surgery"
        programme = "leeds"
        fhir = "{fhir}"
        organisation = "https://fhir.nhs.uk/Id/ods-organization-code|X0001"
        poll_every = "1 day"
        # An idle practice has changed nothing in the last minutes: what the bench has just sent is not read again.
        overlap = "1 s"
        [directory.feeds.city]
        kind = "file"
        path = "{feed}"
        "#,
        data = folder.join("data").display(),
        port = mail.address().port(),
        fhir = practice.base_url(),
        feed = feed.display(),
    );
    let settings = Settings::load(&LoadFrom { file: ConfigFile::Text(text), env: BTreeMap::new() }).unwrap();
    Arc::new(assemble::service(settings, Clock::System).await.unwrap())
}

async fn confirm(service: &Wellbridge) {
    let (programme, partner) = (ProgrammeId::new("leeds"), PartnerId::new("befrienders"));
    let mut tx = service.store.begin().await.unwrap();
    let (email, by, now) = ("referrals@befrienders.example", UserId::new("bench"), service.clock.now());
    let confirmed = Confirmation { name: "Befrienders", email, agreement: "a benchmark", by: &by };
    tx.confirm_partner(&programme, &partner, &confirmed, now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn drain(service: &Wellbridge) {
    while service.store.jobs_waiting().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Every partner says yes and starts at once, as its page records it.
async fn partner_starts(service: &Wellbridge) {
    for row in service.store.list(&ListFilter::default()).await.unwrap() {
        for offer in &row.episode.offers {
            for said in [PartnerSaid::Accepted, PartnerSaid::Started] {
                let now = service.clock.now();
                let event = Event::Partner { offer: offer.id, said, note: None, risk: false };
                let mut tx = service.store.begin().await.unwrap();
                tx.record(row.id, &event, None, now, now).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
    }
}

/// From a poll to the mail server's 250, with nothing else to do.
async fn idle_times(
    service: &Wellbridge,
    practice: &PretendPractice,
    mail: &MailCatcher,
    many: usize,
) -> Vec<Duration> {
    let mut times = Vec::new();
    for round in 0..IDLE_ROUNDS {
        drain(service).await;
        let mut caught = mail.caught();
        let before = *caught.borrow_and_update();
        refer(practice, many + round);
        let began = Instant::now();
        jobs::poll_now(&service.store, &PracticeId::new("bench")).await.unwrap();
        caught.wait_for(|n| *n > before).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

// ---- the table ---------------------------------------------------------------------------------------------------

fn report(many: usize, service: &Taken, bare: &Taken, idle: &[Duration]) {
    let total = |calls: &Calls| calls.values().sum::<usize>();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let rate = |taken: &Taken| many as f64 / taken.seconds;
    println!("{many} referrals, from the FHIR server to the mailbox to the record");
    println!("{:<28} {:>9} {:>12} {:>11} {:>7}", "", "seconds", "referrals/s", "FHIR calls", "mails");
    for (name, taken) in [("wellbridge", service), ("a bare loop", bare)] {
        let (calls, mails) = (total(&taken.calls), taken.mails);
        println!("{name:<28} {:>9.2} {:>12.1} {calls:>11} {mails:>7}", taken.seconds, rate(taken));
    }
    println!("{:<28} {:>9.2}", "ratio", service.seconds / bare.seconds);
    println!();
    for ((method, what), count) in &service.calls {
        let theirs = bare.calls.get(&(method.clone(), what.clone())).copied().unwrap_or_default();
        println!("  {method:<5} {what:<32} {count:>6} {theirs:>6}");
    }
    println!();
    let at = |share: usize| idle.get((idle.len() * share / 100).min(idle.len() - 1)).copied().unwrap_or_default();
    println!("from a poll to the mail server's 250, idle service, {} times:", idle.len());
    println!("  p50 {:?}   p99 {:?}", at(50), at(99));
}
