//! The story, step by step.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use peerd_wire::admin::v1 as admin;
use peerd_wire::data::v1 as data;
use peerd_wire::peering::v1 as peering;
use peerd_wire::status;

use super::Side;
use super::narrate::{step, told};

/// The sample airports, and their ontology as JSON.
const AIRPORTS: &str = include_str!("../../../../deploy/samples/airports.csv");
const ONTOLOGY: &str = include_str!("../../../../deploy/samples/airport.json");

pub(super) async fn tell(hub: &Side, edge: &Side) -> anyhow::Result<()> {
    let ids = meet(hub, edge).await?;
    let code = deny(hub, edge).await?;
    let policies = allow(hub, edge, &ids).await?;
    link(edge).await?;
    let connection = handshake(hub, edge, &code).await?;
    share(hub, edge, &connection).await?;
    load(hub, edge).await?;
    edit(hub, edge).await?;
    revoke(hub, edge, &policies, &connection).await?;
    prove(hub, edge).await
}

/// Two enrollments that do not know each other.
async fn meet(hub: &Side, edge: &Side) -> anyhow::Result<[String; 2]> {
    step(
        1,
        "Two enrollments, each with its own identity, store and operators",
    );
    let mut ids = [String::new(), String::new()];
    for (side, id) in [hub, edge].into_iter().zip(&mut ids) {
        let request = admin::GetEnrollmentRequest {};
        let answer = side
            .operator
            .enrollments()
            .get_enrollment(request)
            .await?
            .into_inner();
        let enrollment = answer.enrollment.context("an enrollment")?;
        told(
            side,
            &format!(
                "is {}…, on {}",
                &enrollment.enrollment_id[..12],
                side.daemon.mpx_addr()
            ),
        );
        *id = enrollment.enrollment_id;
        let space = admin::CreateSpaceRequest {
            name: "flights".to_owned(),
            ..Default::default()
        };
        side.operator.spaces().create_space(space).await?;
        let ontology = data::ApplyOntologyRequest {
            space: "flights".to_owned(),
            ontology_json: ONTOLOGY.to_owned(),
        };
        side.operator.ontologies().apply_ontology(ontology).await?;
    }
    Ok(ids)
}

/// No policy, no contact.
async fn deny(hub: &Side, edge: &Side) -> anyhow::Result<String> {
    step(2, "A link code, and no policy that would let it be used");
    let invited = hub
        .operator
        .links()
        .invite_link(peering::InviteLinkRequest::default())
        .await?
        .into_inner();
    told(
        hub,
        &format!(
            "gives out a one-time link code of {} characters",
            invited.code.len()
        ),
    );
    let accept = peering::AcceptLinkRequest {
        code: invited.code,
        name: "hub".to_owned(),
    };
    edge.operator.links().accept_link(accept).await?;
    let link = edge.operator.link_is("hub", peering::LinkStatus::Blocked).await?;
    told(edge, &format!("entered it; the link is blocked: {}", link.reason));
    let request = peering::RequestConnectionRequest {
        space: "flights".to_owned(),
        link: invited.link_id.clone(),
        exports: Some(peering::DataTypes {
            objects: true,
            artifacts: false,
        }),
        ..Default::default()
    };
    let refused = hub.operator.connections().request_connection(request).await;
    let refused = status::refusal(&refused.err().context("a request without a link is refused")?);
    told(
        hub,
        &format!(
            "may not ask for a connection: {} ({})",
            refused.reason, refused.message
        ),
    );
    Ok(invited.link_id)
}

/// Both sides' policies.
async fn allow(hub: &Side, edge: &Side, ids: &[String; 2]) -> anyhow::Result<Vec<String>> {
    step(3, "Each side's security officer lets the other in and out");
    let policies = hub.operator.allow(edge.daemon.mpx_addr(), &ids[1]).await?;
    told(
        hub,
        "egress and ingress policies are active, for that one enrollment",
    );
    edge.operator.allow(hub.daemon.mpx_addr(), &ids[0]).await?;
    told(
        edge,
        "egress and ingress policies are active, for that one enrollment",
    );
    Ok(policies)
}

async fn link(edge: &Side) -> anyhow::Result<()> {
    step(
        4,
        "The same code completes the link at both ends, over mutual TLS 1.3",
    );
    let link = edge.operator.link_is("hub", peering::LinkStatus::Healthy).await?;
    told(
        edge,
        &format!("reached {} at {}", link.remote_title, link.addresses.join(", ")),
    );
    Ok(())
}

/// Request, inspect, approve, activate.
async fn handshake(hub: &Side, edge: &Side, link: &str) -> anyhow::Result<String> {
    step(5, "Peer request, inspection, approval, activation");
    let both = Some(peering::DataTypes {
        objects: true,
        artifacts: false,
    });
    let request = peering::RequestConnectionRequest {
        space: "flights".to_owned(),
        link: link.to_owned(),
        exports: both,
        imports: both,
        ..Default::default()
    };
    let asked = hub
        .operator
        .connections()
        .request_connection(request)
        .await?
        .into_inner();
    told(hub, &format!("asks for {}", asked.connection_id));
    let inspect = peering::InspectInviteRequest {
        code: asked.code.clone(),
    };
    let seen = edge
        .operator
        .connections()
        .inspect_invite(inspect)
        .await?
        .into_inner();
    told(
        edge,
        &format!(
            "sees that {} asks, with {} problems, contacting nobody",
            seen.title,
            seen.problems.len()
        ),
    );
    let began = Instant::now();
    let approve = peering::ApproveConnectionRequest {
        code: asked.code,
        space: "flights".to_owned(),
        security: None,
    };
    edge.operator.connections().approve_connection(approve).await?;
    told(edge, "approves it for its space");
    let id = asked.connection_id;
    hub.operator.stage_is(&id, peering::Stage::Approved).await?;
    let activate = peering::ActivateConnectionRequest {
        connection_id: id.clone(),
    };
    hub.operator.connections().activate_connection(activate).await?;
    edge.operator.stage_is(&id, peering::Stage::Active).await?;
    told(
        hub,
        &format!(
            "activates it; both sides are active after {} ms",
            began.elapsed().as_millis()
        ),
    );
    Ok(id)
}

