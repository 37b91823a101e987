//! `contexts`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::app::App;
use crate::cli::{Contexts, ContextsAdd};
use crate::error::{Error, Result};
use crate::net::{Http, secure_url};
use crate::resource::Resource;
use crate::store::{Config, Context, Lock, Provider, is_name};

pub(super) async fn run(app: &App, command: Contexts) -> Result<()> {
    match command {
        Contexts::Add(arguments) => add(app, *arguments).await,
        Contexts::List => list(app),
        Contexts::Use { name } => choose(app, &name).await,
        Contexts::Remove { name } => remove(app, &name).await,
    }
}

async fn add(app: &App, arguments: ContextsAdd) -> Result<()> {
    let name = arguments.name.clone();
    if !is_name(&name) {
        return Err(Error::usage("this is no name for a context")
            .cure("use letters, digits, `-`, `_` and `.`; the first one a letter or digit"));
    }
    let context = described(app, arguments.url.as_str(), &arguments).await?;
    let lock = app.home.lock().await?;
    let mut config = app.config()?;
    if config.contexts.contains_key(&name) && !arguments.replace {
        return Err(Error::usage(format!("there is a context `{name}` already"))
            .cure("add --replace, or take another name"));
    }
    let replaced = config.contexts.insert(name.clone(), context.clone());
    let current = config.current.get_or_insert_with(|| name.clone()).clone();
    lock.write_config(&config)?;
    if replaced.is_some() {
        forget_login(app, &lock, &name).await?;
    }
    let mut text = format!("✅ Context {name} added ({})\n", context.url);
    for (provider, known) in &context.providers {
        let _ = writeln!(text, "Provider: {provider} | Issuer: {}", known.issuer);
    }
    if current == name {
        let _ = writeln!(text, "Next: opensearch-auth login{}", provider_flag(&context));
    } else {
        let _ = writeln!(
            text,
            "The current context is still {current}; change it with `opensearch-auth contexts use {name}`"
        );
    }
    app.ui.result(&json!({"name": name, "current": current == name, "context": context}), &text)
}

fn provider_flag(context: &Context) -> String {
    context.providers.keys().next().map(|name| format!(" --provider {name}")).unwrap_or_default()
}

/// The context that the arguments describe, with what the proxy adds to them.
async fn described(app: &App, url: &str, arguments: &ContextsAdd) -> Result<Context> {
    let url = secure_url(url, "--url")?;
    let (ca, provider_ca) = (usable(arguments.ca.as_deref())?, usable(arguments.provider_ca.as_deref())?);
    let issuers: BTreeMap<String, String> = if arguments.providers.is_empty() {
        let found = Resource::discover(&Http::new(&app.proxies, ca.as_deref()), &url).await?.providers();
        if found.is_empty() {
            return Err(Error::refused(format!("{url} names no provider"))
                .cure("name it with --provider NAME=ISSUER"));
        }
        found
    } else {
        arguments.providers.iter().cloned().collect()
    };
    let mut providers = BTreeMap::new();
    for (name, issuer) in issuers {
        secure_url(&issuer, &format!("the issuer of `{name}`"))?;
        let provider = Provider {
            issuer,
            client_id: arguments.client_id.clone(),
            ca: provider_ca.clone(),
            scopes: arguments.scopes.iter().filter(|scope| !scope.is_empty()).cloned().collect(),
        };
        providers.insert(name, provider);
    }
    Ok(Context { url, ca, providers })
}

/// A CA file by its full path, since the context is used from other folders too.
fn usable(ca: Option<&Path>) -> Result<Option<PathBuf>> {
    let Some(path) = ca else {
        return Ok(None);
    };
    transport::TrustRoots::from_file(path)?;
    let full = path.canonicalize();
    full.map(Some).map_err(|error| Error::outside(format!("cannot find {}: {error}", path.display())))
}

fn list(app: &App) -> Result<()> {
    let config = app.config()?;
    let mut text = String::new();
    for (name, context) in &config.contexts {
        let mark = if config.current.as_ref() == Some(name) { "*" } else { " " };
        let providers: Vec<&str> = context.providers.keys().map(String::as_str).collect();
        let _ = writeln!(text, "{mark} {name}  {}  {}", context.url, providers.join(", "));
    }
    if text.is_empty() {
        text.push_str(
            "There is no context yet. Add one: opensearch-auth contexts add NAME --url https://PROXY:PORT",
        );
    }
    app.ui.result(&config, &text)
}

async fn choose(app: &App, name: &str) -> Result<()> {
    let lock = app.home.lock().await?;
    let mut config = app.config()?;
    let (name, context) = known(&config, name)?;
    let url = context.url.clone();
    config.current = Some(name.clone());
    lock.write_config(&config)?;
    app.ui.result(&json!({"current": name}), &format!("✅ Current context: {name} ({url})"))
}

async fn remove(app: &App, name: &str) -> Result<()> {
    let lock = app.home.lock().await?;
    let mut config = app.config()?;
    let (name, _) = known(&config, name)?;
    // The login first: if the second step fails, no token is left without its context.
    let had_login = forget_login(app, &lock, &name).await?;
    config.contexts.remove(&name);
    config.current = config.current.filter(|current| *current != name);
    lock.write_config(&config)?;
    app.ui.result(
        &json!({"removed": name, "login_forgotten": had_login}),
        &format!("✅ Context {name} removed"),
    )
}

/// Removes the login of a context; says whether there was one.
async fn forget_login(app: &App, lock: &Lock, name: &str) -> Result<bool> {
    let mut sessions = app.home.sessions()?;
    let Some(session) = sessions.sessions.remove(name) else {
        return Ok(false);
    };
    app.home.vault()?.forget(name, &session).await?;
    lock.write_sessions(&sessions)?;
    Ok(true)
}

fn known<'c>(config: &'c Config, name: &str) -> Result<(String, &'c Context)> {
    config.context(Some(name)).map(|(name, context)| (name.to_owned(), context))
}
