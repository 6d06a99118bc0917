//! Counting one search's matches over its pages, so that an entry which paging lost shows.
//!
//! Pages found by an offset move when the record is written to between two of them: one entry comes twice and another
//! not at all, and the sum still equals `total`. So different entries are counted, against the greatest `total` that
//! any page of the search gave (one deleted meanwhile lowers the last).

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::bundle::Entry;
use super::json;

/// What was counted so far; it travels in a poll's cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// 48 bits of each match's name: small, and two alike in one poll are one chance in a million polls.
    seen: BTreeSet<u64>,
    /// Matches without a name, each taken as another.
    nameless: u64,
    /// Matches that had come before.
    again: u64,
    /// The greatest `Bundle.total`.
    total: Option<u64>,
}

impl Tally {
    /// Takes one page in.
    pub(super) fn add(&mut self, matches: &[&Entry], total: Option<u64>) {
        self.total = self.total.max(total);
        for entry in matches {
            let key = entry.resource.as_ref().and_then(|r| json::key(&r.value));
            match key.as_deref().or(entry.full_url.as_deref()) {
                None => self.nameless += 1,
                Some(name) if self.seen.insert(short(name)) => {}
                Some(_) => self.again += 1,
            }
        }
    }

    /// How many matches never came. Without a `total`, each that came twice stands for one that was pushed past a
    /// page's edge.
    pub(super) fn missing(&self) -> u64 {
        let different = self.nameless + u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
        self.total.map_or(self.again, |total| total.saturating_sub(different))
    }
}

fn short(name: &str) -> u64 {
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    digest.as_ref().iter().take(6).fold(0, |bits, byte| (bits << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::practice::fhir::bundle;

    fn tally(pages: &[(&[&str], Option<u64>)]) -> u64 {
        let mut tally = Tally::default();
        for (ids, total) in pages {
            let entries: Vec<String> = ids
                .iter()
                .map(|id| match *id {
                    "" => r#"{"resource":7}"#.to_owned(),
                    id => format!(r#"{{"resource":{{"resourceType":"ServiceRequest","id":"{id}"}}}}"#),
                })
                .collect();
            let text = format!(r#"{{"resourceType":"Bundle","entry":[{}]}}"#, entries.join(","));
            let page = bundle::read(&text).unwrap();
            tally.add(&page.entries.iter().collect::<Vec<_>>(), *total);
        }
        tally.missing()
    }

    #[test]
    fn what_paging_lost_shows_however_the_numbers_add_up() {
        for (name, pages, missing) in [
            ("all came", vec![(&["a", "b"][..], Some(3)), (&["c"], Some(3))], 0),
            ("one came twice, one not at all", vec![(&["a", "b"], Some(4)), (&["d", "a"], Some(4))], 1),
            ("one was deleted meanwhile", vec![(&["a", "b"], Some(4)), (&["d"], Some(3))], 1),
            ("one more arrived meanwhile", vec![(&["a", "b"], Some(2)), (&["c"], Some(3))], 0),
            ("fewer than promised", vec![(&["a"], Some(4))], 3),
            ("no total, one came twice", vec![(&["a", "b"], None), (&["a"], None)], 1),
            ("no total", vec![(&["a", "b"], None), (&["c"], None)], 0),
            ("strays are each another", vec![(&["", ""], Some(3)), (&["a"], Some(3))], 0),
            ("nothing", vec![(&[], Some(0))], 0),
        ] {
            assert_eq!(tally(&pages), missing, "{name}");
        }
    }
}
