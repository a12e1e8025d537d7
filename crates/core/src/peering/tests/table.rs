//! Every stage against everything that can happen, as a table that people can read.

use std::fmt::Write as _;

use super::*;

/// The connections of one role in every stage it can be in.
fn stages(role: Role) -> Vec<(&'static str, Connection)> {
    let (originator, importer) = active();
    let (waiting, asked) = approved();
    let (active, approved) = match role {
        Role::Originator => (originator, waiting),
        Role::Importer => (importer, asked),
    };
    let at = NOW;
    let by = Side::Here;
    let why = Rejection::Remark(remark("no"));
    let over = |stage: Stage| Connection {
        stage,
        ..active.clone()
    };
    let halted = |halt| over(Stage::Disabled { since: NOW, halt });
    let closed = Stage::Closed {
        at,
        by,
        imported: Imported::Purge,
        forced: false,
    };
    let mut stages = vec![
        ("approved", approved),
        ("active", active.clone()),
        ("halted here", halted(Halt::Here(NOW))),
        ("halted there", halted(Halt::There(NOW))),
        (
            "halted both",
            halted(Halt::Both {
                here: NOW,
                there: NOW,
            }),
        ),
        ("closed", over(closed)),
        ("rejected", over(Stage::Rejected { at, by, why })),
        ("expired", over(Stage::Expired { at })),
        ("revoked", over(Stage::Revoked { at })),
    ];
    if role == Role::Originator {
        stages.insert(0, ("requested", requested()));
    }
    stages
}

fn commands() -> Vec<Command> {
    vec![
        Command::Reissue {
            key: ProofKey::of(&Secret::from_bytes([8; 32])),
            until: NOW.plus(HOUR),
        },
        Command::Revoke,
        Command::Disable,
        Command::Enable,
        Command::SetDataTypes(Flow::NONE),
        Command::SetReExport(true),
        Command::ProposeSecurity {
            id: change(1),
            security: security("open", &[]),
        },
        Command::DecideSecurity {
            id: change(2),
            decision: Decision::Approve,
        },
        close(Imported::Purge),
    ]
}

fn bodies(of: &Connection) -> Vec<Body> {
    let proof = ProofKey::of(&invite().secret).approval(of.id, of.remote);
    let security = security("open", &[]);
    let space = name("imported");
    vec![
        Body::Approved {
            space,
            title: None,
            security: security.clone(),
            proof,
        },
        Body::Rejected {
            remark: remark("no"),
            proof,
        },
        Body::Revoked,
        Body::Expired,
        Body::Activated { terms: of.terms() },
        Body::Disabled,
        Body::Enabled,
        Body::DataTypesSet { flow: Flow::NONE },
        Body::SecurityProposed {
            id: change(3),
            security,
        },
        Body::SecurityDecided {
            id: change(1),
            decision: Decision::Approve,
        },
        Body::Closed,
    ]
}

/// The connection with the change request that a decision is about.
fn deciding(connection: &Connection, event: &str) -> Connection {
    let (id, by) = match event {
        "decide security" => (change(2), Side::There),
        "security decided" => (change(1), Side::Here),
        _ => return connection.clone(),
    };
    let pending = Change {
        id,
        by,
        security: security("open", &[]),
        at: NOW,
    };
    Connection {
        change: Some(pending),
        ..connection.clone()
    }
}

/// One cell: the stage it leads to, `changed` in the same stage, `same`, or `-` and a reason that is not the stage.
fn cell(before: &Connection, step: &Result<Step, Refused>) -> String {
    match step {
        Err(refused) if refused.reason == Reason::WrongStage => "-".to_owned(),
        Err(refused) => format!("- {}", refused.reason),
        Ok(step) if step.is_noop() => "same".to_owned(),
        Ok(step) if step.next.stage == before.stage => "changed".to_owned(),
        Ok(step) => match step.next.stage {
            Stage::Disabled {
                halt: Halt::Here(_), ..
            } => "halted here".to_owned(),
            Stage::Disabled {
                halt: Halt::There(_), ..
            } => "halted there".to_owned(),
            Stage::Disabled {
                halt: Halt::Both { .. },
                ..
            } => "halted both".to_owned(),
            _ => step.next.stage.name().to_owned(),
        },
    }
}

fn row(out: &mut String, head: &str, cells: impl Iterator<Item = String>) {
    let mut line = format!("{head:<26}");
    for cell in cells {
        write!(line, "{cell:<18}").expect("a string takes it");
    }
    writeln!(out, "{}", line.trim_end()).expect("a string takes it");
}

fn table(role: Role) -> String {
    let stages = stages(role);
    let mut out = String::new();
    row(
        &mut out,
        &format!("{role:?}"),
        stages.iter().map(|(name, _)| (*name).to_owned()),
    );
    for command in commands() {
        let cells = stages.iter().map(|(_, connection)| {
            let before = deciding(connection, command.name());
            cell(&before, &before.command(&command, NOW))
        });
        row(&mut out, &format!("command {}", command.name()), cells);
    }
    let activate =
        |(_, before): &(_, Connection)| cell(before, &before.activate(&Granted(before.remote), NOW));
    row(&mut out, "command activate", stages.iter().map(activate));
    let expire = |(_, before): &(_, Connection)| cell(before, &before.expire(NOW.plus(72 * HOUR)));
    row(&mut out, "time is over", stages.iter().map(expire));
    let refused =
        |(_, before): &(_, Connection)| cell(before, &before.approval_refused(Reason::CodeUsed, NOW));
    row(&mut out, "approval refused", stages.iter().map(refused));
    for n in 0..bodies(&requested()).len() {
        let event = bodies(&requested())[n].name();
        let cells = stages.iter().map(|(_, connection)| {
            let before = deciding(connection, event);
            cell(&before, &arrives(&before, bodies(&before).remove(n)))
        });
        row(&mut out, &format!("message {event}"), cells);
    }
    out
}

/// The message as the next one of the other side; and once more, which never does anything.
fn arrives(before: &Connection, body: Body) -> Result<Step, Refused> {
    let message = Message {
        id: before.approval.unwrap_or(message_id(1)),
        connection: before.id,
        from: before.remote,
        to: before.local,
        sequence: before.received + 1,
        sent_at: NOW,
        body,
    };
    let step = receive(before, &message)?;
    let again = receive(&step.next, &message).expect("the same answer");
    assert!(
        again.is_noop() && again.next == step.next,
        "{} twice",
        message.body.name()
    );
    Ok(step)
}

#[test]
fn b032_b033_b034_b035_b036_every_stage_against_every_event() {
    let actual = format!("{}\n{}", table(Role::Originator), table(Role::Importer));
    let expected = include_str!("table.txt");
    assert!(
        actual == expected,
        "the table of stages changed; it is now\n{actual}"
    );
}

#[test]
fn b033_a_refusal_names_the_stage_and_the_event() {
    let refused = requested().command(&Command::Disable, NOW).expect_err("refused");
    assert_eq!(
        (refused.stage, refused.event, refused.reason),
        ("requested", "disable", Reason::WrongStage)
    );
    assert!(refused.to_string().contains("requested") && refused.to_string().contains("disable"));
}
