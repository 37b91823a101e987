//! The table of cases that policies are tested by.

use std::time::Duration;

use jiff::Timestamp;
use policy::{Fault, Kind};
use rest::{Action, Resource};
use saphyr::MarkedYaml;

use super::question::{Context, Question, Who, plugin};
use super::yaml::{self, Field, Fields, Wrong};

/// A question to the policies, with the answer that it should get.
#[derive(Debug)]
pub(super) struct Case {
    /// From 1.
    pub(super) line: usize,
    name: Option<String>,
    pub(super) question: Question,
    /// Whether it should be allowed.
    pub(super) allowed: bool,
    /// The policy that should decide.
    pub(super) by: Option<String>,
}

impl Case {
    /// Its name, or what it asks.
    pub(super) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.question.told())
    }
}

/// Reads the cases of a file. Times that a case does not name are `now`.
pub(super) fn read(file: &str, text: &str, now: Timestamp) -> Result<Vec<Case>, Vec<Fault>> {
    let read = |document: &MarkedYaml<'_>| {
        let one = |wrong| vec![wrong];
        let cases =
            Fields::of(document, &["cases"]).and_then(|fields| fields.required("cases")).map_err(one)?;
        let items = cases.items().unwrap_or_default();
        if items.is_empty() {
            return Err(one(cases.wrong("this must be a list of cases, with at least one")));
        }
        let (mut good, mut wrong) = (Vec::new(), Vec::new());
        for item in items {
            match case(item, now) {
                Ok(case) => good.push(case),
                Err(found) => wrong.push(found),
            }
        }
        if wrong.is_empty() { Ok(good) } else { Err(wrong) }
    };
    yaml::document(text, read)
        .map_err(|wrong| wrong.into_iter().map(|wrong| wrong.fault(file, text)).collect())
}

fn case(node: &MarkedYaml<'_>, now: Timestamp) -> Result<Case, Wrong> {
    let fields = Fields::of(node, &["name", "who", "operation", "action", "on", "context", "expect", "by"])?;
    let who = who(fields.required("who")?)?;
    let (operation, main) = operation(&fields)?;
    let action = fields.get("action").map_or(Ok(main), action)?;
    let expect = fields.required("expect")?;
    let allowed = match expect.text()? {
        "allow" => true,
        "deny" => false,
        _ => return Err(expect.wrong("this must be `allow` or `deny`")),
    };
    let wants = on(fields.required("on")?)?.into_iter().map(|on| (action, on)).collect();
    let context = context(fields.get("context"), &who, now)?;
    Ok(Case {
        line: fields.at().line(),
        name: fields.text("name")?.map(str::to_owned),
        question: Question { who, operation, main, wants, context },
        allowed,
        by: fields.text("by")?.map(str::to_owned),
    })
}

fn who(field: Field<'_>) -> Result<Who, Wrong> {
    let fields = Fields::of(field.node(), &["agent", "user", "groups", "provider"])?;
    let (kind, id) = match (fields.text("agent")?, fields.text("user")?) {
        (Some(agent), None) => (Kind::Agent, agent),
        (None, Some(user)) => (Kind::User, user),
        _ => {
            return Err(field
                .wrong("this must have one of the keys `agent` and `user`")
                .help("an agent is a client that acts for itself, by its client id"));
        }
    };
    Ok(Who {
        kind,
        id: id.to_owned(),
        provider: fields.text("provider")?.unwrap_or_default().to_owned(),
        groups: fields.texts("groups")?.into_iter().map(Box::from).collect(),
    })
}

/// The name of the operation, and what it mainly does.
fn operation(fields: &Fields<'_>) -> Result<(String, Action), Wrong> {
    let field = fields.required("operation")?;
    let name = field.text()?;
    if let Some(known) = rest::operations().iter().find(|known| known.name == name) {
        return Ok((name.to_owned(), known.action));
    }
    if !name.starts_with("dashboards.") {
        return Err(field.wrong(format!("`{name}` is no operation")).help(similar(name)));
    }
    // Policies speak of those of Dashboards by the group only.
    let main = fields
        .get("action")
        .ok_or_else(|| field.wrong("with an operation of Dashboards, the key `action` says what it does"))?;
    Ok((name.to_owned(), action(main)?))
}

