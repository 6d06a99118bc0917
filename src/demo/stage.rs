//! The stage: two pretend practices, a mail catcher, a sample directory, and the real service between them, with a clock
//! that can be moved. Everything lives in one temporary folder, removed at the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use riverqueue::RunHandle;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::mail_catcher::MailCatcher;
use super::practice::PretendPractice;
use super::resources::{self, SURGERIES, Surgery};
use super::settings::{self, Places};
use super::stories::{Story, stories};
use super::{DemoError, page};
use crate::clock::Clock;
use crate::desk::accounts;
use crate::partner::offering::{self, partner_of};
use crate::referral::{PracticeId, ProgrammeId, UserId};
use crate::service::{Wellbridge, assemble};
use crate::store::Confirmation;
use crate::{jobs, random, web};

const FEED: &str = include_str!("../../config/demo/services-feed.json");

/// The one coordinator of the demo; she belongs to both programmes.
pub const COORDINATOR: &str = "amina";
/// Shown on the demo's page: it opens nothing but pretend data.
pub const PASSWORD: &str = "tea and a biscuit";

/// Nothing the service does by itself takes longer, even on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Everything the demo is made of, running.
#[derive(Debug)]
pub struct Stage {
    /// The service in the middle.
    pub service: Arc<Wellbridge>,
    /// Catches every mail it sends.
    pub mail: MailCatcher,
    /// The sample referrals.
    pub stories: Vec<Story>,
    practices: Vec<(&'static Surgery, PretendPractice)>,
    address: SocketAddr,
}

/// What has to be ended when the demo is over.
pub struct Running {
    /// The stage itself, shared with the pages.
    pub stage: Arc<Stage>,
    jobs: RunHandle,
    pages: JoinHandle<std::io::Result<()>>,
    stop: CancellationToken,
    folder: Folder,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// Sets the stage: opens everything, syncs the directory, confirms partners and makes the coordinator's account.
/// `listen` with port 0 takes a free one.
pub async fn open(listen: SocketAddr) -> Result<Running, DemoError> {
    let listener = TcpListener::bind(listen).await.map_err(|why| DemoError::Listen { listen, why })?;
    let address = listener.local_addr().map_err(|why| DemoError::Listen { listen, why })?;
    let folder = Folder::new()?;
    let feed = folder.path.join("services-feed.json");
    std::fs::write(&feed, FEED).map_err(|why| DemoError::Folder { path: feed.clone(), why })?;
    let clock = Clock::fixed(Clock::System.now());
    let mail = MailCatcher::start(clock.clone()).await.map_err(DemoError::Loopback)?;
    let mut practices = Vec::new();
    for surgery in SURGERIES {
        let practice = PretendPractice::start(clock.clone()).await.map_err(DemoError::Loopback)?;
        for resource in resources::household(surgery) {
            practice.put(resource);
        }
        practices.push((surgery, practice));
    }
    let base = |n: usize| practices.get(n).map_or("", |(_, practice): &(_, PretendPractice)| practice.base_url());
    let settings = settings::settings(&Places {
        folder: &folder.path,
        feed: &feed,
        listen: address,
        mail: mail.address(),
        chapel_row: base(0),
        mill_pond: base(1),
    })?;
    let service = Arc::new(assemble::service(settings, clock).await?);
    for feed in service.settings.feeds.values() {
        let read = jobs::sync::whole(&service.store, feed, service.clock.now(), |_, _| ()).await;
        read.map_err(|why| DemoError::NoDirectory(why.to_string()))?;
    }
    service.refresh_directory().await?;
    let jobs = jobs::start(&service).await?;
    let stage = Arc::new(Stage { service, mail, stories: stories()?, practices, address });
    let stop = CancellationToken::new();
    let router = page::router(&stage, stop.clone());
    let pages = tokio::spawn(web::serve_router(listener, router, stop.clone().cancelled_owned()));
    tokio::spawn(let_time_pass(stage.service.clock.clone(), stop.clone()));
    stage.settle().await?;
    stage.confirm_partners().await?;
    stage.add_coordinator().await?;
    Ok(Running { stage, jobs, pages, stop, folder })
}

impl Running {
    /// Ends everything and removes the folder.
    pub async fn close(mut self) -> Result<(), DemoError> {
        self.stop.cancel();
        let stopped = self.jobs.stop().await;
        // Pages that were still being answered had their chance.
        let _ = self.pages.await;
        self.stage.service.store.close().await;
        drop(self.folder);
        stopped.map_err(|why| DemoError::Start(Box::new(why).into()))
    }
}

/// The fixed clock goes on like any other, so that "in half an hour" comes while somebody looks on.
async fn let_time_pass(clock: Clock, stop: CancellationToken) {
    const TICK: Duration = Duration::from_secs(1);
    let mut ticks = tokio::time::interval(TICK);
    ticks.tick().await;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        clock.advance(SignedDuration::from_secs(1));
    }
}

impl Stage {
    /// The start of every address of the demo: `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The time on the demo's clock.
    pub fn now(&self) -> Timestamp {
        self.service.clock.now()
    }

