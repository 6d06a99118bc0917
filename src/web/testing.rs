//! A small world for tests of pages: the real router and store in a temporary directory, a clock that stands, and a
//! practice's system that is a value in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp, civil::date};
use tower::ServiceExt as _;

use crate::clock::Clock;
use crate::directory::{Organisation, Service};
use crate::effect::EffectError;
use crate::matching::{Candidate, Decision, Evidence, Excluded, Match, Matcher, NeedMatch, Reasoned};
use crate::partner::mailer::Mailer;
use crate::partner::offering::{self, Asking, partner_of};
use crate::partner::templates::Templates;
use crate::partner::token::ServerKey;
use crate::practice::{
    ClinicalFiling, Input, Page, PollFrom, PracticeSystem, RawFhir, Receipt, TaskStanding, TaskWritten,
};
use crate::random;
use crate::referral::content::{
    Address, Consent, ContactPoint, ContactSystem, Language, Patient, Priority, Reason, ReasonFrom, RequestStatus,
    Requester,
};
use crate::referral::episode::{Actor, Episode};
use crate::referral::event::{Event, Place, Placed};
use crate::referral::facts::{ConsentPolicy, facts};
use crate::referral::{
    NeedCode, NhsNumber, OfferId, ProgrammeId, Referral, ReferralId, SafeContact, ServiceId, Sharing, Source,
};
use crate::service::{Parts, Wellbridge};
use crate::settings::{ConfigFile, LoadFrom, Settings};
use crate::store::{Account, Appended, Confirmation, Store};

const SETTINGS: &str = r#"
[web]
public_url = "https://wellbridge.example"

[mail]
host = "smtp.leeds.example"
from = "Leeds Wellbeing <referrals@leeds.example>"

[programmes.leeds]
name = "Leeds Wellbeing Coordinators"
phone = "0113 496 0100"
mode = "propose"
duty_address = "duty@leeds.example"
second_duty_address = "lead@leeds.example"

[programmes.york]
name = "York Wellbeing"
phone = "01904 496 010"
mode = "propose"
duty_address = "duty@york.example"
second_duty_address = "lead@york.example"

[practices.burton-croft]
name = "Burton Croft Surgery"
programme = "leeds"
fhir = "https://fhir.burton-croft.example/r4"
organisation = "Organization/wellbridge"

[practices.minster]
name = "Minster Practice"
programme = "york"
fhir = "https://fhir.minster.example/r4"
organisation = "Organization/wellbridge"

[directory.feeds.city]
kind = "file"
path = "directory.json"
"#;

/// The session token of forms that [`World::post`] sends for a coordinator.
pub(crate) const CSRF: &str = "csrf-of-the-test-session";
/// What the coordinator's browser holds.
pub(crate) const DESK_SECRET: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
/// The word-of-mouth need of the fixtures.
pub(crate) const NEED: &str = "befriending";

/// A practice's system in memory.
pub(crate) struct FakePractice {
    pub(crate) holds: Mutex<Option<Referral>>,
    pub(crate) down: AtomicBool,
}

#[async_trait::async_trait]
impl PracticeSystem for FakePractice {
    async fn poll(&self, _: &PollFrom) -> Result<Page, EffectError> {
        Ok(Page { inputs: Vec::new(), matches: 0, total: None, missing: 0, server_time: None, next: None })
    }
    async fn read(&self, _: &Source) -> Result<Input, EffectError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(EffectError::retry("the practice's system does not answer"));
        }
        let held = self.holds.lock().unwrap().clone();
        Ok(Input::Readable(Box::new(held.unwrap()), RawFhir { documents: vec!["{}".to_owned()], task_version: None }))
    }
    async fn file(&self, _: &ClinicalFiling) -> Result<Receipt, EffectError> {
        Ok(Receipt::Filed(Vec::new()))
    }
    async fn keep_task(&self, _: &TaskStanding) -> Result<TaskWritten, EffectError> {
        Ok(TaskWritten { id: "1".to_owned(), version: None })
    }
    async fn check(&self) -> Result<String, EffectError> {
        Ok("in memory".to_owned())
    }
}

/// A page as a browser sees it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |v| v.to_str().unwrap())
    }
    /// `name=value` of the cookie that was set.
    pub(crate) fn cookie(&self) -> String {
        let line = self.headers.get(header::SET_COOKIE).map_or("", |v| v.to_str().unwrap());
        line.split(';').next().unwrap_or("").to_owned()
    }
    /// The value of the first hidden field with this name.
    pub(crate) fn field(&self, name: &str) -> String {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or(("", ""));
        rest.split('"').next().unwrap_or("").to_owned()
    }
}

