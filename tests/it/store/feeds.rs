//! The directory as it is kept: where each service came from, when, and whose it is where two feeds use one id.

use wellbridge::directory::Service;

use super::Place;
use super::fixtures::at;

fn service(id: &str, name: &str) -> Service {
    Service { id: id.into(), name: name.to_owned(), ..Service::default() }
}

/// A feed is read whole.
async fn synced(place: &Place, feed: &str, minute: i64, services: &[Service]) -> i64 {
    let mut tx = place.store.begin().await.unwrap();
    tx.add_feed_page(feed, "run", services).await.unwrap();
    tx.place_feed(feed, "run", at(minute)).await.unwrap();
    let shared = tx.in_several_feeds().await.unwrap();
    tx.commit().await.unwrap();
    shared
}

pub(crate) async fn where_a_service_came_from_and_when_is_kept(place: &Place) {
    synced(place, "city", 0, &[service("choir", "Choir"), service("lunch", "Lunch Club")]).await;
    synced(place, "city", 60, &[service("choir", "Community Choir")]).await;
    let door = &place.back_door;
    assert_eq!(door.number("select count(*) from service").await, 1, "what the feed no longer has is gone");
    assert_eq!(door.texts("select feed_id from service where id = 'choir'").await, ["city"]);
    assert_eq!(door.number("select first_seen from service").await, at(0).as_millisecond());
    assert_eq!(door.number("select last_seen from service").await, at(60).as_millisecond());
    assert_eq!(place.store.services().await.unwrap()[0].name, "Community Choir");
    let feeds = place.store.feeds().await.unwrap();
    assert_eq!((feeds[0].id.as_str(), feeds[0].synced, feeds[0].services), ("city", Some(at(60)), 1));
}

pub(crate) async fn of_two_feeds_that_use_one_id_the_first_is_used_and_it_is_told(place: &Place) {
    assert_eq!(synced(place, "north", 0, &[service("1", "Northern Choir"), service("2", "Lunch Club")]).await, 0);
    assert_eq!(synced(place, "city", 1, &[service("1", "City Choir")]).await, 1);
    let names: Vec<String> = place.store.services().await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["City Choir", "Lunch Club"]);
    // Whichever was read last: a sync of the other changes nothing.
    assert_eq!(synced(place, "north", 2, &[service("1", "Northern Choir"), service("2", "Lunch Club")]).await, 1);
    assert_eq!(place.store.services().await.unwrap().len(), 2);
    assert_eq!(place.store.services().await.unwrap()[0].name, "City Choir");
}