fn similar(name: &str) -> String {
    policy::operations_like(name).map_or_else(
        || "`opensearch-auth policy schema` prints all of them".to_owned(),
        |like| format!("there is {like}"),
    )
}

fn action(field: Field<'_>) -> Result<Action, Wrong> {
    field.text()?.parse().map_err(|error| field.wrong(error))
}

fn on(field: Field<'_>) -> Result<Vec<Resource>, Wrong> {
    const FORMS: &str = "write `{index: NAME}`, `{type: NAME}`, `{plugin: NAME}`, `{workspace: NAME}`, `cluster` or `dashboards`";
    match field.as_text() {
        Some("cluster") => return Ok(vec![Resource::Cluster]),
        Some("dashboards") => return Ok(vec![Resource::Dashboards { workspace: None }]),
        Some(_) => return Err(field.wrong("this is nothing that a request could be for").help(FORMS)),
        None => {}
    }
    let fields = Fields::of(field.node(), &["index", "type", "plugin", "workspace"])?;
    if let Some(kind) = fields.text("type")? {
        let workspace = fields.text("workspace")?.map(Box::from);
        return Ok(vec![Resource::SavedObject { kind: (kind != "*").then(|| kind.into()), workspace }]);
    }
    let only = fields.only().map_err(|wrong| wrong.help(FORMS))?;
    match only.key() {
        "index" => {
            let names = only.texts()?;
            if names.is_empty() {
                return Err(only.wrong("no index is named").help("every index is `\"*\"`"));
            }
            let index = |name: &str| {
                name.parse()
                    .map(Resource::Index)
                    .map_err(|error| only.wrong(format!("`{name}` is no index and no pattern: {error}")))
            };
            names.into_iter().map(index).collect()
        }
        "plugin" => {
            let name = only.text()?;
            plugin(name)
                .map(|plugin| vec![Resource::Plugin(plugin)])
                .ok_or_else(|| only.wrong(format!("no operation is for a plugin `{name}`")))
        }
        _ => Ok(vec![Resource::Dashboards { workspace: Some(only.text()?.into()) }]),
    }
}

fn context(field: Option<Field<'_>>, who: &Who, now: Timestamp) -> Result<Context, Wrong> {
    let mut context = Context::usual(who, now);
    let Some(field) = field else { return Ok(context) };
    let known = ["cluster", "client", "scopes", "source", "time", "token_age", "acr", "tenant"];
    let fields = Fields::of(field.node(), &known)?;
    if let Some(cluster) = fields.text("cluster")? {
        cluster.clone_into(&mut context.cluster);
    }
    if let Some(client) = fields.text("client")? {
        client.clone_into(&mut context.client);
    }
    context.scopes = fields.texts("scopes")?.into_iter().map(Box::from).collect();
    if let Some(source) = fields.get("source") {
        context.source = source.text()?.parse().map_err(|_| source.wrong("this is no IP address"))?;
    }
    if let Some(time) = fields.get("time") {
        context.time = time.text()?.parse().map_err(|_| time.wrong("write it as `2026-12-31T00:00:00Z`"))?;
    }
    if let Some(age) = fields.get("token_age") {
        context.token_age = token_age(age)?;
    }
    context.acr = fields.text("acr")?.map(str::to_owned);
    context.tenant = fields.text("tenant")?.map(str::to_owned);
    Ok(context)
}

/// In seconds, or with a unit.
fn token_age(field: Field<'_>) -> Result<Duration, Wrong> {
    let seconds = field.as_count().map(Duration::from_secs);
    let with_unit = || field.as_text().and_then(|text| crate::time::duration(text).ok());
    seconds
        .or_else(with_unit)
        .ok_or_else(|| field.wrong("write it in seconds, or as `90s`, `10m`, `24h`, `7d`"))
}
