//! A request, its answer, and both as a line of the page.

use std::fmt::Write as _;

use bytes::Bytes;
use e2e::{Client, Real, Reply};
use http::{Method, StatusCode};
use serde_json::Value;

/// What a request carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    Json(String),
    Lines(Vec<String>),
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    method: Method,
    target: String,
    body: Body,
    shown: &'static [&'static str],
    note: &'static str,
}

/// The requests of one caller.
#[derive(Debug)]
pub(crate) struct Group {
    client: &'static str,
    scope: &'static str,
    title: &'static str,
    cases: Vec<Case>,
}

/// `METHOD target`
pub(crate) fn case(line: &str) -> Case {
    let (method, target) = line.split_once(' ').unwrap();
    let method = method.parse().unwrap();
    Case { method, target: target.to_owned(), body: Body::None, shown: &[], note: "" }
}

impl Case {
    pub(crate) fn body(self, body: Body) -> Self {
        Self { body, ..self }
    }

    pub(crate) fn json(self, text: &str) -> Self {
        self.body(Body::Json(text.to_owned()))
    }

    pub(crate) fn lines(self, lines: &[&str]) -> Self {
        self.body(Body::Lines(lines.iter().map(|&line| line.to_owned()).collect()))
    }

    /// Values of the answer that the page shows, as JSON pointers.
    pub(crate) fn showing(self, shown: &'static [&'static str]) -> Self {
        Self { shown, ..self }
    }

    pub(crate) fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    fn content(&self) -> Option<(&'static str, Bytes)> {
        match &self.body {
            Body::None => None,
            Body::Json(text) => Some(("application/json", Bytes::from(text.clone()))),
            Body::Lines(lines) => Some(("application/x-ndjson", Bytes::from(lines.join("\n") + "\n"))),
        }
    }

    /// Whether asking as administrator changes nothing.
    fn only_asks(&self) -> bool {
        let path = self.target.split('?').next().unwrap_or_default();
        let search = ["/_search", "/_count", "/_msearch", "/_mget"].iter().any(|end| path.ends_with(end));
        matches!(self.method, Method::GET | Method::HEAD) || (self.method == Method::POST && search)
    }

    async fn through(&self, client: &Client) -> Reply {
        match self.content() {
            None => client.get_or(self.method.clone(), &self.target).await,
            Some((kind, bytes)) => {
                client.send(self.method.clone(), &self.target, &[("content-type", kind)], bytes).await
            }
        }
    }

    /// A line of the table.
    async fn tried(&self, real: &Real, client: &Client) -> String {
        let reply = self.through(client).await;
        let answer = self.told(reply.status, &serde_json::from_slice(&reply.body).unwrap_or_default());
        let refused = answer.contains("insufficient_scope") || answer.contains("engine:");
        let counted =
            self.shown.iter().any(|pointer| pointer.ends_with("count") || pointer.ends_with("value"));
        let directly = if self.only_asks() && (refused || counted) {
            let admin = real.testbed.engine.client().unwrap();
            let reply = admin.send(&self.method, &self.target, self.content()).await.unwrap();
            self.told(reply.status, &reply.body)
        } else {
            String::new()
        };
        let mut request = format!("`{} {}`", self.method, self.target);
        match &self.body {
            Body::None => {}
            Body::Json(text) => request += &code(text),
            Body::Lines(lines) => request.extend(lines.iter().map(|line| code(line))),
        }
        if !self.note.is_empty() {
            request.extend([" (", self.note, ")"]);
        }
        format!("| {request} | {answer} | {directly} |\n")
    }

    fn told(&self, status: StatusCode, body: &Value) -> String {
        let mut told = status.as_u16().to_string();
        if let Some(code) = body["error"]["code"].as_str() {
            let _ = write!(told, " `{code}`");
            if let Some(scope) = body["error"]["needed_scope"].as_str() {
                let _ = write!(told, ": needs `{scope}`");
            }
        } else if status.is_client_error() || status.is_server_error() {
            let reason = body["error"]["reason"].as_str().or(body["error"].as_str()).unwrap_or_default();
            // What follows names the user, and with it things that differ from run to run.
            let reason = reason.split(" and User").next().unwrap_or_default();
            let _ = write!(told, " engine: {reason}");
        }
        for pointer in self.shown.iter().filter(|_| status == StatusCode::OK) {
            let mut value = body.pointer(pointer).cloned().unwrap_or_default();
            if let Some(list) = value.as_array_mut() {
                list.sort_by_key(Value::to_string);
            }
            let _ = write!(told, " `{}: {value}`", pointer.trim_start_matches('/'));
        }
        told
    }
}

fn code(text: &str) -> String {
    format!(" `{text}`")
}

impl Group {
    pub(crate) fn of(client: &'static str, scope: &'static str, title: &'static str) -> Self {
        Self { client, scope, title, cases: Vec::new() }
    }

    pub(crate) fn with(self, cases: Vec<Case>) -> Self {
        Self { cases, ..self }
    }

    /// A section of the page.
    pub(crate) async fn tried(&self, real: &Real) -> String {
        let client = match self.client {
            "" => real.anonymous(),
            name => real.client(name, self.scope).await,
        };
        let title = match (self.title, self.client) {
            ("", client) => format!("`{client}` with `{}`", self.scope),
            (title, "") => title.to_owned(),
            (title, client) => format!("{title}: `{client}` with `{}`", self.scope),
        };
        let mut section = format!(
            "\n### {title}\n\n| Request | Answer | As administrator, directly |\n| --- | --- | --- |\n"
        );
        for case in &self.cases {
            section += &case.tried(real, &client).await;
        }
        section
    }
}
