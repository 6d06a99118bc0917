//! The GP's seat: send a referral, ready-made or in one's own words, and see the patient's record fill.

use axum::extract::{Extension, Path};
use axum::response::{Html, Redirect};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::Value;

use super::{Frame, OnStage, demo_failed, road, soon};
use crate::demo::resources::{CHAPEL_ROW, MILL_POND};
use crate::demo::stage::Stage;
use crate::demo::stories::{ConsentWord, Expected, Person, Plot, Story};
use crate::demo::tale::About;
use crate::web::pages::{self, fill};
use crate::web::posted::Posted;
use crate::web::when::{When, when};
use crate::web::{App, PageError};

/// People for a visitor's own words.
const PEOPLE: [(&str, &str, &str, &str); 6] = [
    ("Joyce", "Midgley", "female", "1947-05-19"),
    ("Kamal", "Bose", "male", "1969-10-02"),
    ("Ewa", "Kowalczyk", "female", "1984-01-28"),
    ("Harold", "Sykes", "male", "1941-12-05"),
    ("Denise", "Thackray", "female", "1963-03-17"),
    ("Yusuf", "Warsame", "male", "1992-08-09"),
];
/// A longer note than a GP has time for.
const LONGEST_NOTE: usize = 2_000;

#[derive(Serialize)]
struct Ready {
    id: String,
    title: String,
    about: String,
    note: String,
    practice: &'static str,
}

#[derive(Serialize)]
struct Sent {
    name: String,
    title: String,
    state: String,
    record: String,
    href: String,
}

/// GET: what can be sent, and what was.
pub(super) async fn show(Extension(stage): OnStage) -> Result<Html<String>, PageError> {
    let (frame, tales) = Frame::of(&stage, "gp").await?;
    let unsent = stage.stories.iter().filter(|story| !tales.iter().any(|tale| tale.request == story.id));
    let ready: Vec<Ready> = unsent
        .map(|story| Ready {
            id: story.id.clone(),
            title: story.title.clone(),
            about: story.person.name(),
            note: story.note.clone(),
            practice: practice_name(&story.practice),
        })
        .collect();
    let sent: Vec<Sent> = tales
        .iter()
        .rev()
        .map(|tale| Sent {
            name: road::person(&stage, tale),
            title: road::title(&stage, tale),
            state: tale.state.clone(),
            record: tale.record.clone(),
            href: format!("/demo/record/{}/{}", tale.practice, tale.request),
        })
        .collect();
    pages::render("demo/gp.html", fill! { frame, ready, sent })
}

fn practice_name(id: &str) -> &'static str {
    if id == MILL_POND.id { MILL_POND.name } else { CHAPEL_ROW.name }
}

/// POST: a referral goes into the practice's record.
pub(super) async fn send(Extension(stage): OnStage, posted: Posted) -> Result<Redirect, PageError> {
    let story = match stage.story(posted.get("story")) {
        Some(story) => story.clone(),
        None => match posted.words("note") {
            Some(note) => invented(&stage, &note, posted.get("practice")).await?,
            None => return Ok(Redirect::to("/demo/gp#own")),
        },
    };
    stage.send(&story).await.map_err(demo_failed)?;
    soon(&stage).await?;
    Ok(Redirect::to(&format!("/demo/record/{}/{}", story.practice, story.id)))
}

