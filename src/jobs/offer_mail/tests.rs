//! The last look before a mail leaves.

use super::*;
use crate::referral::OfferId;
use crate::store::sql::query;
use crate::web::testing::{World, referral};

/// An offer whose mail was read again for, matched and composed, and has not left.
async fn composed() -> (World, SendOfferMail, Attempt, Offer) {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let (offer, _): (OfferId, String) = world.ask(id, "visits").await;
    let pool = world.service.store.pool();
    query("update river_job set state = 'running' where kind = 'send_offer_mail'").execute(pool).await.unwrap();
    let job = query("select id from river_job where kind = 'send_offer_mail'").scalar(pool).await.unwrap();
    let attempt = Attempt { job, number: 1, now: world.service.clock.now() };
    let asked = world.service.store.standing(id).await.unwrap().unwrap().episode.offer(offer).unwrap().clone();
    (world, SendOfferMail { referral: id, offer, mail: OfferMail::Offer }, attempt, asked)
}

#[tokio::test]
async fn a_withdrawal_that_comes_while_a_mail_is_composed_stops_it() {
    let (world, job, attempt, offer) = composed().await;
    let mail = offer_mail_id(job.offer, job.mail);
    world.happens(job.referral, Event::Withdrawn { by: Actor::Practice }).await;
    assert_eq!(job.leaves(&world.service, attempt, &mail, &offer).await.unwrap(), Leaves::NoLongerTrue);
    let state = world.service.store.mail(&mail).await.unwrap().unwrap().state;
    assert_eq!(state, MailState::Asked.as_str(), "it is not said to have been on its way");
}

#[tokio::test]
async fn a_mail_that_is_still_true_is_written_down_as_leaving_once() {
    let (world, job, attempt, offer) = composed().await;
    let mail = offer_mail_id(job.offer, job.mail);
    assert_eq!(job.leaves(&world.service, attempt, &mail, &offer).await.unwrap(), Leaves::Now);
    let state = world.service.store.mail(&mail).await.unwrap().unwrap().state;
    assert_eq!(state, MailState::Leaving.as_str());
    assert_eq!(job.leaves(&world.service, attempt, &mail, &offer).await.unwrap(), Leaves::Overtaken);
}
