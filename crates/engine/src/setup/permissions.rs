//! Which engine permissions an action stands for.
//!
//! Each list was tried on engine 3.4: what is missing makes requests that the proxy allows end in the engine's `403`,
//! what is too much is given away if the proxy ever errs. Where the engine cannot be as narrow as the scope, the comment
//! says so.

use rest::Action;

/// Every caller may greet the engine (`GET /`), as clients do on connecting.
pub(crate) const GREETING: &str = "cluster:monitor/main";

/// `GET /_resolve/index`, on every index: the names of indices, aliases and data streams, and nothing that is in them.
pub(super) const LISTING: &str = "indices:admin/resolve/index";

/// For the index of managed tokens, on that index: making it, and reading and writing its documents.
pub(super) const TOKENS: &[&str] = &[
    "indices:admin/create",
    "indices:admin/get",
    "indices:data/read/get",
    "indices:data/read/search",
    "indices:data/write/bulk*",
    "indices:data/write/delete",
    "indices:data/write/index",
];

/// For the same, on the cluster: a bulk request is first judged as a whole.
pub(super) const TOKENS_ON_CLUSTER: &[&str] = &["indices:data/write/bulk"];

/// Whether the engine reads this pattern of a scope as the proxy does: no regular expression, no placeholder.
pub(crate) fn is_plain_pattern(pattern: &str) -> bool {
    pattern.chars().all(|c| c.is_ascii_alphanumeric() || ".*_-+@~".contains(c))
}

/// What an action on indices needs, as two action groups.
pub(crate) struct IndexAction {
    /// On the indices of the scope's pattern.
    pub(crate) on_indices: &'static [&'static str],
    /// On the cluster: requests that name several indices are first judged as a whole, then for each index.
    pub(crate) on_cluster: &'static [&'static str],
}

/// Permissions for `<action>:<pattern>`.
pub(crate) fn of_indices(action: Action) -> IndexAction {
    match action {
        Action::Read => IndexAction {
            on_indices: &[
                "indices:data/read*",
                // What a reader needs to know of an index: its fields, settings, aliases, and that it exists.
                "indices:admin/aliases/exists*",
                "indices:admin/aliases/get*",
                "indices:admin/analyze*",
                "indices:admin/data_stream/get",
                "indices:admin/exists*",
                "indices:admin/get*",
                "indices:admin/mappings/fields/get*",
                "indices:admin/mappings/get*",
                "indices:admin/resolve/index",
                "indices:admin/shards/search_shards",
                "indices:admin/validate/query*",
                "indices:monitor/settings/get",
            ],
            on_cluster: &[
                "indices:admin/aliases/exists*",
                "indices:admin/aliases/get*",
                "indices:admin/resolve/index",
                "indices:data/read/mget",
                "indices:data/read/msearch",
                "indices:data/read/msearch/template",
                "indices:data/read/mtv",
                "indices:data/read/scroll",
                "indices:data/read/scroll/clear",
                "indices:data/read/search/template*",
            ],
        },
        Action::Write => IndexAction {
            on_indices: &[
                "indices:data/write/bulk*",
                "indices:data/write/delete*",
                "indices:data/write/index*",
                "indices:data/write/update*",
                // A document for an index that does not exist yet makes the index, and one with a new field extends the
                // mapping. The engine asks for the same permissions as for doing so explicitly, which the proxy
                // does not allow without `manage`.
                "indices:admin/auto_create",
                "indices:admin/create",
                "indices:admin/mapping/auto_put",
                "indices:admin/mapping/put",
            ],
            on_cluster: &["indices:data/write/bulk", "indices:data/write/reindex"],
        },
        Action::Manage => IndexAction {
            // Before an index is cloned, split or shrunk the engine asks for its size.
            on_indices: &["indices:admin/*", "indices:monitor/settings/get", "indices:monitor/stats"],
            on_cluster: &["indices:admin/aliases*"],
        },
        Action::Monitor => IndexAction {
            on_indices: &["indices:admin/aliases/get*", "indices:monitor/*"],
            // `_cat/indices/<pattern>` and its like read the whole cluster state inside the engine, so the engine's side is
            // wider than the scope here; the proxy does not allow `_cluster/state` by it.
            on_cluster: &[
                "cluster:monitor/health",
                "cluster:monitor/nodes/stats",
                "cluster:monitor/shards",
                "cluster:monitor/state",
            ],
        },
        Action::Admin => IndexAction {
            on_indices: &["indices:*"],
            on_cluster: &[
                "cluster:monitor/health",
                "cluster:monitor/nodes/stats",
                "cluster:monitor/shards",
                "cluster:monitor/state",
                "indices:admin/aliases*",
                "indices:admin/resolve/index",
                "indices:data/read/mget",
                "indices:data/read/msearch*",
                "indices:data/read/mtv",
                "indices:data/read/scroll*",
                "indices:data/read/search/template*",
                "indices:data/write/bulk",
                "indices:data/write/reindex",
            ],
        },
    }
}

/// Permissions for `<action>:cluster`, all on the cluster.
pub(crate) fn of_cluster(action: Action) -> &'static [&'static str] {
    match action {
        Action::Read => &[
            "cluster:admin/component_template/get",
            "cluster:admin/ingest/pipeline/get",
            "cluster:admin/ingest/processor/grok/get",
            "cluster:admin/repository/get",
            "cluster:admin/script/get",
            "cluster:admin/search/pipeline/get",
            "cluster:admin/snapshot/get",
            "cluster:admin/snapshot/status*",
            // Templates are read from the cluster state.
            "cluster:monitor/state",
            "indices:admin/index_template/get*",
            "indices:admin/index_template/simulate*",
            "indices:admin/template/get*",
            "indices:data/read/search/template/render",
        ],
        // No operation of the engine's core needs it; it allows the greeting.
        Action::Write => &[],
        Action::Monitor => &[
            "cluster:admin/decommission/awareness/get",
            "cluster:admin/indices/dangling/list",
            "cluster:admin/repository/get",
            "cluster:admin/routing/awareness/weights/get",
            "cluster:admin/script_context/get",
            "cluster:admin/script_language/get",
            "cluster:admin/snapshot/get",
            "cluster:monitor/*",
        ],
        Action::Manage => &[
            "cluster:admin/component_template/*",
            "cluster:admin/ingest/pipeline/*",
            "cluster:admin/ingest/processor/*",
            "cluster:admin/repository/*",
            "cluster:admin/script/*",
            "cluster:admin/search/pipeline/*",
            "cluster:admin/snapshot/*",
            "indices:admin/index_template/*",
            "indices:admin/template/*",
        ],
        Action::Admin => &[
            "cluster:*",
            "indices:admin/index_template/*",
            "indices:admin/template/*",
            "indices:data/read/search/template/render",
        ],
    }
}