/// Somebody who does not exist, for a visitor's own words.
async fn invented(stage: &Stage, note: &str, practice: &str) -> Result<Story, PageError> {
    let tales = stage.tales().await.map_err(demo_failed)?;
    let number = tales.iter().filter(|tale| tale.request.starts_with("own-")).count();
    let told = told_of(note);
    let fits: Vec<_> =
        PEOPLE.iter().filter(|(_, _, gender, _)| told.gender.is_none_or(|told| told == *gender)).collect();
    let (given, family, gender, born) = **fits.get(number % fits.len().max(1)).unwrap_or(&&PEOPLE[0]);
    // A birthday in January has been, whatever day it is.
    let this_year = i32::from(stage.service.clock.today().year());
    let born = told.age.map_or_else(|| born.to_owned(), |age| format!("{:04}-01-01", this_year - age));
    let practice = if practice == MILL_POND.id { MILL_POND.id } else { CHAPEL_ROW.id };
    Ok(Story {
        id: format!("own-{}", number + 1),
        title: "Your own words".to_owned(),
        practice: practice.to_owned(),
        on_stage: false,
        by_task: false,
        plays: Plot::None,
        person: Person {
            given: given.to_owned(),
            family: family.to_owned(),
            born,
            gender: gender.to_owned(),
            nhs_number: nhs_number(999_040_000 + number * 7),
            line: format!("{} Sample Street", number + 1),
            postcode: if practice == MILL_POND.id { "LS11 8PG" } else { "LS8 5AN" }.to_owned(),
            phone: format!("0113 496 0{:03}", 400 + number % 100),
            language: None,
            language_name: None,
            interpreter: false,
        },
        reasons: Vec::new(),
        note: note.chars().take(LONGEST_NOTE).collect(),
        consent: ConsentWord::Permit,
        before: None,
        after: None,
        expect: Expected::default(),
    })
}

/// What a note says of the person: the record must not contradict it, or a person has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    gender: Option<&'static str>,
    age: Option<i32>,
}

/// Reads "82F", "40M", and otherwise she and he, the first that comes.
fn told_of(note: &str) -> Told {
    let words = || note.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let pair = words().find_map(|word| {
        let (age, letter) = word.split_at_checked(word.len().checked_sub(1)?)?;
        let gender = match letter {
            "F" | "f" => "female",
            "M" | "m" => "male",
            _ => return None,
        };
        Some((gender, age.parse().ok().filter(|age| (0..120).contains(age))?))
    });
    let pronoun = words().find_map(|word| match word.to_lowercase().as_str() {
        "she" | "her" | "woman" | "lady" => Some("female"),
        "he" | "his" | "him" | "man" | "gentleman" => Some("male"),
        _ => None,
    });
    Told { gender: pair.map(|(gender, _)| gender).or(pronoun), age: pair.map(|(_, age)| age) }
}

/// Nine digits of the range that is never given out, and their check digit; none for the few that have none.
fn nhs_number(nine: usize) -> Option<String> {
    let check = (0..10).map(|digit| format!("{nine}{digit}"));
    check.into_iter().find(|number| crate::referral::NhsNumber::parse(number).is_ok())
}

/// POST: the GP takes a request back.
pub(super) async fn take_back(Extension(stage): OnStage, posted: Posted) -> Result<Redirect, PageError> {
    let (practice, request) = (posted.get("practice").to_owned(), posted.get("request").to_owned());
    if stage.practice(&practice).and_then(|p| p.resource("ServiceRequest", &request)).is_none() {
        return Err(PageError::NotFound);
    }
    stage.revoke(&practice, &request).await.map_err(demo_failed)?;
    soon(&stage).await?;
    Ok(Redirect::to(&format!("/demo/record/{practice}/{request}")))
}

/// Something in the record: plain words first, the JSON behind.
#[derive(Serialize)]
struct Piece {
    what: &'static str,
    line: String,
    words: Option<String>,
    at: Option<When>,
    json: String,
}

