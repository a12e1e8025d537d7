//! Waiting for a condition, with a long limit and no fixed sleep.

use std::time::Duration;

/// How long a condition may take before the test fails; generous, since test machines are slow.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is asked.
const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `ask` answers with a value, and panics with `what` when it does not within 30 seconds.
///
/// Prefer a notification where there is one; this is for what only shows from outside.
///
/// # Panics
/// When the condition does not come true in time.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let poll = async {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            if let Some(value) = ask().await {
                return value;
            }
        }
    };
    let answer = tokio::time::timeout(LIMIT, poll).await.ok();
    answer.unwrap_or_else(|| panic!("not within {LIMIT:?}: {what}"))
}
