//! Limits: however many knock at once, and from how many processes, no more come first than may.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::SignedDuration;
use wellbridge::store::Store;

use super::Place;
use super::fixtures::{at, received};

const MINUTE: i64 = 60;
const MOST: i64 = 10;

/// Forty knocks at once at one door, from these stores: how many were among the first ten.
async fn let_in(stores: &[Store]) -> usize {
    let knocks = (0..40).map(|n| stores[n % stores.len()].knock("practice:beech-lane", MINUTE, at(1)));
    let counts: Vec<i64> = join_all(knocks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts.iter().collect::<BTreeSet<_>>().len(), 40, "each has a number of its own: {counts:?}");
    counts.into_iter().filter(|count| *count <= MOST).count()
}

pub(crate) async fn of_those_who_knock_at_once_no_more_come_first_than_may(place: &Place) {
    assert_eq!(let_in(std::slice::from_ref(&place.store)).await, 10);
    let later = at(1) + SignedDuration::from_secs(MINUTE);
    assert_eq!(
        place.store.knock("practice:beech-lane", MINUTE, later).await.unwrap(),
        1,
        "another minute, another count"
    );
}

pub(crate) async fn four_processes_share_one_count_and_a_dead_one_keeps_nothing(stores: &[Store]) {
    assert_eq!(let_in(stores).await, 10);
    stores[0].close().await;
    let later = at(1) + SignedDuration::from_secs(MINUTE);
    for count in 1..=MOST {
        assert_eq!(stores[1].knock("practice:beech-lane", MINUTE, later).await.unwrap(), count);
    }
}

pub(crate) async fn a_visit_for_a_referral_counts_at_its_practice(place: &Place) {
    let first = received(&place.store, "sr-1").await;
    let (practice, visits) = place.store.visit_for(first, MINUTE, at(1)).await.unwrap().unwrap();
    assert_eq!(visits, 1);
    assert_eq!(place.store.visit(&practice, MINUTE, at(1)).await.unwrap(), 2);
    assert_eq!(place.store.visit_for(first, MINUTE, at(1)).await.unwrap(), Some((practice, 3)));
    let nobody = "0198a000-0000-7000-8000-000000000000".parse().unwrap();
    assert_eq!(place.store.visit_for(nobody, MINUTE, at(1)).await.unwrap(), None);
}
