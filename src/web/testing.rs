//! A small world for tests of pages: the real router and store in a temporary directory, a clock that stands, and a
//! practice's system that is a value in memory.

mod fixtures;
mod practice;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use tower::ServiceExt as _;

use crate::clock::Clock;
use crate::matching::Matcher;
use crate::partner::mailer::Mailer;
use crate::partner::offering::{self, Asking, partner_of};
use crate::partner::templates::Templates;
use crate::partner::token::ServerKey;
use crate::practice::{PracticeSystem, RawFhir};
use crate::random;
use crate::referral::episode::{Actor, Episode};
use crate::referral::event::{Event, Place, Placed};
use crate::referral::facts::{ConsentPolicy, facts};
use crate::referral::{NeedCode, OfferId, ProgrammeId, Referral, ReferralId};
use crate::service::{InUse, Wellbridge};
use crate::settings::{ConfigFile, LoadFrom, Settings};
use crate::store::{Account, Appended, Confirmation, Store};

pub(crate) use fixtures::referral;
use fixtures::{SETTINGS, directory, matched};
use practice::FakePractice;

/// The session token of forms that [`World::post`] sends for a coordinator.
pub(crate) const CSRF: &str = "csrf-of-the-test-session";
/// What the coordinator's browser holds.
const DESK_SECRET: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
const YORK_SECRET: &str = "00000000000000000000000000000000000000000000000000000000000000bb";
/// The word-of-mouth need of the fixtures.
pub(crate) const NEED: &str = "befriending";

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
        let practice = Arc::new(FakePractice::default());
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
        let service = Wellbridge {
            settings,
            store,
            clock: Clock::fixed(start()),
            matcher: Matcher::built_in().unwrap(),
            mailer,
            templates: Templates::load(None).unwrap(),
            link_key: ServerKey::from_bytes(&[7; 32]),
            practices: BTreeMap::from([("burton-croft".into(), as_port)]),
            in_use: InUse::default(),
        };
        service.refresh_directory().await.unwrap();
        let service = Arc::new(service);
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

/// The cookie of Amira, who belongs to Leeds.
pub(crate) fn leeds() -> String {
    format!("__Host-wb-desk={DESK_SECRET}")
}

/// The cookie of Yusuf, who belongs to York.
pub(crate) fn york() -> String {
    format!("__Host-wb-desk={YORK_SECRET}")
}
