//! `[practices.<id>]`: a practice's clinical system and what its agreement says.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use jiff::civil::Date;
use url::Url;

use crate::partner::plain::Line;
use crate::referral::{PracticeId, ProgrammeId};

use super::{
    leaf::words,
    programme::line,
    secret::Secret,
    section::{Section, all_or_none},
    web::is_loopback,
};

/// A practice that sends us referrals.
#[derive(Clone, Debug)]
pub struct Practice {
    /// Its name in the settings.
    pub id: PracticeId,
    /// As coordinators know it.
    pub name: Line,
    /// Who looks after its referrals.
    pub programme: ProgrammeId,
    /// Its clinical system.
    pub fhir: Fhir,
    /// The practice codes 871731000000106 itself: we do not.
    pub practice_codes_itself: bool,
    /// Requests that last changed before this day are not taken in at the first poll: they were somebody else's to do.
    pub take_from: Option<Date>,
    /// The agreement lets us complete or revoke the practice's own request.
    pub complete_request: bool,
}

/// A FHIR R4 server.
#[derive(Clone, Debug)]
pub struct Fhir {
    /// Its base, ending in a slash so that `join` stays under it.
    pub base: Url,
    /// How we sign in.
    pub auth: FhirAuth,
    /// Who we are on that server: the owner of Tasks meant for us.
    pub organisation: OurOrganisation,
    /// Time between two polls.
    pub poll_every: Duration,
    /// How far a poll looks back behind the cursor.
    pub overlap: Duration,
    /// How many jobs may go there in one minute; none: as many as there are.
    pub visits_per_minute: Option<NonZeroU32>,
}

/// How we sign in to a FHIR server.
#[derive(Clone, Debug)]
pub enum FhirAuth {
    /// The network protects it.
    None,
    /// A bearer token.
    Bearer(Secret),
}

/// Who we are on a practice's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OurOrganisation {
    /// `Organization.id`.
    Id(String),
    /// An identifier, resolved once to the id.
    Identifier {
        /// `identifier.system`.
        system: String,
        /// `identifier.value`.
        value: String,
    },
}

#[derive(Clone, Copy)]
enum AuthWord {
    None,
    Bearer,
}

words!(AuthWord { None = "none", Bearer = "bearer" });

/// What `[defaults.practice]` may say for every practice.
const DEFAULTS: &[&str] =
    &["auth", "poll_every", "overlap", "visits_per_minute", "practice_codes_itself", "complete_request"];

pub(super) fn read_all(
    all: &Section<'_>,
    defaults: &Section<'_>,
    programmes: &BTreeSet<String>,
) -> Option<BTreeMap<PracticeId, Practice>> {
    defaults.expect_keys(DEFAULTS);
    let each = all.each(Some(defaults));
    if each.is_empty() {
        all.problem("", "There is no practice. Add a section [practices.<name>]; the default file shows one.");
        return None;
    }
    all_or_none(
        each.into_iter().map(|(id, section)| Some((PracticeId::new(id.clone()), read(&id, section, programmes)?))),
    )
}

fn read(id: &str, section: Section<'_>, programmes: &BTreeSet<String>) -> Option<Practice> {
    let name = line(&section, "name", "It is how coordinators know the practice.");
    let programme = section.need::<String>("programme", "Name one of the [programmes.<name>] sections.");
    let programme = programme.map(ProgrammeId::new).filter(|id| {
        let known = programmes.contains(id.as_str());
        if !known {
            section.problem("programme", format!("names `{id}`, but there is no section [programmes.{id}]."));
        }
        known
    });
    let fhir = read_fhir(&section);
    let practice_codes_itself = section.get("practice_codes_itself");
    let complete_request = section.get("complete_request");
    let take_from = section.maybe::<Date>("take_from");
    section.finish();
    Some(Practice {
        id: PracticeId::new(id),
        name: name?,
        programme: programme?,
        fhir: fhir?,
        practice_codes_itself: practice_codes_itself?,
        complete_request: complete_request?,
        take_from: take_from?,
    })
}

fn read_fhir(section: &Section<'_>) -> Option<Fhir> {
    let base = section
        .need::<Url>("fhir", "It is the base address of the practice's FHIR R4 server.")
        .and_then(|url| checked_base(section, url));
    let auth = read_auth(section);
    let organisation = section
        .need::<String>(
            "organisation",
            "It says who we are on that server: an Organization id, or an identifier as \"system|value\".",
        )
        .and_then(|text| read_organisation(section, &text));
    let poll_every = section.at_least("poll_every", Duration::from_secs(1), "a second");
    let overlap = section.get("overlap");
    let visits_per_minute =
        section.maybe::<u32>("visits_per_minute").and_then(|most| match most.map(NonZeroU32::new) {
            Some(None) => {
                section.problem("visits_per_minute", "must be 1 or more. Without it there is no limit.");
                None
            }
            Some(most) => Some(most),
            None => Some(None),
        });
    Some(Fhir {
        base: base?,
        auth: auth?,
        organisation: organisation?,
        poll_every: poll_every?,
        overlap: overlap?,
        visits_per_minute: visits_per_minute?,
    })
}

fn checked_base(section: &Section<'_>, mut url: Url) -> Option<Url> {
    if url.scheme() != "https" && !is_loopback(&url) {
        section.problem("fhir", "must begin with https://: patients' records travel over it.");
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        section.problem("fhir", "must be the bare base address, without `?` or `#`.");
        return None;
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

fn read_auth(section: &Section<'_>) -> Option<FhirAuth> {
    let word = section.get::<AuthWord>("auth");
    let token = section.secret("token")?;
    match (word?, token) {
        (AuthWord::None, None) => Some(FhirAuth::None),
        (AuthWord::Bearer, Some(token)) => Some(FhirAuth::Bearer(token)),
        (AuthWord::None, Some(_)) => {
            section.problem("auth", "is \"none\", but there is a token. Write \"bearer\" to use it.");
            None
        }
        (AuthWord::Bearer, None) => {
            section.problem("token", "is missing. Write the name of the file that holds it as `token_file`.");
            None
        }
    }
}

fn read_organisation(section: &Section<'_>, text: &str) -> Option<OurOrganisation> {
    let text = text.trim();
    if let Some((system, value)) = text.split_once('|') {
        let (system, value) = (system.trim().to_owned(), value.trim().to_owned());
        if !system.is_empty() && !value.is_empty() {
            return Some(OurOrganisation::Identifier { system, value });
        }
    } else {
        // FHIR R4, 2.24.0.1: an id is 1 to 64 letters, digits, hyphens and dots.
        let id = text.strip_prefix("Organization/").unwrap_or(text);
        let fits = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        if (1..=64).contains(&id.len()) && fits {
            return Some(OurOrganisation::Id(id.to_owned()));
        }
    }
    section.problem("organisation", "must be an Organization id, or an identifier as \"system|value\".");
    None
}
