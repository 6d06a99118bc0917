//! The road as a drawn line with a dot for each referral: where each dot stands, once for a wide window and once for a
//! telephone. The template only draws what is worked out here.

use serde::Serialize;

use crate::demo::stage::Stage;
use crate::demo::tale::Tale;
use crate::referral::episode::{Hold, OfferStatus, ReferralState};

/// The stops, in the order of the road.
const STOPS: [(&str, &str); 7] = [
    ("surgery", "At the surgery"),
    ("waits", "Waits for a person"),
    ("asked", "Charity asked"),
    ("yes", "Charity said yes"),
    ("supported", "Supported"),
    ("closed", "Done, in the record"),
    ("back", "Taken back"),
];

/// Where the stops lie in the wide drawing.
const WIDE: [(i32, i32); 7] = [(80, 130), (285, 240), (490, 130), (680, 130), (860, 130), (1040, 130), (680, 240)];
/// Dots beside each other, and the room each has.
const ABREAST: usize = 5;
const STEP: i32 = 30;
/// In the narrow drawing.
const NARROW_ABREAST: usize = 9;
const NARROW_STOP: i32 = 74;

/// The road, worked out.
#[derive(Debug, Serialize)]
pub(super) struct Road {
    stops: Vec<Stop>,
    dots: Vec<Dot>,
    /// Where the wide drawing begins: higher the more dots stand on each other.
    top: i32,
    /// How high the wide drawing is.
    tall: i32,
    /// How high the narrow one is.
    height: i32,
}

#[derive(Debug, Serialize)]
struct Stop {
    id: &'static str,
    name: &'static str,
    count: usize,
    x: i32,
    y: i32,
    narrow_y: i32,
}

#[derive(Debug, Serialize)]
struct Dot {
    key: String,
    initials: String,
    name: String,
    title: String,
    state: String,
    href: String,
    /// `safety`, `waits`, `going`, `done`.
    tone: &'static str,
    x: i32,
    y: i32,
    narrow_x: i32,
    narrow_y: i32,
}

impl Road {
    pub(super) fn of(stage: &Stage, tales: &[Tale]) -> Self {
        let at = |tale: &Tale| STOPS.iter().position(|(id, _)| *id == stop(tale)).unwrap_or(0);
        let mut stops: Vec<Stop> = Vec::new();
        let mut dots = Vec::new();
        let mut narrow_y = 20;
        for (number, ((id, name), (x, y))) in STOPS.into_iter().zip(WIDE).enumerate() {
            let here: Vec<&Tale> = tales.iter().filter(|tale| at(tale) == number).collect();
            stops.push(Stop { id, name, count: here.len(), x, y, narrow_y });
            for (place, tale) in here.iter().enumerate() {
                let (column, row) = (place % ABREAST, place / ABREAST);
                let abreast = here.len().min(ABREAST);
                let narrow = (place % NARROW_ABREAST, place / NARROW_ABREAST);
                dots.push(Dot {
                    key: tale.id.to_string(),
                    initials: initials(stage, tale),
                    name: person(stage, tale),
                    title: title(stage, tale),
                    state: tale.state.clone(),
                    href: format!("/demo/record/{}/{}", tale.practice, tale.request),
                    tone: tone(tale),
                    x: x + whole(column) * STEP - whole(abreast - 1) * STEP / 2,
                    y: y - 24 - whole(row) * STEP,
                    narrow_x: 58 + whole(narrow.0) * STEP,
                    narrow_y: narrow_y + 30 + whole(narrow.1) * STEP,
                });
            }
            narrow_y += NARROW_STOP.max(44 + whole(here.len().div_ceil(NARROW_ABREAST)) * STEP);
        }
        let highest = dots.iter().map(|dot| dot.y).min().unwrap_or(WIDE[0].1).min(WIDE[0].1 - 24);
        let top = highest - 24;
        Self { stops, dots, top, tall: 285 - top, height: narrow_y - 20 }
    }
}

fn whole(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// At which stop a referral stands.
fn stop(tale: &Tale) -> &'static str {
    match tale.episode.state() {
        ReferralState::Received => "surgery",
        ReferralState::Held | ReferralState::Proposed => "waits",
        ReferralState::Offered => {
            let yes = |status| matches!(status, OfferStatus::Accepted | OfferStatus::OnHold);
            if tale.episode.offers.iter().any(|offer| yes(offer.status)) { "yes" } else { "asked" }
        }
        ReferralState::Supported => "supported",
        ReferralState::Closed => "closed",
        ReferralState::Withdrawn => "back",
    }
}

fn tone(tale: &Tale) -> &'static str {
    match (tale.episode.state(), tale.episode.hold()) {
        (_, Some(Hold::Safety)) => "safety",
        (ReferralState::Held | ReferralState::Proposed, _) => "waits",
        (ReferralState::Closed | ReferralState::Withdrawn, _) => "done",
        _ => "going",
    }
}

/// The person as the practice knows them, also where the service could not read it.
pub(super) fn person(stage: &Stage, tale: &Tale) -> String {
    let known = tale.name.clone().or_else(|| stage.story(&tale.request).map(|story| story.person.name()));
    known.unwrap_or_else(|| "Name not known".to_owned())
}

/// Two letters for a dot.
pub(super) fn initials(stage: &Stage, tale: &Tale) -> String {
    person(stage, tale).split_whitespace().filter_map(|word| word.chars().next()).take(2).collect()
}

/// What a referral is about: its story's title, or that it is the visitor's own.
pub(super) fn title(stage: &Stage, tale: &Tale) -> String {
    stage.story(&tale.request).map_or_else(|| "Your own words".to_owned(), |story| story.title.clone())
}
