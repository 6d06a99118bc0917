//! Partners: whose address and agreement are confirmed. Nothing goes to a partner before a coordinator has done so; what
//! a directory says is a hint.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::session::{Sent, SignedIn};
use crate::partner::address::EmailAddress;
use crate::partner::offering::partner_of;
use crate::partner::plain::Line;
use crate::referral::{PartnerId, ProgrammeId, ReferralId, ServiceId};
use crate::store::{Confirmation, Partner};
use crate::web::pages::{self, fill};
use crate::web::when::{When, when};
use crate::web::{App, PageError};

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    email: Option<String>,
    agreement: Option<String>,
    confirmed: Option<(String, When)>,
    bad: Option<When>,
}

/// GET: every partner we know of.
pub(super) async fn list(State(app): State<App>, who: SignedIn) -> Result<Html<String>, PageError> {
    let mut programmes: Vec<(String, Vec<Row>)> = Vec::new();
    for id in &who.account.programmes {
        let partners = app.service.store.partners(id).await?;
        let rows = partners.into_iter().map(|p| row(&app, id, p)).collect();
        programmes.push((app.service.programme(id).map_or(id.to_string(), |p| p.name.to_string()), rows));
    }
    pages::render("desk/partners.html", fill! { frame => who.frame(), programmes })
}

fn row(app: &App, programme: &ProgrammeId, partner: Partner) -> Row {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("programme", programme.as_str())
        .append_pair("partner", partner.id.as_str())
        .finish();
    Row {
        href: format!("/desk/partner?{query}"),
        name: partner.name,
        email: partner.email,
        agreement: partner.agreement,
        confirmed: partner.confirmed.map(|(by, at)| (by.to_string(), when(at, app.now()))),
        bad: partner.bad.map(|(since, _)| when(since, app.now())),
    }
}

/// Which partner: by its id, or as the one that runs a service; and where the page goes back to.
#[derive(Deserialize)]
pub(super) struct Which {
    programme: String,
    #[serde(default)]
    partner: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    referral: String,
}

/// A partner as far as it is known, in the store or from the directory.
struct Known {
    programme: ProgrammeId,
    id: PartnerId,
    name: String,
    hint: Option<String>,
    stored: Option<Partner>,
    /// Phones and web address from the directory: how to ask them.
    reach: Vec<String>,
}

async fn known(app: &App, who: &SignedIn, which: &Which) -> Result<Known, PageError> {
    let programme = ProgrammeId::from(which.programme.as_str());
    if !who.may_see(&programme) {
        return Err(PageError::NotFound);
    }
    let directory = app.service.directory();
    let service = if which.service.is_empty() {
        let id = PartnerId::from(which.partner.as_str());
        directory.services().iter().find(|s| partner_of(s) == id)
    } else {
        directory.get(&ServiceId::from(which.service.as_str()))
    };
    let id = match service {
        Some(service) => partner_of(service),
        None => PartnerId::from(which.partner.as_str()),
    };
    let stored = app.service.store.partner(&programme, &id).await?;
    let name = stored.as_ref().map(|p| p.name.clone()).or_else(|| {
        service.map(|s| if s.organisation.name.is_empty() { s.name.clone() } else { s.organisation.name.clone() })
    });
    let hint = service.and_then(|s| s.email.clone().or_else(|| s.organisation.email.clone()));
    let reach = service.map(|s| s.phones.iter().cloned().chain(s.url.clone()).collect()).unwrap_or_default();
    Ok(Known { programme, id, name: name.ok_or(PageError::NotFound)?, hint, stored, reach })
}

/// GET: address and agreement.
pub(super) async fn form(
    State(app): State<App>,
    who: SignedIn,
    Query(which): Query<Which>,
) -> Result<Html<String>, PageError> {
    let known = known(&app, &who, &which).await?;
    let stored = known.stored.as_ref();
    let email = stored.and_then(|p| p.email.clone()).or_else(|| known.hint.clone()).unwrap_or_default();
    let agreement = stored.and_then(|p| p.agreement.clone()).unwrap_or_default();
    page(&app, &who, &which, &known, &email, &agreement, None)
}

fn page(
    app: &App,
    who: &SignedIn,
    which: &Which,
    known: &Known,
    email: &str,
    agreement: &str,
    problem: Option<(&str, &str)>,
) -> Result<Html<String>, PageError> {
    let stored = known.stored.as_ref();
    pages::render(
        "desk/partner.html",
        fill! {
            frame => who.frame(),
            programme => which.programme,
            partner => known.id.as_str(),
            service => which.service,
            referral => which.referral,
            name => known.name,
            hint => known.hint,
            reach => known.reach,
            email,
            agreement,
            confirmed => stored.and_then(|p| p.confirmed.as_ref()).map(|(by, at)| (by.to_string(), when(*at, app.now()))),
            bad => stored.and_then(|p| p.bad.as_ref()).map(|(since, why)| (when(*since, app.now()), why.clone())),
            problem,
        },
    )
}

/// POST: she has asked them, and this is what was agreed.
pub(super) async fn confirm(State(app): State<App>, Sent { who, posted }: Sent) -> Result<Response, PageError> {
    let which = Which {
        programme: posted.get("programme").to_owned(),
        partner: posted.get("partner").to_owned(),
        service: posted.get("service").to_owned(),
        referral: posted.get("referral").to_owned(),
    };
    let known = known(&app, &who, &which).await?;
    let (email, agreement) = (posted.get("email"), posted.get("agreement"));
    let address = match email.parse::<EmailAddress>() {
        Ok(address) if !agreement.is_empty() => address,
        Ok(_) => {
            let problem = Some(("agreement", "Write what was agreed, and with whom"));
            let page = page(&app, &who, &which, &known, email, agreement, problem)?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
        Err(why) => {
            let why = why.to_string();
            let mut letters = why.chars();
            let why: String = letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default();
            let page = page(&app, &who, &which, &known, email, agreement, Some(("email", &why)))?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let now = app.now();
    let agreement = Line::new(agreement);
    let mut tx = app.service.store.begin().await?;
    let (name, by) = (known.name.as_str(), who.user());
    let confirmed = Confirmation { name, email: address.as_str(), agreement: agreement.as_str(), by };
    tx.confirm_partner(&known.programme, &known.id, &confirmed, now).await?;
    tx.audit(&known.programme, None, by.as_str(), "confirmed a partner’s address and agreement", now).await?;
    tx.commit().await?;
    // Only an id of ours may stand in the address the browser is sent to.
    let to = which
        .referral
        .parse::<ReferralId>()
        .map_or_else(|_| "/desk/partners".to_owned(), |id| format!("/desk/referral/{id}?done=confirmed"));
    Ok(Redirect::to(&to).into_response())
}