/// The world.
pub(crate) struct World {
    pub(crate) service: Arc<Wellbridge>,
    pub(crate) practice: Arc<FakePractice>,
    pub(crate) router: Router,
    dir: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Tuesday 1 December 2026, 10:00 in Leeds.
pub(crate) fn start() -> Timestamp {
    "2026-12-01T10:00:00Z".parse().unwrap()
}

/// A service that does home visits, and one with a name that would be HTML.
fn directory() -> Vec<Service> {
    let service = |id: &str, name: &str, organisation: &str| Service {
        id: ServiceId::from(id),
        name: name.to_owned(),
        description: "Company at home, once a week.".to_owned(),
        organisation: Organisation {
            id: format!("org-{id}"),
            name: organisation.to_owned(),
            email: Some(format!("{id}@charity.example")),
        },
        application_process: Some("Any professional may refer by email.".to_owned()),
        phones: vec!["0113 496 0200".to_owned()],
        ..Service::default()
    };
    vec![
        service("visits", "Tea and Company", "Chapel Neighbours"),
        service("hostile", "<script>alert(1)</script> Friends", "Old & Wise"),
        service("far", "Far Friends", "Far Away Trust"),
    ]
}

/// A referral as the practice wrote it.
pub(crate) fn referral() -> Referral {
    Referral {
        source: Source {
            practice: "burton-croft".into(),
            request: "sr-1".to_owned(),
            task: None,
            version: "1".to_owned(),
        },
        status: RequestStatus::Active,
        authored: Some(start()),
        priority: Priority::Routine,
        patient: Patient {
            nhs_number: NhsNumber::parse("9990300127").ok(),
            name: Some("Alison Barraclough".to_owned()),
            birth_date: Some(date(1942, 1, 6)),
            address: Some(Address {
                lines: vec!["14 Chapel Lane".to_owned()],
                city: Some("Leeds".to_owned()),
                postcode: Some("LS6 3BN".to_owned()),
            }),
            contacts: vec![ContactPoint {
                system: ContactSystem::Phone,
                value: "0113 496 0123".to_owned(),
                kind: Some("home".to_owned()),
            }],
            languages: vec![Language { tag: Some("en".to_owned()), name: "English".to_owned() }],
            ..Patient::default()
        },
        practice_name: Some("Burton Croft Surgery".to_owned()),
        requester: Some(Requester { name: "Dr P. Nair".to_owned(), phone: None }),
        reasons: vec![Reason {
            from: ReasonFrom::Note,
            code: None,
            text: "Lonely since her husband died in spring. <script>alert('gp')</script> Used to sing in a choir."
                .to_owned(),
        }],
        consent: Consent::Given,
        safe_contact: SafeContact::Only("mornings, let it ring for long".to_owned()),
        sharing: Sharing::Full,
        baseline: None,
    }
}

fn matched() -> Match {
    let why = |sentence: &str| Reasoned { sentence: sentence.to_owned(), quote: None };
    let candidate = |id: &str| Candidate {
        service: id.into(),
        why: vec![why("Visits people at home who are lonely.")],
        careful: vec![why("Nobody has checked this entry for a year.")],
        distance_km: Some(1.4),
        takes_email: true,
        machine_may: true,
    };
    Match {
        decision: Decision::Auto,
        hold: None,
        safety: Vec::new(),
        needs: vec![NeedMatch {
            need: NEED.into(),
            shown_by: vec![Evidence { quote: "Lonely since her husband died".to_owned(), rule: "lonely".to_owned() }],
            candidates: vec![candidate("visits"), candidate("hostile")],
            excluded: vec![Excluded { service: "far".into(), why: why("Takes only people who live in York.") }],
        }],
        offer: Some("visits".into()),
    }
}

impl World {
    /// A world with one coordinator of Leeds, nothing referred yet.
    pub(crate) async fn new() -> Self {
        Self::with(SETTINGS.to_owned()).await
    }

    /// The same behind proxies of ours.
    pub(crate) async fn trusting(&self, proxies: &[&str]) -> Self {
        Self::with(SETTINGS.replace("[web]", &format!("[web]\ntrusted_proxies = {proxies:?}"))).await
    }

    /// The same with a mail server that may take long over a mail.
    pub(crate) async fn with_slow_mail() -> Self {
        Self::with(SETTINGS.replace("[mail]", "[mail]\nanswer_timeout = \"20 min\"")).await
    }

    /// The demo's: http on this machine.
    pub(crate) async fn on_loopback() -> Self {
        Self::with(SETTINGS.replace("https://wellbridge.example", "http://127.0.0.1:8080")).await
    }

    async fn with(settings: String) -> Self {
        let dir = std::env::temp_dir().join(format!("wellbridge-pages-{}", random::uuid()));
        let load = LoadFrom { file: ConfigFile::Text(settings), env: BTreeMap::new() };
        let settings = Settings::load(&load).unwrap();
        let store = Store::open(&dir).await.unwrap();
        let practice = Arc::new(FakePractice { holds: Mutex::new(None), down: AtomicBool::new(false) });
        let mut tx = store.begin().await.unwrap();
        tx.add_feed_page("city", "1", &directory()).await.unwrap();
        tx.place_feed("city", "1", start()).await.unwrap();
        for (id, programme, secret) in [("amira", "leeds", DESK_SECRET), ("yusuf", "york", YORK_SECRET)] {
            let account = Account {
                id: id.into(),
                name: id.to_owned(),
                password: String::new(),
                programmes: vec![programme.into()],
            };
            tx.put_account(&account, start()).await.unwrap();
            let hash = super::visitor::sha256(secret);
            let until = start() + SignedDuration::from_hours(8);
            tx.open_session(&hash, &account.id, CSRF, until).await.unwrap();
        }
        tx.commit().await.unwrap();
        let as_port = Arc::clone(&practice) as Arc<dyn PracticeSystem>;
        let mailer = Mailer::new(&settings.mail).unwrap();
        let parts = Parts {
            settings,
            store,
            clock: Clock::fixed(start()),
            matcher: Matcher::built_in().unwrap(),
            mailer,
            templates: Templates::load(None).unwrap(),
            link_key: ServerKey::from_bytes(&[7; 32]),
            practices: BTreeMap::from([("burton-croft".into(), as_port)]),
        };
        let service = Arc::new(Wellbridge::new(parts).await.unwrap());
        Self { router: super::router(Arc::clone(&service)), service, practice, dir }
    }