    /// One of the two practices.
    pub fn practice(&self, id: &str) -> Option<&PretendPractice> {
        self.practices.iter().find(|(surgery, _)| surgery.id == id).map(|(_, practice)| practice)
    }

    /// Both, with who they are.
    pub fn practices(&self) -> impl Iterator<Item = (&'static Surgery, &PretendPractice)> {
        self.practices.iter().map(|(surgery, practice)| (*surgery, practice))
    }

    /// A story by its id.
    pub fn story(&self, id: &str) -> Option<&Story> {
        self.stories.iter().find(|story| story.id == id)
    }

    /// What a visitor finds when the page opens: the referrals that came this morning, already on their way.
    pub async fn raise_the_curtain(&self) -> Result<(), DemoError> {
        for story in self.stories.iter().filter(|story| story.on_stage) {
            self.send(story).await?;
        }
        self.settle().await
    }

    /// The GP sends a referral: into the practice's record, and the service is asked to look at once.
    pub async fn send(&self, story: &Story) -> Result<(), DemoError> {
        let Some(practice) = self.practice(&story.practice) else { return Ok(()) };
        for resource in resources::referral(story, self.now()) {
            practice.put(resource);
        }
        self.look_now(&story.practice).await
    }

    /// The GP takes a request back.
    pub async fn revoke(&self, practice_id: &str, request: &str) -> Result<(), DemoError> {
        let Some(practice) = self.practice(practice_id) else { return Ok(()) };
        let Some(mut resource) = practice.resource("ServiceRequest", request) else { return Ok(()) };
        resource["status"] = Value::from("revoked");
        practice.put(resource);
        self.look_now(practice_id).await
    }

    /// Asks the service to poll a practice at once.
    pub async fn look_now(&self, practice: &str) -> Result<(), DemoError> {
        Ok(jobs::poll_now(&self.service.store, &PracticeId::new(practice)).await?)
    }

    /// Moves the clock, and brings forward whatever has come due.
    pub async fn pass(&self, by: SignedDuration) -> Result<(), DemoError> {
        self.service.clock.advance(by);
        self.service.store.bring_forward(self.now()).await?;
        for surgery in SURGERIES {
            self.look_now(surgery.id).await?;
        }
        Ok(())
    }

    /// Waits until the service has nothing left to do by itself.
    pub async fn settle(&self) -> Result<(), DemoError> {
        let drained = async {
            // Twice in a row: a job that ends may have queued the next in the same transaction, never later.
            while self.service.store.jobs_waiting().await? > 0 {
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
            Ok::<(), DemoError>(())
        };
        tokio::time::timeout(PATIENCE, drained).await.map_err(|_| DemoError::NeverSettled)?
    }

    /// As if the coordinators had done their rounds: every partner that gives an address is confirmed, but for the
    /// talking therapies, which are left for the visitor to confirm.
    async fn confirm_partners(&self) -> Result<(), DemoError> {
        let directory = self.service.directory();
        let now = self.now();
        let mut tx = self.service.store.begin().await?;
        for service in directory.services().iter().filter(|s| !left_for_the_visitor(&s.description)) {
            for programme in self.service.settings.programmes.values() {
                let Some(seen) = offering::see_partner(&mut tx, programme, service).await? else { continue };
                let (None, Some(email)) = (&seen.confirmed, &seen.email) else { continue };
                let agreement = "Takes referrals by email (demo: confirmed beforehand)";
                let by = UserId::new(COORDINATOR);
                let confirmed = Confirmation { name: &seen.name, email, agreement, by: &by };
                tx.confirm_partner(&programme.id, &partner_of(service), &confirmed, now).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    async fn add_coordinator(&self) -> Result<(), DemoError> {
        let service = &self.service;
        let programmes: Vec<ProgrammeId> = service.settings.programmes.keys().cloned().collect();
        let (store, settings) = (&service.store, &service.settings);
        accounts::add(store, settings, COORDINATOR, "Amina Rahman", PASSWORD, programmes, self.now()).await?;
        Ok(())
    }
}

fn left_for_the_visitor(description: &str) -> bool {
    description.to_lowercase().contains("counsel")
}

/// A temporary folder, removed when dropped.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Self, DemoError> {
        let path = std::env::temp_dir().join(format!("wellbridge-demo-{}", random::uuid()));
        make_private(&path).map_err(|why| DemoError::Folder { path: path.clone(), why })?;
        Ok(Self { path })
    }
}

fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed lies in the machine's temporary folder and holds pretend data only.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
