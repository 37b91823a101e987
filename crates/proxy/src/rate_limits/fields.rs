//! What a client is told of its limits: the fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11).

use std::{fmt::Write as _, time::Duration};

use http::{HeaderMap, HeaderName};

use super::quota::{Left, Quota};
use crate::headers::text_value;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Where a caller stands under each rule that applies to the request.
#[derive(Debug, Default)]
pub struct Standing {
    policies: String,
    limits: String,
}

impl Standing {
    /// The names of rules are such that they need no escape in a quoted string.
    pub(super) fn add(&mut self, rule: &str, quota: Quota, left: Left) {
        let Self { policies, limits } = self;
        let separator = if policies.is_empty() { "" } else { ", " };
        let (burst, window) = (quota.burst(), seconds(quota.window()));
        let Left { units, next } = left;
        // Writing to a string cannot fail.
        let _ = write!(policies, "{separator}\"{rule}\";q={burst};w={window}");
        let _ = write!(limits, "{separator}\"{rule}\";r={units};t={}", seconds(next));
    }

    /// Tells the client. Without a rule that applies there is nothing to tell.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if !self.policies.is_empty() {
            headers.insert(POLICY, text_value(&self.policies));
            headers.insert(LIMIT, text_value(&self.limits));
        }
    }
}

/// Whole seconds, at least one: after less a client would ask too early.
pub(crate) fn seconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() > 0 { seconds + 1 } else { seconds.max(1) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::Standing;
    use crate::rate_limits::quota::Quota;

    #[test]
    fn every_rule_is_told_in_whole_seconds() {
        let mut headers = HeaderMap::new();
        Standing::default().tell(&mut headers);
        assert!(headers.is_empty());

        let mut standing = Standing::default();
        for (rule, quota) in [
            ("searches", Quota::share(100, Duration::from_secs(60), 25, 1)),
            ("fast", Quota::share(1000, Duration::from_secs(1), 10, 1)),
        ] {
            let spent = quota.spend(0, 0, 3).expect("within the burst");
            standing.add(rule, quota, quota.left(spent, 0));
        }
        standing.tell(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"searches\";q=25;w=15, \"fast\";q=10;w=1");
        assert_eq!(headers["ratelimit"], "\"searches\";r=22;t=1, \"fast\";r=7;t=1");
    }
}
