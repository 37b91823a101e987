//! Rights where policies decide in place of scopes.

use rest::{Inquiry, inquire};

use crate::subject::{Token, group_is, mapper, mapping, scope_is, texts};

fn inquiry(method: &str, path: &str) -> Inquiry {
    inquire(method, path, None, Some("application/x-ndjson"))
        .unwrap_or_else(|refusal| panic!("{method} {path}: {refusal}"))
}

#[test]
fn scopes_count_for_nothing_and_the_roles_of_every_request_stay() {
    let mappings = vec![
        mapping(group_is("sre"), "", "logs_reader", None),
        mapping(scope_is("read:logs-*"), "read:logs-*", "of_the_scope", None),
    ];
    let mapper = mapper(mappings).left_to_policies();
    let mut token = Token::with_scopes("read:logs-* admin:tokens");
    token.groups = vec!["sre".into()];
    let rights = mapper.rights(&token);
    assert_eq!(rights.scopes().map(|scope| &**scope).collect::<Vec<_>>(), ["admin:tokens"]);
    for (method, path) in [("GET", "/pii/_search"), ("DELETE", "/logs-a"), ("POST", "/_bulk")] {
        let inquiry = inquiry(method, path);
        // Whatever a body can name is watched, since the policies have to be asked about it.
        let (permit, watch) = rights.decide_inquiry(&inquiry).expect("nothing is refused here");
        assert_eq!(watch.is_some(), inquiry.body.is_some(), "{method} {path}");
        assert!(permit.scopes.is_empty(), "no scope becomes a role of the engine's: {permit:?}");
        assert_eq!(texts(&permit.roles), ["logs_reader"]);
    }
    // There is nothing to ask policies about.
    let mut nothing = inquiry("GET", "/");
    nothing.needs.clear();
    assert!(rights.decide_inquiry(&nothing).is_err());
    // What is narrowed by scopes is not left to policies.
    let restricted = rights.restrict(&["read:logs-*".parse().expect("a scope")]);
    assert!(restricted.is_empty() && restricted.decide_inquiry(&inquiry("GET", "/logs-a/_search")).is_err());
}
