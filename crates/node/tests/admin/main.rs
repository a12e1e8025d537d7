//! The administration of an enrollment: policies, principals, spaces, markings, title, audit.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod policy;
mod principal;
mod space;

use std::sync::Arc;

use peerd_core::Reason;
use peerd_core::authz::{Principal, Role, Token};
use peerd_core::name::Name;
use peerd_node::{Caller, Error, Node};
use peerd_testkit::TestNode;

/// An enrollment with its first admin.
struct Org {
    kit: TestNode,
    admin: Caller,
}

impl Org {
    async fn fresh() -> Org {
        let kit = TestNode::fresh("alpha").await;
        let admin = first_admin(&kit.node).await;
        Org { kit, admin }
    }

    fn node(&self) -> &Arc<Node> {
        &self.kit.node
    }

    /// A principal with this role; of the space `flights` where the role is for one.
    async fn caller(&self, text: &str, role: Role) -> Caller {
        let (_, token) = self.principal(text, role).await;
        self.node().authenticate(&token.expose()).await.unwrap()
    }

    async fn principal(&self, text: &str, role: Role) -> (Principal, Token) {
        let of_one_space = matches!(role, Role::SpaceManager | Role::Editor | Role::Viewer);
        let space = of_one_space.then_some("flights");
        if of_one_space && let Err(error) = self.node().create_space(&self.admin, name("flights"), None).await
        {
            assert_eq!(error.reason(), Reason::NameTaken);
        }
        let created = self.node().create_principal(&self.admin, name(text), role, space);
        created.await.unwrap()
    }
}

async fn first_admin(node: &Node) -> Caller {
    let token = Token::from_bytes([7; 32]);
    node.bootstrap_admin(&token).await.unwrap();
    node.authenticate(&token.expose()).await.unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Error>) -> Reason {
    answer.unwrap_err().reason()
}
