//! Ingress and egress policies.

use peerd_core::PolicyId;
use peerd_core::policy::Justification;
use peerd_node::Caller;
use peerd_node::policy::PolicyDecision;
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::policy_service_server::PolicyService;
use tonic::{Request, Response, Status};

use crate::refuse::{opened, told};
use crate::server::Api;
use crate::view::admin as view;
use crate::{page, parse};

mod fields;

#[tonic::async_trait]
impl PolicyService for Api {
    async fn propose_policy(
        &self,
        request: Request<pb::ProposePolicyRequest>,
    ) -> Result<Response<pb::ProposePolicyResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ProposePolicyRequest {
            rule,
            justification,
            expires_in,
            approve,
        } = message;
        let rule = fields::rule(rule)?;
        let why: Justification = parse::required("justification", &justification)?;
        let lifetime = parse::duration("expires_in", expires_in)?;
        let proposed = self
            .node
            .propose_policy(&caller, rule, why, lifetime, approve)
            .await;
        Ok(Response::new(pb::ProposePolicyResponse {
            policy: Some(view::policy(&proposed.map_err(told)?)),
        }))
    }

    async fn list_policies(
        &self,
        request: Request<pb::ListPoliciesRequest>,
    ) -> Result<Response<pb::ListPoliciesResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListPoliciesRequest {
            direction,
            page_size,
            page_token,
        } = message;
        let side = fields::side(direction)?;
        let (limit, after) = (page::size(page_size)?, page::after(&page_token)?);
        let listed = self.node.list_policies(&caller, side, after, limit).await;
        let (policies, next) = listed.map_err(told)?;
        Ok(Response::new(pb::ListPoliciesResponse {
            items: policies.iter().map(view::policy).collect(),
            next_page_token: page::token(next),
        }))
    }

    async fn get_policy(
        &self,
        request: Request<pb::GetPolicyRequest>,
    ) -> Result<Response<pb::GetPolicyResponse>, Status> {
        let (caller, pb::GetPolicyRequest { policy_id }) = opened(request)?;
        let id: PolicyId = parse::required("policy_id", &policy_id)?;
        let policy = self.node.show_policy(&caller, id).await.map_err(told)?;
        Ok(Response::new(pb::GetPolicyResponse {
            policy: Some(view::policy(&policy)),
        }))
    }

    async fn approve_policy(
        &self,
        request: Request<pb::ApprovePolicyRequest>,
    ) -> Result<Response<pb::ApprovePolicyResponse>, Status> {
        let (caller, pb::ApprovePolicyRequest { policy_id }) = opened(request)?;
        let policy = self.decided(&caller, &policy_id, PolicyDecision::Approve).await?;
        Ok(Response::new(pb::ApprovePolicyResponse { policy: Some(policy) }))
    }

    async fn pause_policy(
        &self,
        request: Request<pb::PausePolicyRequest>,
    ) -> Result<Response<pb::PausePolicyResponse>, Status> {
        let (caller, pb::PausePolicyRequest { policy_id }) = opened(request)?;
        let policy = self.decided(&caller, &policy_id, PolicyDecision::Pause).await?;
        Ok(Response::new(pb::PausePolicyResponse { policy: Some(policy) }))
    }

    async fn resume_policy(
        &self,
        request: Request<pb::ResumePolicyRequest>,
    ) -> Result<Response<pb::ResumePolicyResponse>, Status> {
        let (caller, pb::ResumePolicyRequest { policy_id }) = opened(request)?;
        let policy = self.decided(&caller, &policy_id, PolicyDecision::Resume).await?;
        Ok(Response::new(pb::ResumePolicyResponse { policy: Some(policy) }))
    }

    async fn revoke_policy(
        &self,
        request: Request<pb::RevokePolicyRequest>,
    ) -> Result<Response<pb::RevokePolicyResponse>, Status> {
        let (caller, pb::RevokePolicyRequest { policy_id }) = opened(request)?;
        let policy = self.decided(&caller, &policy_id, PolicyDecision::Revoke).await?;
        Ok(Response::new(pb::RevokePolicyResponse { policy: Some(policy) }))
    }

    async fn check_policy(
        &self,
        request: Request<pb::CheckPolicyRequest>,
    ) -> Result<Response<pb::CheckPolicyResponse>, Status> {
        let (caller, message) = opened(request)?;
        let question = fields::question(message)?;
        let verdict = self.node.check_policy(&caller, question).await.map_err(told)?;
        Ok(Response::new(pb::CheckPolicyResponse {
            allowed: verdict.is_allowed(),
            reason: verdict.reason_word().to_owned(),
            policy_id: verdict.policy.map(|id| id.to_string()).unwrap_or_default(),
            explanation: verdict.why,
        }))
    }
}

impl Api {
    async fn decided(
        &self,
        caller: &Caller,
        policy_id: &str,
        decision: PolicyDecision,
    ) -> Result<pb::Policy, Status> {
        let id: PolicyId = parse::required("policy_id", policy_id)?;
        let policy = self
            .node
            .decide_policy(caller, id, decision)
            .await
            .map_err(told)?;
        Ok(view::policy(&policy))
    }
}
