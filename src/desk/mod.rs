//! The Wellbeing Coordinator's desk: what waits for a person and why, one referral at a time, and what she may decide.
//!
//! Behind a local account; a user sees her own programmes' referrals, and for everything else the desk says that there
//! is no such page. Opening a referral writes down who looked and stops its alerts; nothing else moves without a form
//! with the session's own token.
//!
//! - [`accounts`]: passwords and accounts; [`session`], [`sign_in`]: coming in;
//! - [`worklist`], [`referral`] with [`needs`], [`timeline`] and [`marks`]: what is seen;
//! - [`ask`], [`decide`], [`settle`] (on [`act`]), [`find`], [`partners`]: what is done; [`identifiers`] checks what is written to a partner;
//! - [`words`]: what every state is called.

pub mod accounts;
mod act;
mod ask;
mod decide;
mod find;
pub mod identifiers;
pub mod marks;
#[cfg(test)]
mod matters_tests;
mod needs;
mod partners;
#[cfg(test)]
mod programme_tests;
mod referral;
mod session;
mod settle;
mod sign_in;
#[cfg(test)]
mod tests;
mod timeline;
pub mod words;
mod worklist;

use axum::Router;
use axum::routing::{get, post};

use crate::web::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(worklist::show))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/referral/{id}", get(referral::show))
        .route("/referral/{id}/offer", get(ask::offer_form).post(ask::offer))
        .route("/referral/{id}/in-error", get(ask::error_form).post(ask::made_in_error))
        .route("/referral/{id}/decide", get(decide::decide_form).post(decide::decide))
        .route("/referral/{id}/settle", post(settle::settle))
        .route("/referral/{id}/same-person", post(settle::same_person))
        .route("/referral/{id}/file-again", post(settle::file_again))
        .route("/referral/{id}/set-aside", get(settle::aside_form).post(settle::set_aside))
        .route("/referral/{id}/find", get(find::show))
        .route("/partners", get(partners::list))
        .route("/partner", get(partners::form).post(partners::confirm))
}