async fn share(hub: &Side, edge: &Side, connection: &str) -> anyhow::Result<()> {
    step(
        6,
        "Both sides make one object type available; nothing else is ever shown",
    );
    for side in [hub, edge] {
        let share = peering::ShareTypesRequest {
            connection_id: connection.to_owned(),
            types: vec!["airport".to_owned()],
            allow_export: true,
            allow_import: true,
        };
        side.operator.mappings().share_types(share).await?;
        told(side, "shares airport");
    }
    Ok(())
}

/// The sample data is loaded at one side and appears at the other.
async fn load(hub: &Side, edge: &Side) -> anyhow::Result<()> {
    step(7, "Data: 1,458 airports loaded at one side, there at the other");
    let began = Instant::now();
    let mut lines = AIRPORTS.lines();
    let columns = lines
        .next()
        .context("a header")?
        .split(',')
        .map(str::to_owned)
        .collect();
    let header = data::LoadHeader {
        space: "flights".to_owned(),
        object_type: "airport".to_owned(),
        columns,
        nulls: vec!["NA".to_owned()],
        ..Default::default()
    };
    let row = |(number, line): (u64, &str)| data::LoadRow {
        line: number,
        // The sample has no quoted cells; `peerctl object load` reads any CSV.
        content: Some(data::load_row::Content::Cells(data::Cells {
            values: line.split(',').map(str::to_owned).collect(),
        })),
    };
    let rows = data::LoadRows {
        rows: (2..).zip(lines).map(row).collect(),
    };
    let parts = [
        data::load_objects_request::Part::Header(header),
        data::load_objects_request::Part::Rows(rows),
    ];
    let parts = parts.map(|part| data::LoadObjectsRequest { part: Some(part) });
    let mut answers = hub
        .operator
        .objects()
        .load_objects(tokio_stream::iter(parts))
        .await?
        .into_inner();
    let mut last = data::LoadObjectsResponse::default();
    while let Some(answer) = answers.message().await? {
        last = answer;
    }
    told(
        hub,
        &format!("read {}, wrote {}, durably", last.read, last.written),
    );
    let wanted = last.written;
    ensure!(wanted > 0, "nothing was loaded");
    let arrived = async || Ok((edge.operator.airports().await? == wanted).then_some(()));
    edge.operator.wait("all airports", arrived).await?;
    told(
        edge,
        &format!(
            "has all {wanted}, {} ms after the load began",
            began.elapsed().as_millis()
        ),
    );
    Ok(())
}

async fn edit(hub: &Side, edge: &Side) -> anyhow::Result<()> {
    step(8, "A live edit, each way");
    for (from, to, name) in [(hub, edge, "Idlewild"), (edge, hub, "John F Kennedy Intl")] {
        let began = Instant::now();
        from.operator.rename("JFK", name).await?;
        let seen =
            async || Ok((to.operator.airport_name("JFK").await?.as_deref() == Some(name)).then_some(()));
        to.operator.wait("the edit", seen).await?;
        told(from, &format!("renames JFK to {name}"));
        told(to, &format!("sees it within {} ms", began.elapsed().as_millis()));
    }
    Ok(())
}

/// A policy is revoked and the stream stops at once.
async fn revoke(hub: &Side, edge: &Side, policies: &[String], connection: &str) -> anyhow::Result<()> {
    step(
        9,
        "A revoked policy stops the stream; what is not allowed does not leave",
    );
    let policy_id = policies.first().context("the egress policy")?.clone();
    hub.operator
        .policies()
        .revoke_policy(admin::RevokePolicyRequest { policy_id })
        .await?;
    told(hub, "revokes its egress policy");
    hub.operator.rename("LGA", "Not for others").await?;
    let request = peering::GetConnectionRequest {
        connection_id: connection.to_owned(),
    };
    let answer = hub
        .operator
        .connections()
        .get_connection(request)
        .await?
        .into_inner();
    let health = answer.connection.and_then(|it| it.health).context("health")?;
    told(
        hub,
        &format!(
            "the connection is {}: {}",
            health.status().as_str_name(),
            health.reason
        ),
    );
    let seen = edge.operator.airport_name("LGA").await?;
    ensure!(
        seen.as_deref() != Some("Not for others"),
        "an edit crossed without a policy"
    );
    told(
        edge,
        &format!("still has {}", seen.as_deref().unwrap_or("nothing")),
    );
    Ok(())
}

async fn prove(hub: &Side, edge: &Side) -> anyhow::Result<()> {
    step(10, "Everything above is in both audit logs, hash-chained");
    for side in [hub, edge] {
        let report = side
            .operator
            .audit()
            .verify_audit(admin::VerifyAuditRequest {})
            .await?
            .into_inner();
        ensure!(report.ok, "the audit chain does not verify");
        told(
            side,
            &format!("{} records verify; head {}…", report.records, &report.head[..16]),
        );
    }
    Ok(())
}
