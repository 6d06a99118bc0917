//! Looking for a service by its words, where what the matcher found does not do: the coordinator knows better.

use axum::extract::{Query, State};
use axum::response::Html;
use serde::Deserialize;

use super::session::Hers;
use crate::directory::{Service, ServiceStatus};
use crate::referral::NeedCode;
use crate::web::pages::{self, fill};
use crate::web::{App, PageError, need_words};

/// More than a person wants to read.
const MOST: usize = 30;

#[derive(Deserialize)]
pub(super) struct Looked {
    need: String,
    #[serde(default)]
    q: String,
}

/// GET: services in whose texts every word stands; those with the words in their name first.
pub(super) async fn show(
    State(app): State<App>,
    Hers { who, standing }: Hers,
    Query(looked): Query<Looked>,
) -> Result<Html<String>, PageError> {
    let need = NeedCode::from(looked.need.as_str());
    standing.episode.need(&need).ok_or(PageError::NotFound)?;
    let words: Vec<String> = looked.q.split_whitespace().take(8).map(str::to_lowercase).collect();
    let directory = app.service.directory();
    let mut found: Vec<(bool, &Service)> = Vec::new();
    if !words.is_empty() {
        for service in directory.services().iter().filter(|s| s.status == ServiceStatus::Active) {
            let name = format!("{} {}", service.name, service.organisation.name).to_lowercase();
            let text = format!("{name} {} {}", service.description, service.terms.join(" ")).to_lowercase();
            if words.iter().all(|word| text.contains(word.as_str())) {
                found.push((!words.iter().all(|word| name.contains(word.as_str())), service));
            }
        }
        found.sort_by_key(|(in_text_only, service)| (*in_text_only, service.name.clone()));
    }
    let all = found.len();
    let services: Vec<_> = found
        .into_iter()
        .take(MOST)
        .map(|(_, s)| {
            let about: String = s.description.chars().take(160).collect();
            (s.id.to_string(), s.name.clone(), s.organisation.name.clone(), about)
        })
        .collect();
    pages::render(
        "desk/find.html",
        fill! {
            frame => who.frame(),
            id => standing.episode.id.to_string(),
            need => looked.need,
            need_name => need_words(&need),
            q => looked.q,
            services,
            all,
        },
    )
}
