//! Templates: compiled in, one engine, HTML escaped by name, an undefined value an error.
//!
//! `base.html` has the blocks `title`, `who` (the name in the header), `nav`, `main` and `footer`; a page extends it. The
//! demo adds its own pages to [`TEMPLATES`].

use std::sync::LazyLock;

use axum::response::Html;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::PageError;
use super::visitor::sha256;

/// The one style sheet.
pub const STYLE_SHEET: &str = include_str!("wellbridge.css");

macro_rules! templates {
    ($($name:literal => $path:literal),* $(,)?) => { &[$(($name, include_str!($path))),*] };
}

/// Every page, by name.
const TEMPLATES: &[(&str, &str)] = templates![
    "base.html" => "templates/base.html",
    "parts.html" => "templates/parts.html",
    "landing.html" => "templates/landing.html",
    "message.html" => "templates/message.html",
    "answer/base.html" => "templates/answer/base.html",
    "answer/asked.html" => "templates/answer/asked.html",
    "answer/no.html" => "templates/answer/no.html",
    "answer/question.html" => "templates/answer/question.html",
    "answer/taken.html" => "templates/answer/taken.html",
    "answer/over.html" => "templates/answer/over.html",
    "answer/code.html" => "templates/answer/code.html",
    "answer/person.html" => "templates/answer/person.html",
    "answer/tell.html" => "templates/answer/tell.html",
    "desk/base.html" => "../desk/templates/base.html",
    "desk/sign-in.html" => "../desk/templates/sign-in.html",
    "desk/worklist.html" => "../desk/templates/worklist.html",
    "desk/referral.html" => "../desk/templates/referral.html",
    "desk/candidate.html" => "../desk/templates/candidate.html",
    "desk/form.html" => "../desk/templates/form.html",
    "desk/find.html" => "../desk/templates/find.html",
    "desk/partner.html" => "../desk/templates/partner.html",
    "desk/partners.html" => "../desk/templates/partners.html",
    "demo/base.html" => "../demo/page/templates/base.html",
    "demo/welcome.html" => "../demo/page/templates/welcome.html",
    "demo/gp.html" => "../demo/page/templates/gp.html",
    "demo/record.html" => "../demo/page/templates/record.html",
    "demo/partner.html" => "../demo/page/templates/partner.html",
    "demo/mail.html" => "../demo/page/templates/mail.html",
    "demo/coordinator.html" => "../demo/page/templates/coordinator.html",
];

static ENGINE: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    engine.set_syntax(syntax.map_err(|error| error.to_string())?);
    let version = sha256(STYLE_SHEET).chars().take(10).collect::<String>();
    engine.add_global("style_version", version);
    for (name, text) in TEMPLATES {
        engine.add_template(name, text).map_err(|error| error.to_string())?;
    }
    Ok(engine)
});

/// A page's context: `fill! { name, other => expression }`, each anything that serialises.
macro_rules! fill {
    (@value $key:ident) => { minijinja::Value::from(minijinja::value::Serde(&$key)) };
    (@value $key:ident $value:expr) => { minijinja::Value::from(minijinja::value::Serde(&$value)) };
    ($($key:ident $(=> $value:expr)?),* $(,)?) => {
        std::collections::BTreeMap::<&str, minijinja::Value>::from([
            $((stringify!($key), $crate::web::pages::fill!(@value $key $($value)?))),*
        ])
    };
}
pub(crate) use fill;

/// Fills a page.
pub fn render(name: &str, context: impl Serialize) -> Result<Html<String>, PageError> {
    let engine = ENGINE.as_ref().map_err(|why| PageError::internal(why.clone()))?;
    let template = engine.get_template(name).map_err(PageError::internal)?;
    Ok(Html(template.render(Serde(context)).map_err(PageError::internal)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles() {
        assert!(ENGINE.is_ok(), "{:?}", ENGINE.as_ref().err());
    }

    #[test]
    fn the_style_sheet_fetches_nothing_from_elsewhere() {
        for word in ["@import", "url(http", "url(//"] {
            assert!(!STYLE_SHEET.contains(word), "{word}");
        }
    }
}