    /// The practice sends this; it is taken in and matched, and a service is proposed.
    pub(crate) async fn refer(&self, referral: Referral) -> ReferralId {
        *self.practice.holds.lock().unwrap() = Some(referral.clone());
        let id = ReferralId::from_uuid(random::uuid());
        let now = self.service.clock.now();
        let mut tx = self.service.store.begin().await.unwrap();
        let found = facts(&referral, ConsentPolicy::Recorded);
        let programme = ProgrammeId::from("leeds");
        tx.take_in(id, &programme, &referral, found, &RawFhir::default(), now).await.unwrap();
        let placed = Placed { need: NEED.into(), place: Place::Propose("visits".into()) };
        let event = Event::Matched { needs: vec![placed], safety: false };
        tx.record(id, &event, None, now, now).await.unwrap();
        tx.put_match(id, &programme, &matched(), now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A coordinator has confirmed the partner of a service.
    pub(crate) async fn confirm(&self, service: &str) {
        let directory = self.service.directory();
        let service = directory.get(&service.into()).unwrap();
        let mut tx = self.service.store.begin().await.unwrap();
        let (name, email) = (&service.organisation.name, service.organisation.email.clone().unwrap());
        let by = "amira".into();
        let confirmed = Confirmation { name, email: &email, agreement: "spoke to Jo", by: &by };
        tx.confirm_partner(&"leeds".into(), &partner_of(service), &confirmed, start()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A service is asked; the answer is the offer and the path of its link.
    pub(crate) async fn ask(&self, id: ReferralId, service: &str) -> (OfferId, String) {
        self.confirm(service).await;
        let directory = self.service.directory();
        let need = NeedCode::from(NEED);
        let asking = Asking {
            referral: id,
            need: &need,
            service: directory.get(&service.into()).unwrap(),
            by: Actor::Coordinator("amira".into()),
            note: None,
        };
        let programme = self.service.programme(&"leeds".into()).unwrap();
        let mut tx = self.service.store.begin().await.unwrap();
        let offer =
            offering::offer(&mut tx, &self.service, programme, &asking, self.service.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        (offer, format!("/answer/{}", self.service.link_key.answer_token(offer).text()))
    }

    /// Something happens to a referral.
    pub(crate) async fn happens(&self, id: ReferralId, event: Event) {
        let now = self.service.clock.now();
        let mut tx = self.service.store.begin().await.unwrap();
        let appended = tx.record(id, &event, None, now, now).await.unwrap();
        assert!(matches!(appended, Appended::Now(..)));
        tx.commit().await.unwrap();
    }

    pub(crate) async fn episode(&self, id: ReferralId) -> Episode {
        self.service.store.standing(id).await.unwrap().unwrap().episode
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> Seen {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Seen { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Seen {
        let request = Request::builder().uri(path).header(header::COOKIE, cookie).header("host", "wellbridge.example");
        self.request(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn head(&self, path: &str, cookie: &str) -> Seen {
        let request = Request::builder().method(Method::HEAD).uri(path).header(header::COOKIE, cookie);
        self.request(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post_from(&self, origin: &str, path: &str, fields: &[(&str, &str)], cookie: &str) -> Seen {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", "wellbridge.example")
            .header(header::ORIGIN, origin)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.request(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)], cookie: &str) -> Seen {
        self.post_from("https://wellbridge.example", path, fields, cookie).await
    }

    /// Loads a form and sends it with its hidden fields, as a browser does.
    pub(crate) async fn fill_in(&self, page: &str, action: &str, fields: &[(&str, &str)], cookie: &str) -> Seen {
        let form = self.get(page, cookie).await;
        assert_eq!(form.status, StatusCode::OK, "{page}");
        let (token, once) = (form.field("form"), form.field("once"));
        let mut all = vec![("form", token.as_str()), ("once", once.as_str())];
        all.extend_from_slice(fields);
        self.post(action, &all, cookie).await
    }
}

const YORK_SECRET: &str = "00000000000000000000000000000000000000000000000000000000000000bb";

/// The cookie of Amira, who belongs to Leeds.
pub(crate) fn leeds() -> String {
    format!("__Host-wb-desk={DESK_SECRET}")
}

/// The cookie of Yusuf, who belongs to York.
pub(crate) fn york() -> String {
    format!("__Host-wb-desk={YORK_SECRET}")
}
