//! `policy explain`: what the policies say to a request line, and for a refusal what would have allowed it.

use jiff::Timestamp;
use policy::Kind;
use serde_json::json;

use super::faults;
use super::files::{self, File};
use super::question::{Answer, Context, Question, Who, quoted, texts};
use crate::cli::policies::ExplainRequest;
use crate::error::{Error, Result, printable};
use crate::output::Ui;

pub(super) fn run(ui: Ui, arguments: &ExplainRequest) -> Result<()> {
    let set = match files::parse(&File::all(&arguments.files)?) {
        Ok(set) => set,
        Err(found) => return faults::told(ui, &found),
    };
    let (path, query) = match arguments.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (arguments.target.as_str(), None),
    };
    let method = arguments.method.to_ascii_uppercase();
    let ask = rest::classify(&method, path, query).map_err(|refusal| {
        Error::usage(format!("the proxy refuses {method} {}: {refusal}", printable(path)))
    })?;
    let question = Question {
        who: who(arguments),
        operation: ask.operation.name.to_owned(),
        main: ask.operation.action,
        wants: ask.needs.iter().map(|need| (need.action, need.on.clone())).collect(),
        context: context(arguments),
    };
    let answers: Vec<(String, Answer)> = question
        .wants
        .iter()
        .map(|want| {
            let alone = Question { wants: vec![want.clone()], ..question.clone() };
            (format!("{} on {}", want.0, want.1), alone.ask(&set))
        })
        .collect();
    let allowed = answers.iter().all(|(_, answer)| answer.allowed);
    let mut text = vec![format!(
        "{} {}: {} {} is {}",
        if allowed { "✅" } else { "❌" },
        if allowed { "Allowed" } else { "Refused" },
        method,
        printable(path),
        question.operation
    )];
    for (what, answer) in &answers {
        let mark = if answer.allowed { "✅" } else { "❌" };
        text.push(format!("   {mark} {}: {}", printable(what), printable(&answer.told())));
        if !answer.allowed {
            text.push(format!("      would have allowed it: {}", printable(&cure(what, answer))));
        }
    }
    let value = json!({
        "decision": super::question::word(allowed),
        "operation": question.operation,
        "needs": answers.iter().map(|(what, answer)| json!({
            "what": what,
            "decision": answer.word(),
            "policies": texts(&answer.by),
            "near": texts(&answer.near),
            "failed": answer.failed,
            "would_allow": (!answer.allowed).then(|| cure(what, answer)),
        })).collect::<Vec<_>>(),
    });
    ui.result(&value, &text.join("\n"))?;
    if allowed { Ok(()) } else { Err(Error::refused("the policies refuse this request")) }
}

fn who(arguments: &ExplainRequest) -> Who {
    let (kind, id) = match (&arguments.agent, &arguments.user) {
        (_, Some(user)) => (Kind::User, user.clone()),
        (agent, None) => (Kind::Agent, agent.clone().unwrap_or_default()),
    };
    Who {
        kind,
        id,
        provider: arguments.provider.clone().unwrap_or_default(),
        groups: arguments.groups.iter().map(|group| group.as_str().into()).collect(),
    }
}

fn context(arguments: &ExplainRequest) -> Context {
    let mut context = Context::usual(&who(arguments), arguments.time.unwrap_or_else(Timestamp::now));
    if let Some(cluster) = &arguments.cluster {
        context.cluster.clone_from(cluster);
    }
    if let Some(client) = &arguments.client {
        context.client.clone_from(client);
    }
    if let Some(source) = arguments.source {
        context.source = source;
    }
    context.scopes = arguments.scopes.iter().map(|scope| scope.as_str().into()).collect();
    context.token_age = arguments.token_age.unwrap_or_default();
    context.acr.clone_from(&arguments.acr);
    context
}

fn cure(what: &str, answer: &Answer) -> String {
    if !answer.failed.is_empty() {
        return "policies that can be evaluated for it".to_owned();
    }
    match (answer.by.is_empty(), answer.near.is_empty()) {
        (false, _) => format!("an exception from {}: no permit counts against a forbid", quoted(&answer.by)),
        (true, false) => format!("a policy that permits {what}; or what {} asks for", quoted(&answer.near)),
        (true, true) => format!("a policy that permits {what}"),
    }
}
