use std::time::Duration;

/// Longer than anything takes on the slowest machine: a test that waits in vain fails with its reason.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until `look` finds something. `what` is told when it never does.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
    .await;
    found.map_err(|_| what.to_owned()).expect("it never happened")
}
