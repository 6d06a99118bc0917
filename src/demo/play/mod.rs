//! `demo --once`: everybody's part is played over HTTP and SMTP, as people would, and what came of it is compared with
//! what must come of it.
//!
//! [`partner`] and [`coordinator`] sit in front of the real pages through a small [`browser`]; the GP writes into the
//! pretend practice's record. Nothing here reaches into the service, except to know whose turn it is and, in the end,
//! to look.

mod browser;
mod coordinator;
mod form;
pub(super) mod partner;

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use self::coordinator::Coordinator;
use self::partner::{Partner, mail_about, scores};
use super::DemoError;
use super::settings::DUTY_NORTH;
use super::stage::Stage;
use super::stories::{Expected, Plot, Story};
use super::tale::Tale;
use crate::referral::episode::{Offer, OfferStatus};
use crate::referral::event::{Event, OfferMail};
use crate::store::Verified;

/// What came of the play.
#[derive(Debug)]
pub struct Played {
    /// One for each story.
    pub rows: Vec<Row>,
    /// What is not as it must be, a sentence each; empty is good.
    pub problems: Vec<String>,
    /// The ledger, replayed from nothing.
    pub verified: Verified,
    /// Mails that left the service.
    pub mails: usize,
    /// Partners that the coordinator confirmed.
    pub confirmed: usize,
    /// How long it took.
    pub took: Duration,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The person, by name.
    pub person: String,
    /// What the story is about.
    pub title: String,
    /// The needs that were read.
    pub needs: String,
    /// What came of it.
    pub came: Expected,
    /// Mails about it.
    pub mails: usize,
    /// It is what must have come of it.
    pub as_expected: bool,
}

/// Plays everything.
pub async fn play(stage: &Stage) -> Result<Played, DemoError> {
    let began = Instant::now();
    let mut problems = Vec::new();
    for story in &stage.stories {
        stage.send(story).await?;
    }
    stage.settle().await?;
    let mut coordinator = Coordinator::signs_in(stage).await?;
    match coordinator.worklist().await {
        Ok(worklist) => problems.extend(worklist_problem(&worklist)),
        Err(error) => problems.push(error.to_string()),
    }
    // Whoever must not be overtaken by the clock comes first.
    let (last, first): (Vec<&Story>, Vec<&Story>) =
        stage.stories.iter().partition(|story| story.plays == Plot::UnansweredThenAccepted);
    for story in first.into_iter().chain(last) {
        if let Err(error) = one(stage, story, &mut coordinator).await {
            problems.push(format!("{}: {error}", story.id));
        }
        stage.settle().await?;
    }
    let mut rows = Vec::new();
    for story in &stage.stories {
        rows.push(row(stage, story, &mut problems).await?);
    }
    problems.extend(mail_problems(stage));
    if coordinator.confirmed == 0 {
        problems.push("the coordinator had no partner to confirm".to_owned());
    }
    let verified = stage.service.store.verify(|_, _| ()).await?;
    problems.extend(verified.problems.iter().map(|problem| format!("the ledger: {problem}")));
    let (mails, confirmed) = (stage.mail.mails().len(), coordinator.confirmed);
    Ok(Played { rows, problems, verified, mails, confirmed, took: began.elapsed() })
}

/// One story's people do their part.
async fn one(stage: &Stage, story: &Story, coordinator: &mut Coordinator) -> Result<(), DemoError> {
    let name = story.person.name();
    match story.plays {
        Plot::None => Ok(()),
        Plot::ReadByAPerson => coordinator.supports_herself(tale(stage, story).await?.id).await,
        Plot::Approved => {
            coordinator.approves(tale(stage, story).await?.id).await?;
            let mut partner = asked(stage, story).await?;
            partner.says_yes().await?;
            partner.looks_who_it_is(&name).await?;
            partner.tells("started", &story.before.map(scores).unwrap_or_default()).await
        }
        Plot::AnotherWay => {
            coordinator.asks_another(tale(stage, story).await?.id, "lunch club").await?;
            to_the_end(&mut asked(stage, story).await?, story, &name).await
        }
        Plot::ToTheEnd => to_the_end(&mut asked(stage, story).await?, story, &name).await,
        Plot::AcceptedAndBooked => {
            let mut partner = asked(stage, story).await?;
            partner.says_yes().await?;
            partner.looks_who_it_is(&name).await?;
            partner.tells("booked", &[]).await
        }
        Plot::DeclinedThenAccepted => {
            let declined = open_offer(stage, story).await?;
            asked(stage, story).await?.says_no("22").await?;
            stage.settle().await?;
            if open_offer(stage, story).await.is_err() {
                let id = tale(stage, story).await?.id;
                coordinator.asks_the_next(id, declined.need.as_str()).await?;
            }
            let mut partner = asked(stage, story).await?;
            partner.says_yes().await?;
            partner.looks_who_it_is(&name).await?;
            partner.tells("started", &[]).await
        }
        Plot::Withdrawn => {
            let offer = open_offer(stage, story).await?;
            mail_about(stage, offer.id, OfferMail::Offer.as_str()).await?;
            stage.revoke(&story.practice, &story.id).await?;
            mail_about(stage, offer.id, OfferMail::Cancellation.as_str()).await.map(drop)
        }
        Plot::UnansweredThenAccepted => {
            let offer = open_offer(stage, story).await?;
            until(stage, remind_at(stage, story, &offer).await?).await?;
            mail_about(stage, offer.id, OfferMail::Reminder.as_str()).await?;
            until(stage, offer.reply_by).await?;
            let mut partner = asked(stage, story).await?;
            partner.says_yes().await?;
            partner.looks_who_it_is(&name).await
        }
    }
}

