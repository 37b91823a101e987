//! The set-up as the files of the security plugin.

use serde_json::{Map, Value, json};

use super::{ORDER, Setup, yaml::to_yaml};

/// One file, to be merged into the file of the same name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// The name under `config/opensearch-security/`.
    pub name: &'static str,
    /// YAML with a comment on top that says what to do with it.
    pub text: String,
}

impl Setup {
    /// The entries to add to the files of the security plugin; files without an entry are left out.
    pub fn to_yaml_files(&self) -> Vec<File> {
        let users: Map<String, Value> = self
            .internal_users
            .iter()
            .map(|(name, user)| {
                let entry = json!({
                    "hash": "$2y$REPLACE",
                    "reserved": false,
                    "backend_roles": user.backend_roles,
                    "description": user.description,
                });
                (name.clone(), entry)
            })
            .collect();
        let users_hint = "Replace each `hash` by the output of `plugins/opensearch-security/tools/hash.sh` for the password \
             that stands in the proxy's configuration.";
        [
            ("config.yml", "config", self.config(), ""),
            ("action_groups.yml", "actiongroups", json!(self.action_groups), ""),
            ("roles.yml", "roles", json!(self.roles), ""),
            ("roles_mapping.yml", "rolesmapping", json!(self.roles_mapping), ""),
            ("internal_users.yml", "internalusers", Value::Object(users), users_hint),
        ]
        .into_iter()
        .filter(|(_, _, value, _)| value.as_object().is_some_and(|members| !members.is_empty()))
        .map(|(name, kind, value, hint)| File { name, text: comment(name, kind, hint) + &to_yaml(&value) })
        .collect()
    }

    /// All files and notes as one text for a terminal.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for file in self.to_yaml_files() {
            text.push_str(&file.text);
            text.push('\n');
        }
        if !self.notes.is_empty() {
            text.push_str("# ---- To know and to do\n");
            for note in &self.notes {
                text.push_str(&wrap(&format!("- {note}")));
            }
        }
        text
    }

    fn config(&self) -> Value {
        let mut dynamic = Map::new();
        if self.api_tokens {
            dynamic.insert("api_tokens".to_owned(), json!({ "enabled": true }));
        }
        if let Some(domain) = &self.domain {
            if let Some(xff) = domain.xff() {
                dynamic.insert("http".to_owned(), json!({ "xff": xff }));
            }
            dynamic.insert("authc".to_owned(), json!({ domain.name.as_str(): domain.value(ORDER) }));
        }
        if dynamic.is_empty() {
            return json!({});
        }
        json!({ "config": { "dynamic": dynamic } })
    }
}

fn comment(name: &str, kind: &str, hint: &str) -> String {
    let mut text = format!("# ---- {name}\n");
    text.push_str(&wrap(&format!(
        "Merge this into `config/opensearch-security/{name}`, which keeps all that it has (uploading replaces the whole \
         configuration of its kind), then upload it:"
    )));
    text.push_str("#   plugins/opensearch-security/tools/securityadmin.sh -icl -h HOST \\\n");
    text += &["#     -f config/opensearch-security/", name, " -t ", kind, " \\\n"].concat();
    text.push_str("#     -cacert CA.pem -cert ADMIN.pem -key ADMIN-KEY.pem\n");
    if !hint.is_empty() {
        text.push_str(&wrap(hint));
    }
    text
}

/// `text` as comment lines of at most 100 characters.
fn wrap(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), "#".to_owned());
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > 100 && line.len() > 1 {
            lines.push_str(&line);
            lines.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}
