//! Whatever the text, loading ends with a configuration or with diagnostics that point into it.
#![expect(clippy::expect_used, reason = "a test ends at the first thing that is not as it should be")]

#[path = "support/plenty.rs"]
mod support;

use std::path::Path;

use proptest::prelude::*;
use support::Plenty;

const VALID: &str = include_str!("../../../examples/minimal.yml");

fn check(text: &str) -> Result<(), TestCaseError> {
    let diagnostics = match config::parse(text, Path::new("proxy.yml"), &Plenty) {
        Ok(loaded) => loaded.warnings,
        Err(diagnostics) => {
            prop_assert!(diagnostics.has_errors());
            diagnostics
        }
    };
    let lines = text.matches(['\n', '\r']).count() + 1;
    for diagnostic in &diagnostics {
        prop_assert!(!diagnostic.message.is_empty() && !diagnostic.cure.is_empty());
        let position = diagnostic.position.expect("a text has positions");
        prop_assert!((1..=lines).contains(&position.line), "{diagnostic}");
    }
    prop_assert!(diagnostics.is_empty() || !diagnostics.render(true).is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn text_of_yaml_characters(text in "[a-c:\\-,\\[\\]{}&*!|>'\"#%@` \t\r\n?~<0-9$é]{0,80}") {
        check(&text)?;
    }

    /// A valid file with a piece of it replaced.
    #[test]
    fn damaged(from in 0..VALID.len(), length in 0usize..40, piece in "[a-z:\\-,\\[\\]{}&*!'\"# \t\n~0-9é]{0,12}") {
        let mut text = VALID.to_owned();
        let end = (from + length).min(text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(end) {
            text.replace_range(from..end, &piece);
        }
        check(&text)?;
    }
}

/// Neither secrets nor parts of them, wherever the damage is.
mod secrets {
    use super::*;

    const WITH_SECRETS: &str = "\
listen: { address: 127.0.0.1:8443, plaintext: true }
public_url: http://bob:hunter1@localhost:8443
providers:
  - name: main
    issuer: https://id.example.com
    audiences: [opensearch]
    introspection:
      client_id: proxy
      client_secret: hunter2
clusters:
  - name: main
    nodes: [https://node.example.com:9200]
    identity:
      backend_user:
        users:
          reader: hunter3
          writer: \"literal:hunter4\"
audit: { sink: { stdout: {} } }
";

    /// Places in lines without a secret.
    fn harmless() -> impl Strategy<Value = usize> {
        let mut places = Vec::new();
        let mut start = 0;
        for line in WITH_SECRETS.split_inclusive('\n') {
            if !line.contains("hunter") && !line.contains("users") {
                places.extend(start..start + line.len());
            }
            start += line.len();
        }
        proptest::sample::select(places)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// One character is lost or becomes another, as when typing. Lines with secrets and `users` stay.
        #[test]
        fn stay_hidden(at in harmless(), piece in "[:\\-,\\[\\]{}'\"# \t\n]?") {
            let mut text = WITH_SECRETS.to_owned();
            text.replace_range(at..=at, &piece);
            let shown = match config::parse(&text, Path::new("proxy.yml"), &Plenty) {
                Ok(loaded) => loaded.warnings.render(false),
                Err(diagnostics) => format!("{diagnostics}\n{}", diagnostics.render(false)),
            };
            prop_assert!(!shown.contains("hunter"), "{shown}");
        }
    }
}
