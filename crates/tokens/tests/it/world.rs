use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access::{ClusterRules, Mapper, Rights, Scope, Subject};
use claims::ClaimPath;
use jiff::Timestamp;
use serde_json::Map;
use tokens::{
    Asked, Claims, Decision, Details, EmbeddedStore, Grounds, Issued, Party, Policies, Presented, Settings,
    Terms, Tokens,
};

/// What the presented token says.
#[derive(Debug, Default)]
pub(crate) struct Bearer {
    pub(crate) scopes: Vec<String>,
    pub(crate) groups: Vec<String>,
}

impl Bearer {
    pub(crate) fn with(scopes: &str, groups: &str) -> Self {
        let list = |text: &str| text.split_whitespace().map(Into::into).collect();
        Self { scopes: list(scopes), groups: list(groups) }
    }

    /// Its rights on a cluster of this name, the only one.
    pub(crate) fn rights(&self, cluster: &str) -> Rights {
        let rules = ClusterRules { name: cluster.into(), audience: None, only_cluster: true };
        Mapper::new(vec![], rules, true).unwrap().rights(self)
    }
}

impl Subject for Bearer {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(String::as_str)
    }

    fn claim(&self, _: &ClaimPath) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    fn audiences(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}

pub(crate) fn scopes(text: &str) -> Vec<Scope> {
    text.split_whitespace().map(|scope| scope.parse().unwrap()).collect()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn free() -> Policies {
    Policies { default_lifetime: seconds(3600), max_lifetime: seconds(86_400), policies: vec![] }
}

pub(crate) fn party(name: &str) -> Party {
    Party {
        provider: "company".into(),
        issuer: "https://id.example.com".into(),
        subject: name.into(),
        client_id: Some("console".into()),
        user: Some(format!("{name}@example.com").into()),
    }
}

pub(crate) fn by(name: &str, now: Timestamp) -> Decision {
    Decision::new(party(name), Some("as was agreed"), now).unwrap()
}

pub(crate) fn grounds(name: &str) -> Grounds {
    let mut claims = Map::new();
    claims.insert("sub".into(), name.into());
    Grounds {
        presenter: party(name),
        presented: Presented { jti: Some(format!("jti of {name}").into()), issued_at: Some(at(-60)) },
        claims: Claims::new(&claims).unwrap(),
        act: None,
        clusters: vec![],
        through: None,
    }
}

pub(crate) fn terms(policies: &Policies, asked: &str) -> Terms {
    let asked = Asked {
        scopes: Some(scopes(asked)),
        details: Details::new(Some("nightly"), Some("export"), []).unwrap(),
        ..Asked::default()
    };
    let bearer = Bearer::with("read:* write:app-*", "");
    policies.judge(asked, &bearer, &[&bearer.rights("prod")]).unwrap()
}

pub(crate) async fn open_with(folder: &Path, settings: Settings) -> Tokens {
    let store = EmbeddedStore::open(&folder.join("tokens.redb")).unwrap();
    Tokens::open(Arc::new(store), settings).await.unwrap()
}

pub(crate) async fn open(folder: &Path) -> Tokens {
    open_with(folder, Settings::default()).await
}

/// A token of this name's, with this scope, made at this second.
pub(crate) async fn issue(tokens: &Tokens, name: &str, scope: &str, second: i64) -> Issued {
    tokens.issue(terms(&free(), scope), grounds(name), at(second)).await.unwrap()
}
