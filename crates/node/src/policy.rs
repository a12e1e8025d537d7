//! Policies: keeping the set that decides in step with what is stored.

use std::sync::Arc;

use peerd_core::policy::{Policy, PolicySet};
use peerd_store::Records as _;

use crate::Node;

impl Node {
    /// Reads the policies anew. What cannot be read denies everything.
    pub(crate) async fn reload_policies(&self) {
        let set = match self.store.all::<Policy>(&[]).await {
            Ok(found) => PolicySet::new(found.into_iter().map(|found| found.record)),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "policies unreadable, denying all"
                );
                PolicySet::unreadable()
            }
        };
        self.policies.store(Arc::new(set));
        self.policy_changes.send_modify(|count| *count += 1);
    }
}
