//! Who is told when something begins to fail, and whose it is.
//!
//! A job says what it is [`About`]; from that follows [`Whose`] trouble its failing is. An edge is told once to the
//! programmes it matters to, while its jobs go on trying; and once more when it is well again ([`super::alert`]).

use jiff::Timestamp;

use crate::referral::{AlertId, PracticeId, ReferralId};
use crate::service::Wellbridge;
use crate::store::{Edge, FailingEdge, StoreError, Tx, Whose};

/// What a job is about.
#[derive(Clone, Debug)]
pub(crate) enum About {
    /// The service itself.
    Service,
    /// One practice's system.
    Practice(PracticeId),
    /// One referral, and so its practice.
    Referral(ReferralId),
    /// One alert, and so its programme.
    Alert(AlertId),
    /// One directory feed.
    Feed(String),
}

/// Whose trouble it is when a job about this fails. A programme that was taken out of the settings is named without
/// its practices: everybody is told of it.
pub(super) async fn whose(service: &Wellbridge, about: About) -> Result<Whose, StoreError> {
    Ok(match about {
        About::Service => Whose::Everybody,
        About::Feed(feed) => Whose::Feed(feed),
        About::Practice(id) => match service.practice(&id) {
            Some(practice) => Whose::Practice(practice.programme.clone(), id),
            None => Whose::Everybody,
        },
        About::Referral(id) => match service.store.standing(id).await?.map(|standing| standing.episode) {
            Some(episode) if service.programme(&episode.programme).is_some() => {
                Whose::Practice(episode.programme, episode.practice)
            }
            Some(episode) => Whose::Programme(episode.programme),
            None => Whose::Everybody,
        },
        About::Alert(id) => {
            service.store.alert(id).await?.map_or(Whose::Everybody, |alert| Whose::Programme(alert.programme))
        }
    })
}

/// An edge failed: the first time, each programme it matters to is told. Not where another edge of the same practice
/// fails with the same words: a token that has run out stops polls, filings and Tasks alike, and is one thing to mend.
pub(crate) async fn edge_failed(
    tx: &mut Tx,
    service: &Wellbridge,
    edge: &Edge,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let failing = tx.failing_edges().await?;
    let same =
        |other: &Edge, said: &str| said == why && edge.practice().is_some() && other.practice() == edge.practice();
    if tx.edge_fails(edge, why, now).await? && !failing.iter().any(|(other, _, said)| same(other, said)) {
        for programme in service.concerned_by(edge) {
            tx.raise_failing(programme, edge, now).await?;
        }
    }
    Ok(())
}

/// A practice or feed that the settings no longer know can never be seen to be well: at start it is forgotten. What
/// goes on failing because of that is told again.
pub(super) async fn forget_gone(
    tx: &mut Tx,
    service: &Wellbridge,
    failing: &[FailingEdge],
    now: Timestamp,
) -> Result<(), StoreError> {
    let settings = &service.settings;
    for (edge, ..) in failing {
        let moved = edge.practice().is_some_and(|id| {
            settings.practices.get(id).is_none_or(|practice| Some(&practice.programme) != edge.programme())
        });
        if moved || edge.feed().is_some_and(|feed| !settings.feeds.contains_key(feed)) {
            tx.edge_is_gone(edge, now).await?;
        }
    }
    Ok(())
}
