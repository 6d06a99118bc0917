//! A browser for people of the play: it keeps cookies, follows redirects on our own pages and fills in real forms.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, redirect};

use super::form::{Form, forms, links, plain, without_token};
use crate::demo::DemoError;

/// More redirects than any of our pages makes.
const MOST_HOPS: usize = 5;

/// One person's browser.
pub(super) struct Browser {
    client: Client,
    /// `http://127.0.0.1:8080`.
    origin: String,
    cookies: BTreeMap<String, String>,
}

/// A page that was shown.
pub(super) struct Page {
    /// Where it is, without its query.
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) html: String,
}

impl Browser {
    pub(super) fn new(origin: &str) -> Result<Self, DemoError> {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build();
        Ok(Self { client: client.map_err(DemoError::Http)?, origin: origin.to_owned(), cookies: BTreeMap::new() })
    }

    /// Opens a page by its whole address or its path.
    pub(super) async fn open(&mut self, address: &str) -> Result<Page, DemoError> {
        self.go(Method::GET, address, None).await
    }

    /// Sends a form.
    pub(super) async fn submit(&mut self, form: &Form) -> Result<Page, DemoError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            .finish();
        if form.post {
            self.go(Method::POST, &form.action, Some(body)).await
        } else {
            self.go(Method::GET, &format!("{}?{body}", form.action), None).await
        }
    }

    async fn go(&mut self, method: Method, address: &str, body: Option<String>) -> Result<Page, DemoError> {
        let mut path = address.strip_prefix(&self.origin).unwrap_or(address).to_owned();
        let (mut method, mut body) = (method, body);
        for _ in 0..MOST_HOPS {
            let mut request = self.client.request(method.clone(), format!("{}{path}", self.origin));
            if !self.cookies.is_empty() {
                let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
                request = request.header(COOKIE, pairs.join("; "));
            }
            if let Some(body) = body.take() {
                let kind = "application/x-www-form-urlencoded";
                request = request.header("content-type", kind).header(ORIGIN, &self.origin).body(body);
            }
            let answer = request.send().await.map_err(|why| DemoError::Http(why.without_url()))?;
            for set in answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
                if let Some((name, value)) = set.split(';').next().and_then(|pair| pair.split_once('=')) {
                    self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
                }
            }
            let next = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
            if let Some(next) = next {
                path = next;
                method = Method::GET;
                continue;
            }
            let status = answer.status().as_u16();
            let html = answer.text().await.map_err(|why| DemoError::Http(why.without_url()))?;
            let path = path.split('?').next().unwrap_or_default().to_owned();
            return Ok(Page { path, status, html });
        }
        Err(DemoError::Play(format!("{} sends one on and on", without_token(&path))))
    }
}

impl Page {
    /// It was shown, not an error.
    pub(super) fn well(self) -> Result<Self, DemoError> {
        if self.status == 200 { Ok(self) } else { Err(self.wrong("was not shown")) }
    }

    /// The form whose address ends so.
    pub(super) fn form(&self, ending: &str) -> Result<Form, DemoError> {
        let found = forms(&self.html).into_iter().find(|form| form.action.ends_with(ending));
        found.ok_or_else(|| self.wrong(&format!("has no form to …{ending}")))
    }

    /// The first form that fits.
    pub(super) fn form_where(&self, fits: impl Fn(&Form) -> bool) -> Option<Form> {
        forms(&self.html).into_iter().find(fits)
    }

    /// Where the first link leads whose address holds this.
    pub(super) fn link(&self, part: &str) -> Option<String> {
        links(&self.html).into_iter().map(|(to, _)| to).find(|to| to.contains(part))
    }

    /// Whether a person can read these words on it.
    pub(super) fn says(&self, words: &str) -> bool {
        plain(&self.html).contains(words)
    }

    /// What is wrong with it, with its heading for whoever reads the failure.
    pub(super) fn wrong(&self, what: &str) -> DemoError {
        let heading = self.html.split("<h1").nth(1).and_then(|rest| rest.split("</h1>").next());
        let heading = heading.map(|rest| plain(&format!("<h1{rest}"))).unwrap_or_default();
        DemoError::Play(format!("{} (status {}, “{heading}”) {what}", without_token(&self.path), self.status))
    }
}
