//! The terms: how they are agreed, and how they change.

use super::*;

#[test]
fn b109_the_terms_received_must_be_the_terms_accepted() {
    let (originator, importer) = approved();
    let mut other = originator.clone();
    other.security = other.asked.clone();
    other.security.markings.clear();
    let step = other.activate(&Granted(other.remote), NOW).expect("activates");
    assert_eq!(reason(receive(&importer, &sent(&step)[0])), Reason::TermsMismatch);
}

#[test]
fn b041_terms_do_not_change_after_the_approval_without_a_new_one() {
    let (originator, importer) = approved();
    let wider = security("secret", &["nuclear"]);
    let proposal = Command::ProposeSecurity {
        id: change(1),
        security: wider.clone(),
    };
    for connection in [&originator, &importer] {
        for command in [&proposal, &Command::SetDataTypes(Flow::NONE)] {
            let refused = connection.command(command, NOW);
            assert_eq!(
                reason(refused),
                Reason::WrongStage,
                "ask again with a new request"
            );
        }
    }
    let (originator, importer) = active();
    let proposed = command(&originator, &proposal);
    let (importer, effects) = deliver(&proposed, &importer);
    assert_eq!(effects, []);
    assert!(
        proposed.next.security != wider && importer.security != wider,
        "it waits for the approval"
    );
    let decide = Command::DecideSecurity {
        id: change(1),
        decision: Decision::Approve,
    };
    assert_eq!(
        reason(proposed.next.command(&decide, NOW)),
        Reason::ChangeUnknown,
        "not by its proposer"
    );
    let other = Command::DecideSecurity {
        id: change(2),
        decision: Decision::Approve,
    };
    assert_eq!(reason(importer.command(&other, NOW)), Reason::ChangeUnknown);
    let decided = command(&importer, &decide);
    let (id, decision) = (change(2), Decision::Approve);
    let foreign = Message {
        body: Body::SecurityDecided { id, decision },
        ..sent(&decided).remove(0)
    };
    assert_eq!(reason(receive(&proposed.next, &foreign)), Reason::ChangeUnknown);
    let (originator, effects) = deliver(&decided, &proposed.next);
    assert_eq!((&originator.security, &decided.next.security), (&wider, &wider));
    assert_eq!(effects, [Effect::ReviseStreams]);
    assert_eq!((&originator.change, &decided.next.change), (&None, &None));
    assert_eq!(originator.terms(), decided.next.terms());
}

#[test]
fn a_rejected_change_request_changes_nothing_on_either_side() {
    let (originator, importer) = active();
    let proposal = Command::ProposeSecurity {
        id: change(1),
        security: security("open", &[]),
    };
    let proposed = command(&importer, &proposal);
    let (originator, _) = deliver(&proposed, &originator);
    assert_eq!(reason(originator.command(&proposal, NOW)), Reason::ChangePending);
    let decision = Decision::Reject {
        remark: remark("too narrow"),
    };
    let decided = command(
        &originator,
        &Command::DecideSecurity {
            id: change(1),
            decision,
        },
    );
    let (importer, effects) = deliver(&decided, &proposed.next);
    assert_eq!((importer.change, effects), (None, vec![]));
    assert_eq!(importer.security, decided.next.security);
}

#[test]
fn of_two_proposals_that_cross_both_sides_keep_the_originators() {
    let (originator, importer) = active();
    let ours = Command::ProposeSecurity {
        id: change(1),
        security: security("open", &[]),
    };
    let theirs = Command::ProposeSecurity {
        id: change(2),
        security: security("secret", &[]),
    };
    let (ours, theirs) = (command(&originator, &ours), command(&importer, &theirs));
    let originator = deliver(&theirs, &ours.next).0;
    let importer = deliver(&ours, &theirs.next).0;
    let held = |connection: &Connection| connection.change.as_ref().map(|held| (held.id, held.by));
    assert_eq!(held(&originator), Some((change(1), Side::Here)));
    assert_eq!(held(&importer), Some((change(1), Side::There)));
}

#[test]
fn b111_either_side_disables_and_only_lifts_its_own() {
    let (originator, importer) = active();
    let here = command(&originator, &Command::Disable);
    let (importer, effects) = deliver(&here, &importer);
    assert_eq!(effects, [Effect::StopStreams]);
    assert!(!importer.is_flowing() && !here.next.is_flowing());
    let lifting = command(&importer, &Command::Enable);
    assert!(lifting.is_noop(), "it is not its own");
    let both = command(&importer, &Command::Disable);
    let (originator, _) = deliver(&both, &here.next);
    let one = command(&originator, &Command::Enable);
    assert!(!one.effects.contains(&Effect::StartStreams) && !one.next.is_flowing());
    let (importer, _) = deliver(&one, &both.next);
    let last = command(&importer, &Command::Enable);
    let (originator, effects) = deliver(&last, &one.next);
    assert!(last.next.is_flowing() && originator.is_flowing());
    assert_eq!(effects, [Effect::StartStreams]);
}

#[test]
fn data_types_narrow_at_once_on_both_sides_and_widen_when_both_want_it() {
    let (originator, importer) = active();
    let narrow = Flow {
        exports: DataTypes {
            objects: true,
            artifacts: false,
        },
        imports: DataTypes::NONE,
    };
    let step = command(&originator, &Command::SetDataTypes(narrow));
    assert!(step.effects.contains(&Effect::ReviseStreams));
    let (importer, effects) = deliver(&step, &importer);
    assert_eq!(
        (importer.flow(), effects),
        (narrow.mirrored(), vec![Effect::ReviseStreams])
    );
    let wide = Flow {
        exports: DataTypes::ALL,
        imports: DataTypes::ALL,
    };
    let step = command(&step.next, &Command::SetDataTypes(wide));
    let (importer, _) = deliver(&step, &importer);
    assert_eq!(step.next.flow(), flow(), "no more than the other side allows");
    assert_eq!(importer.flow(), flow().mirrored());
    let asked = importer.widening_asked();
    assert_eq!(
        (asked.exports.artifacts, asked.imports.artifacts),
        (true, false),
        "it waits here"
    );
    let agreed = command(&importer, &Command::SetDataTypes(wide));
    let (originator, _) = deliver(&agreed, &step.next);
    assert_eq!((originator.flow(), agreed.next.flow()), (wide, wide));
}