/// Yes, who is it, started with scores, finished with what helped and scores.
async fn to_the_end(partner: &mut Partner<'_>, story: &Story, name: &str) -> Result<(), DemoError> {
    partner.says_yes().await?;
    partner.looks_who_it_is(name).await?;
    partner.tells("booked", &[]).await?;
    partner.tells("started", &story.before.map(scores).unwrap_or_default()).await?;
    let mut words = vec![
        ("tried", "Came every week for two months and stayed for the tea afterwards.".to_owned()),
        ("helped", "The same faces each time, and somebody who noticed when she was not there.".to_owned()),
        ("did-not-help", "The first room was too cold.".to_owned()),
    ];
    words.extend(story.after.map(scores).unwrap_or_default());
    partner.tells("finished", &words).await
}

async fn tale(stage: &Stage, story: &Story) -> Result<Tale, DemoError> {
    let tale = stage.tale(&story.practice, &story.id).await?;
    tale.ok_or_else(|| DemoError::Play("the referral never came in".into()))
}

/// The offer that waits for an answer.
async fn open_offer(stage: &Stage, story: &Story) -> Result<Offer, DemoError> {
    let tale = tale(stage, story).await?;
    let open = tale.episode.offers.iter().find(|offer| offer.status == OfferStatus::Requested);
    open.cloned().ok_or_else(|| DemoError::Play(format!("no partner has been asked (it is {})", tale.state)))
}

/// The partner who was asked, with the mail opened.
async fn asked<'a>(stage: &'a Stage, story: &Story) -> Result<Partner<'a>, DemoError> {
    let offer = open_offer(stage, story).await?;
    Partner::reads(stage, offer.id, OfferMail::Offer).await
}

async fn remind_at(stage: &Stage, story: &Story, offer: &Offer) -> Result<jiff::Timestamp, DemoError> {
    let id = tale(stage, story).await?.id;
    let events = stage.service.store.events(id).await?;
    let due = events.into_iter().find_map(|recorded| match recorded.event {
        Event::Offered { offer: made, remind_at, .. } if made == offer.id => Some(remind_at),
        _ => None,
    });
    due.ok_or_else(|| DemoError::Play("the offer has no reminder".into()))
}

/// Lets time pass until just after a moment.
async fn until(stage: &Stage, moment: jiff::Timestamp) -> Result<(), DemoError> {
    let wait = moment.duration_since(stage.now()) + SignedDuration::from_mins(1);
    stage.pass(wait.max(SignedDuration::ZERO)).await?;
    stage.settle().await
}

async fn row(stage: &Stage, story: &Story, problems: &mut Vec<String>) -> Result<Row, DemoError> {
    let Some(tale) = stage.tale(&story.practice, &story.id).await? else {
        problems.push(format!("{}: the referral never came in", story.id));
        let came = Expected::default();
        let (person, title) = (story.person.name(), story.title.clone());
        return Ok(Row { person, title, needs: String::new(), came, mails: 0, as_expected: false });
    };
    let came = Expected { road: tale.road, state: tale.state, record: tale.record };
    for (what, came, must) in [
        ("the road", &came.road, &story.expect.road),
        ("the state", &came.state, &story.expect.state),
        ("the record", &came.record, &story.expect.record),
    ] {
        if came != must {
            problems.push(format!("{}: {what} is “{came}” and should be “{must}”", story.id));
        }
    }
    Ok(Row {
        person: story.person.name(),
        title: story.title.clone(),
        needs: tale.needs.join(", "),
        as_expected: came == story.expect,
        came,
        mails: tale.mails,
    })
}

/// Safety stands first, and nobody's name stands on a screen that others may see.
fn worklist_problem(worklist: &str) -> Option<String> {
    let waiting = worklist.split("What waits for you").nth(1).unwrap_or_default();
    let at = |words: &str| waiting.find(words).unwrap_or(usize::MAX);
    (at("Safety") > at("Second choices") || at("Safety") > at("To approve"))
        .then(|| "the worklist does not show the safety matter first".to_owned())
}

/// No mail tells who a person is, and the duty address was told of the safety matter.
fn mail_problems(stage: &Stage) -> Vec<String> {
    let mut problems = Vec::new();
    let mails = stage.mail.mails();
    for story in &stage.stories {
        let person = &story.person;
        let tells = |words: &str| mails.iter().any(|mail| String::from_utf8_lossy(&mail.raw).contains(words));
        for words in [person.family.as_str(), &person.phone, person.nhs_number.as_deref().unwrap_or(&person.line)] {
            if tells(words) {
                problems.push(format!("{}: a mail tells who the person is", story.id));
            }
        }
    }
    if stage.mail.mails_to(DUTY_NORTH).is_empty() {
        problems.push("the duty address was not told of the safety matter".to_owned());
    }
    problems
}
