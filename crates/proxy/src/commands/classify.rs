//! `classify`: what a request asks, and whether scopes allow it, without a provider or an engine.
//!
//! The answer comes from the code that judges requests while serving: [`rest::classify`] without a body, as on a cluster
//! without `read_bodies`, and [`rest::inquire`] with one, as on a cluster with it; [`dashboards::inquire`] for Dashboards.

mod report;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use access::{ClusterRules, Mapper, Rights, Scope, ScopesOnly};
use clap::{CommandFactory as _, error::ErrorKind};
use rest::{BodyLimits, BodyPlan, BodyRefusal, Inquiry, Need, Operation, Refusal};

use self::report::{Body, Finding, Refused, Report};
use super::{Complaint, Failure, print};
use crate::cli::{Classify, Cli, Output};

/// Bytes of the body that are in memory at once.
const PIECE: usize = 64 * 1024;

pub(super) fn run(arguments: &Classify) -> Result<(), Failure> {
    let rights = rights(arguments)?;
    let mut body = arguments.body.as_deref().map(open).transpose()?;
    let (path, query) = match arguments.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (arguments.target.as_str(), None),
    };
    let method = arguments.method.as_str();
    let media = match arguments.content_type.as_deref() {
        Some(media) => media,
        None if arguments.dashboards && is_import(path) => {
            body = body.map(as_form);
            FORM
        }
        None => guessed_media(path),
    };
    let inquiry = if arguments.dashboards {
        dashboards::inquire(method, path, query, Some(media))
    } else {
        rest::inquire(method, path, query, Some(media))
    };
    let report = match inquiry {
        Err(refusal) => Report::refused(Refused::request(&refusal), rights.is_some()),
        Ok(inquiry) => match (&inquiry.body, body) {
            (Some(plan), Some(body)) => judge_body(&inquiry, plan, body, rights.as_ref())?,
            (Some(_), None) if arguments.dashboards => unknown_body(Ok(inquiry.unread()), rights.as_ref()),
            (Some(_), None) => {
                let ask = rest::classify(method, path, query);
                let unread =
                    ask.map(|ask| Inquiry { operation: ask.operation, needs: ask.needs, body: None });
                unknown_body(unread, rights.as_ref())
            }
            (None, _) => judge(inquiry.operation, &inquiry.needs, rights.as_ref()),
        },
    };
    match arguments.output {
        Output::Text => print(&report.text())?,
        Output::Json => print(&serde_json::to_string_pretty(&report)?)?,
    }
    if report.is_good() { Ok(()) } else { Err(Failure::No) }
}

/// What the scopes of the command line allow; `None` when there are none.
fn rights(arguments: &Classify) -> Result<Option<Rights>, Failure> {
    if arguments.scopes.is_empty() {
        return Ok(None);
    }
    let prefixed = arguments.scopes.iter().find(|scope| scope.cluster.is_some());
    if let (Some(scope), None) = (prefixed, &arguments.cluster) {
        let message =
            format!("the scope {scope} counts on one cluster only: say with --cluster which one is asked");
        Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit();
    }
    let name = arguments.cluster.as_deref().unwrap_or_default().into();
    let rules = ClusterRules { name, audience: None, only_cluster: true };
    let scopes = arguments.scopes.iter().map(Scope::to_string).collect();
    Ok(Some(Mapper::new(Vec::new(), rules, true)?.rights(&ScopesOnly(scopes))))
}

fn open(path: &Path) -> Result<Box<dyn Read>, Complaint> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path)
        .map_err(|error| Complaint(format!("cannot open the body {}: {error}", path.display())))?;
    Ok(Box::new(file))
}

/// The media type that clients send to such a path.
fn guessed_media(path: &str) -> &'static str {
    let mut segments = path.split('/').skip(1);
    if segments.any(|segment| matches!(segment, "_bulk" | "_msearch")) {
        "application/x-ndjson"
    } else {
        "application/json"
    }
}

/// Whether Dashboards takes a file in a form there.
fn is_import(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| matches!(last, "_import" | "_resolve_import_errors"))
}

const FORM: &str = "multipart/form-data; boundary=saved-objects";

/// A file as the form in which clients send it.
fn as_form(file: Box<dyn Read>) -> Box<dyn Read> {
    const HEAD: &[u8] = b"--saved-objects\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"export.ndjson\"\r\n\r\n";
    Box::new(HEAD.chain(file).chain(&b"\r\n--saved-objects--\r\n"[..]))
}

/// Judges what the request line asks.
fn judge(operation: &'static Operation, needs: &[Need], rights: Option<&Rights>) -> Report {
    let mut report = Report::of(operation, rights.is_some());
    for need in needs {
        report.note(Finding::new(need, rights));
    }
    report
}

/// Judges what the request line asks, and whatever a body could name.
fn unknown_body(ask: Result<Inquiry, Refusal>, rights: Option<&Rights>) -> Report {
    match ask {
        Err(refusal) => Report::refused(Refused::request(&refusal), rights.is_some()),
        Ok(ask) => {
            let mut report = judge(ask.operation, &ask.needs, rights);
            report.body = Body::NotGiven;
            report
        }
    }
}

/// Judges what the request line asks, and what the body names as it is read.
fn judge_body(
    inquiry: &Inquiry,
    plan: &BodyPlan,
    body: Box<dyn Read>,
    rights: Option<&Rights>,
) -> Result<Report, Failure> {
    let mut report = judge(inquiry.operation, &inquiry.needs, rights);
    match rights.map(|rights| rights.decide_inquiry(inquiry)) {
        Some(Ok((_, None))) => {
            for need in &plan.everything() {
                report.note(Finding::new(need, rights));
            }
            report.body = Body::Covered;
            return Ok(report);
        }
        // Nothing that is held can allow anything in such a body, whatever it names.
        Some(Err(denial)) if inquiry.needs.is_empty() => report.note(Finding::denied(&denial)),
        _ => {}
    }
    read(plan, body, rights, &mut report)?;
    Ok(report)
}

/// Reads the body piece by piece.
fn read(
    plan: &BodyPlan,
    mut body: Box<dyn Read>,
    rights: Option<&Rights>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut reader = plan.reader(BodyLimits::default());
    let mut piece = vec![0; PIECE];
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut not_understood = None;
    let outcome: Result<(), BodyRefusal> = loop {
        let length = match body.read(&mut piece) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Complaint(format!("cannot read the body: {error}")).into()),
        };
        if length == 0 {
            break reader.finish(&mut found);
        }
        bytes += length as u64;
        if let Err(refusal) = reader.feed(&piece[..length], &mut found) {
            break Err(refusal);
        }
        not_understood = reader.not_understood().map(str::to_owned);
        note(&mut found, rights, report);
    };
    note(&mut found, rights, report);
    report.body = Body::Read { bytes, not_understood };
    if let Err(refusal) = outcome {
        report.refuse(Refused::body(&refusal));
    }
    Ok(())
}

fn note(found: &mut Vec<Need>, rights: Option<&Rights>, report: &mut Report) {
    for need in found.drain(..) {
        report.note(Finding::new(&need, rights));
    }
}
