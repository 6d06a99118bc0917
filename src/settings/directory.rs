//! `[directory.feeds.<id>]`: where services come from (Open Referral UK).

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use url::Url;

use super::{
    leaf::words,
    section::{Section, all_or_none},
    web::is_loopback,
};

/// One source of services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its name in the settings; provenance of what it brings.
    pub id: String,
    /// Where it is read.
    pub source: FeedSource,
    /// Time between two syncs.
    pub sync_every: Duration,
}

/// Where a feed is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedSource {
    /// A JSON file of service objects.
    File(PathBuf),
    /// An HSDS-UK 3.0 API: its base, ending in a slash; `services` and `services/{id}` lie under it.
    Http(Url),
}

#[derive(Clone, Copy)]
enum KindWord {
    File,
    Http,
}

words!(KindWord { File = "file", Http = "http" });

pub(super) fn read(section: Section<'_>) -> Option<BTreeMap<String, Feed>> {
    let sync_every = section.at_least("sync_every", Duration::from_mins(1), "a minute");
    let feeds = section.section("feeds");
    let each = feeds.each(None);
    if each.is_empty() {
        feeds.problem("", "There is no directory. Add a section [directory.feeds.<name>]; the default file shows one.");
    }
    let none = each.is_empty();
    let read = all_or_none(each.into_iter().map(|(id, feed)| Some((id.clone(), read_feed(id, feed, sync_every)?))));
    section.finish();
    read.filter(|_| !none)
}

fn read_feed(id: String, section: Section<'_>, usual: Option<Duration>) -> Option<Feed> {
    let kind = section.need::<KindWord>("kind", "Write \"file\" or \"http\".");
    let path = section.maybe::<PathBuf>("path");
    let url = section.maybe::<Url>("url");
    let sync_every = match section.maybe::<Duration>("sync_every") {
        Some(None) => usual,
        Some(Some(_)) => section.at_least("sync_every", Duration::from_mins(1), "a minute"),
        None => None,
    };
    let source = match (kind, path, url) {
        (Some(KindWord::File), Some(Some(path)), Some(None)) => Some(FeedSource::File(path)),
        (Some(KindWord::Http), Some(None), Some(Some(url))) => checked_url(&section, url).map(FeedSource::Http),
        (Some(KindWord::File), Some(_), Some(_)) => {
            section.problem("path", "A feed of kind \"file\" has a `path`, and no `url`.");
            None
        }
        (Some(KindWord::Http), Some(_), Some(_)) => {
            section.problem("url", "A feed of kind \"http\" has a `url`, and no `path`.");
            None
        }
        _ => None,
    };
    section.finish();
    Some(Feed { id, source: source?, sync_every: sync_every? })
}

fn checked_url(section: &Section<'_>, mut url: Url) -> Option<Url> {
    if url.scheme() != "https" && !is_loopback(&url) {
        section.problem("url", "must begin with https://: what it says decides who is written to.");
        return None;
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}