/// GET: what the practice's record says of one request.
pub(super) async fn record(
    axum::extract::State(app): axum::extract::State<App>,
    Extension(stage): OnStage,
    Path((practice, request)): Path<(String, String)>,
) -> Result<Html<String>, PageError> {
    let (frame, tales) = Frame::of(&stage, "gp").await?;
    let system = stage.practice(&practice).ok_or(PageError::NotFound)?;
    let about = About::of(system, &request);
    let own = about.request.as_ref().ok_or(PageError::NotFound)?;
    let tale = tales.iter().find(|tale| tale.practice == practice && tale.request == request);
    let patient = own["subject"]["reference"].as_str().and_then(|r| r.strip_prefix("Patient/"));
    let patient = patient.and_then(|id| system.resource("Patient", id));
    let name = patient.as_ref().and_then(|p| p["name"][0]["text"].as_str()).unwrap_or("Name not known").to_owned();
    let scores: Vec<_> = about.scores().collect();
    pages::render(
        "demo/record.html",
        fill! {
            frame,
            name,
            title => tale.map_or_else(|| "On its way".to_owned(), |tale| road::title(&stage, tale)),
            practice_name => practice_name(&practice),
            practice,
            request,
            state => tale.map(|tale| tale.state.clone()),
            road => tale.map(|tale| steps(&tale.road)).unwrap_or_default(),
            explanation => match tale {
                Some(tale) => app.service.store.standing(tale.id).await?.and_then(|s| s.explanation),
                None => None,
            },
            note => own["note"][0]["text"].as_str().unwrap_or_default().to_owned(),
            active => own["status"] == "active" && tale.is_some_and(|tale| tale.episode.is_open()),
            request_json => pretty(own),
            patient_json => patient.as_ref().map(pretty),
            pieces => pieces(&about, stage.now()),
            scores,
        },
    )
}

/// (need, steps) of each line of a road.
fn steps(road: &str) -> Vec<(Option<String>, Vec<String>)> {
    let line = |line: &str| {
        let (need, steps) = line.split_once(": ").map_or((None, line), |(need, steps)| (Some(need.to_owned()), steps));
        (need, steps.split(" → ").map(capital).collect())
    };
    if road.is_empty() { Vec::new() } else { road.split("; ").map(line).collect() }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn pieces(about: &About, now: jiff::Timestamp) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for task in &about.tasks {
        let status = task["status"].as_str().unwrap_or("unknown");
        let business = task["businessStatus"]["coding"][0]["display"].as_str();
        let line = business.map_or_else(|| status.to_owned(), |words| format!("{status}: {}", words.to_lowercase()));
        let words = task["statusReason"]["text"].as_str().map(str::to_owned);
        pieces.push(piece("Where the referral stands", line, words, task, now));
    }
    for procedure in &about.procedures {
        let line = "Referral to social prescribing service (871731000000106)".to_owned();
        pieces.push(piece("Coded", line, None, procedure, now));
    }
    for document in &about.documents {
        let data = document["content"][0]["attachment"]["data"].as_str().and_then(|text| STANDARD.decode(text).ok());
        let words = data.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        pieces.push(piece("Message back to you", "Social prescribing".to_owned(), words, document, now));
    }
    for observation in &about.observations {
        let when = observation["note"][0]["text"].as_str().unwrap_or("Wellbeing").to_owned();
        pieces.push(piece("Wellbeing scores", when, None, observation, now));
    }
    pieces
}

fn piece(what: &'static str, line: String, words: Option<String>, json: &Value, now: jiff::Timestamp) -> Piece {
    let at = json["meta"]["lastUpdated"].as_str().and_then(|text| text.parse().ok()).map(|at| when(at, now));
    Piece { what, line, words, at, json: pretty(json) }
}

fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_person_has_a_number_that_is_nobodys() {
        let numbers: Vec<String> = (0..40).filter_map(|n| nhs_number(999_040_000 + n * 7)).collect();
        assert!(numbers.len() > 30);
        assert!(numbers.iter().all(|number| number.starts_with("999")));
    }

    #[test]
    fn an_invented_person_is_the_one_the_note_tells_of() {
        for (note, gender, age) in [
            ("82F. Lives alone.", Some("female"), Some(82)),
            ("Lonely 40m, off work", Some("male"), Some(40)),
            ("He says that his wife left.", Some("male"), None),
            ("Would like company.", None, None),
            ("Walked 5km in 1999F", None, None),
        ] {
            assert_eq!(told_of(note), Told { gender, age }, "{note}");
        }
    }

    #[test]
    fn a_road_is_cut_into_its_steps() {
        assert_eq!(steps("offered → accepted"), [(None, vec!["Offered".to_owned(), "Accepted".to_owned()])]);
        assert_eq!(steps("a: x; b: y").len(), 2);
    }
}
