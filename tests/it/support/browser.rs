//! A browser without JavaScript: keeps cookies, follows redirects of its own site, fills in the forms it is shown.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::{Client, Method, Response, StatusCode, header, redirect};

/// A page as it came.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) path: String,
    pub(crate) html: String,
}

/// A form of a page.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

/// One visitor's browser.
#[derive(Debug)]
pub(crate) struct Browser {
    base: String,
    client: Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    /// A fresh browser that reaches the service at `base`, without a slash at its end.
    pub(crate) fn new(base: &str) -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Self { base: base.to_owned(), client, cookies: Mutex::default() }
    }

    /// What it would send along: (name, value).
    pub(crate) fn cookies(&self) -> Vec<(String, String)> {
        self.cookies.lock().unwrap().clone().into_iter().collect()
    }

    /// Opens a page; `place` is a path or a whole address of the service.
    pub(crate) async fn open(&self, place: &str) -> Page {
        self.go(Method::GET, place, None).await
    }

    /// Fills in the form of `page` whose address ends with `action`, and sends it.
    pub(crate) async fn submit(&self, page: &Page, action: &str, filled: &[(&str, &str)]) -> Page {
        let form = page.form(action).unwrap_or_else(|| panic!("no form {action} on {}:\n{}", page.path, page.html));
        self.send(&form, filled).await
    }

    /// Fills in this form and sends it.
    pub(crate) async fn send(&self, form: &Form, filled: &[(&str, &str)]) -> Page {
        let mut fields = form.fields.clone();
        for (name, value) in filled {
            fields.retain(|(theirs, _)| theirs != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.go(Method::POST, &form.action, Some(fields)).await
    }

    async fn go(&self, method: Method, place: &str, form: Option<Vec<(String, String)>>) -> Page {
        let (mut method, mut form) = (method, form);
        let mut path = place.strip_prefix(&self.base).unwrap_or(place).to_owned();
        for _ in 0..5 {
            let response = self.ask(&method, &path, form.take()).await;
            self.keep_cookies(&response);
            let status = response.status();
            if !status.is_redirection() {
                return Page { status, path, html: response.text().await.unwrap() };
            }
            let to = response.headers()[header::LOCATION].to_str().unwrap();
            path = to.strip_prefix(&self.base).unwrap_or(to).to_owned();
            method = Method::GET;
        }
        panic!("{place} redirects without end");
    }

    async fn ask(&self, method: &Method, path: &str, form: Option<Vec<(String, String)>>) -> Response {
        assert!(path.starts_with('/'), "the service sent us elsewhere: {path}");
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        let cookies: Vec<String> = self.cookies.lock().unwrap().iter().map(|(n, v)| format!("{n}={v}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if let Some(fields) = form {
            let mut body = url::form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(fields);
            request = request
                .header(header::ORIGIN, &self.base)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body.finish());
        }
        request.send().await.unwrap()
    }

    fn keep_cookies(&self, response: &Response) {
        for set in response.headers().get_all(header::SET_COOKIE) {
            let text = set.to_str().unwrap();
            if let Some((name, value)) = text.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Page {
    /// Whether it shows these words.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.html.contains(words)
    }

    /// The form whose address ends with `action`.
    pub(crate) fn form(&self, action: &str) -> Option<Form> {
        self.forms().into_iter().find(|form| form.action.ends_with(action))
    }

    /// Every form: where it goes, and what it holds before anybody types.
    pub(crate) fn forms(&self) -> Vec<Form> {
        let mut forms = Vec::new();
        let mut rest = self.html.as_str();
        while let Some(start) = rest.find("<form") {
            let block = &rest[start..];
            let end = block.find("</form>").unwrap_or(block.len());
            let (form, after) = block.split_at(end);
            let head = &form[..form.find('>').unwrap_or(form.len())];
            let action = attribute(head, "action").unwrap_or_else(|| self.path.clone());
            let fields = form.split("<input").skip(1).filter_map(|input| {
                let input = &input[..input.find('>').unwrap_or(input.len())];
                let hidden = attribute(input, "type").as_deref() == Some("hidden");
                Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default())).filter(|_| hidden)
            });
            forms.push(Form { action, fields: fields.collect() });
            rest = after;
        }
        forms
    }
}

impl Form {
    /// Whether it goes to an address with this end and holds this before anybody types.
    pub(crate) fn is(&self, action: &str, holds: (&str, &str)) -> bool {
        self.action.ends_with(action)
            && self.fields.iter().any(|(name, value)| (name.as_str(), value.as_str()) == holds)
    }
}

/// The value of one attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    let value = &rest[..rest.find('"')?];
    Some(value.replace("&#x2f;", "/").replace("&amp;", "&"))
}
