//! What a world is to be made of: settings that a story changes piece by piece, a directory, who is confirmed and whether
//! somebody listens on the wire.

use std::sync::Arc;

use serde_json::Value;
use toml::Table;
use wellbridge::clock::Clock;
use wellbridge::demo::practice::PretendPractice;
use wellbridge::service::Wellbridge;

use super::city;
use super::peers::Medplum;
use super::story::OUR_CODE;
use super::world::{Practice, World, story_clock};

/// The duty addresses of the world's programme.
pub(crate) const DUTY: &str = "duty@leeds.example";
pub(crate) const SECOND_DUTY: &str = "lead@leeds.example";

/// What is done to a service that was put together and has not started yet.
#[derive(Clone, Default)]
pub(super) struct Prepared(Vec<Arc<Prepare>>);

type Prepare = dyn Fn(&mut Wellbridge) + Send + Sync;

impl Prepared {
    pub(super) fn prepare(&self, service: &mut Wellbridge) {
        self.0.iter().for_each(|prepare| prepare(service));
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}

/// What a world is to be made of; everything has a usual value.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) settings: Table,
    pub(super) feed: Vec<Value>,
    pub(super) confirmed: bool,
    pub(super) overheard: bool,
    pub(super) bad_lines: bool,
    pub(super) practice_clock: Option<Clock>,
    pub(super) prepared: Prepared,
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
        Self {
            settings: text.parse().unwrap(),
            feed: city::feed(),
            confirmed: true,
            overheard: false,
            bad_lines: false,
            practice_clock: None,
            prepared: Prepared::default(),
        }
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

    /// With lines to the practice and to the mail server that can go bad.
    pub(crate) fn bad_lines(self) -> Self {
        Self { bad_lines: true, ..self }
    }

    /// Overheard; the practice's server goes by this clock.
    pub(crate) fn practice_clock(self, clock: &Clock) -> Self {
        Self { overheard: true, practice_clock: Some(clock.clone()), ..self }
    }

    /// Whenever the service starts, this is done to it first.
    pub(crate) fn prepared(mut self, prepare: impl Fn(&mut Wellbridge) + Send + Sync + 'static) -> Self {
        self.prepared.0.push(Arc::new(prepare));
        self
    }

    /// Opens the world on the pretend practice.
    pub(crate) async fn open(self) -> World {
        let clock = story_clock();
        let practice =
            PretendPractice::start(self.practice_clock.clone().unwrap_or_else(|| clock.clone())).await.unwrap();
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

pub(super) fn set(table: &mut Table, key: &str, value: toml::Value) {
    let (path, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut at = table;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let inner = at.entry(part).or_insert_with(|| Table::new().into());
        at = inner.as_table_mut().unwrap();
    }
    at.insert(last.to_owned(), value);
}

pub(super) fn set_default(table: &mut Table, key: &str, value: toml::Value) {
    let mut parts = key.split('.');
    let first = parts.next().unwrap();
    let found = parts.fold(table.get(first), |at, part| at.and_then(|at| at.get(part)));
    if found.is_none() {
        set(table, key, value);
    }
}
