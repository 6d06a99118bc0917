//! Who is at the desk, and what she may touch: the signed-in account ([`SignedIn`]), a form of its own session ([`Sent`]),
//! a referral of one of its programmes ([`Hers`]). A handler that asks for them can forget none of the three checks.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{RequestExt as _, RequestPartsExt as _};

use crate::referral::{ProgrammeId, ReferralId, UserId};
use crate::store::{Account, Standing};
use crate::web::posted::Posted;
use crate::web::{App, PageError, cookie};

/// The session cookie's name.
pub(super) const COOKIE: &str = "wb-desk";

/// A signed-in coordinator.
pub(super) struct SignedIn {
    pub(super) account: Account,
    pub(super) csrf: String,
    pub(super) session: String,
}

/// A form that she sent, from a page of this very session.
pub(super) struct Sent {
    pub(super) who: SignedIn,
    pub(super) posted: Posted,
}

/// A referral of one of her programmes; any other is not there.
pub(super) struct Hers {
    pub(super) who: SignedIn,
    pub(super) standing: Standing,
}

/// Nobody is signed in (the page is the sign-in page), or there is nothing here for her.
pub(super) enum NotIn {
    SignIn,
    Failed(PageError),
}

impl From<PageError> for NotIn {
    fn from(error: PageError) -> Self {
        Self::Failed(error)
    }
}

impl IntoResponse for NotIn {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn => Redirect::to("/desk/sign-in").into_response(),
            Self::Failed(error) => error.into_response(),
        }
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = NotIn;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NotIn> {
        let session = cookie::read(app, &parts.headers, COOKIE).ok_or(NotIn::SignIn)?;
        let found = app.service.store.session(&session, app.now()).await.map_err(PageError::from)?;
        let found = found.ok_or(NotIn::SignIn)?;
        Ok(Self { account: found.account, csrf: found.csrf, session })
    }
}

impl FromRequest<App> for Sent {
    type Rejection = NotIn;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, NotIn> {
        let who = request.extract_parts_with_state::<SignedIn, App>(app).await?;
        let posted = Posted::from_request(request, app).await?;
        who.check(&posted)?;
        Ok(Self { who, posted })
    }
}

impl FromRequestParts<App> for Hers {
    type Rejection = NotIn;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NotIn> {
        let who = SignedIn::from_request_parts(parts, app).await?;
        let Path(id) = parts.extract::<Path<String>>().await.map_err(|_| PageError::NotFound)?;
        let standing = who.standing(app, &id).await?;
        Ok(Self { who, standing })
    }
}

impl SignedIn {
    /// A form of this session's own.
    fn check(&self, posted: &Posted) -> Result<(), PageError> {
        let (sent, own) = (posted.get("csrf").as_bytes(), self.csrf.as_bytes());
        aws_lc_rs::constant_time::verify_slices_are_equal(sent, own).map_err(|_| PageError::Forbidden)
    }

    /// Who acts.
    pub(super) fn user(&self) -> &UserId {
        &self.account.id
    }

    /// Whether she belongs to a programme; for one she does not there is no page.
    pub(super) fn may_see(&self, programme: &ProgrammeId) -> bool {
        self.account.programmes.contains(programme)
    }

    /// A referral of one of her programmes; any other is not there.
    pub(super) async fn standing(&self, app: &App, id: &str) -> Result<Standing, PageError> {
        let id: ReferralId = id.parse().map_err(|_| PageError::NotFound)?;
        let standing = app.service.store.standing(id).await?.ok_or(PageError::NotFound)?;
        if self.may_see(&standing.episode.programme) { Ok(standing) } else { Err(PageError::NotFound) }
    }

    /// What every desk page shows.
    pub(super) fn frame(&self) -> Frame {
        Frame { name: self.account.name.clone(), csrf: self.csrf.clone() }
    }
}

/// What every desk page shows.
#[derive(serde::Serialize)]
pub(super) struct Frame {
    name: String,
    csrf: String,
}
