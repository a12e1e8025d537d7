//! The story of a connection, told step by step, with what is refused on the way.

use super::*;

#[test]
fn b001_b032_request_approve_and_activate_lead_both_sides_to_active() {
    let there = requested();
    assert_eq!(there.stage.name(), "requested");
    let step = approve(approval()).expect("an approval");
    assert_eq!(step.next.stage.name(), "approved");
    assert_eq!(step.next.flow(), flow().mirrored(), "seen from the other side");
    let (there, effects) = deliver(&step, &there);
    assert_eq!((there.stage.name(), effects), ("approved", vec![]));
    assert_eq!(
        there.remote_space,
        Some(name("imported")),
        "it shows who approved, with which space"
    );
    let activated = there.activate(&Granted(importer()), NOW).expect("activates");
    assert!(activated.effects.contains(&Effect::StartStreams));
    let (here, effects) = deliver(&activated, &step.next);
    assert_eq!(
        (here.stage.name(), effects),
        ("active", vec![Effect::StartStreams])
    );
    assert_eq!(here.terms(), activated.next.terms());
    assert_eq!(here.view().compare(&activated.next.view()), Agreement::Same);
}

#[test]
fn b037_b038_no_data_flows_before_both_approval_and_activation() {
    let (originator, importer) = approved();
    for connection in [requested(), originator, importer] {
        assert!(!connection.is_flowing());
    }
    let step = approve(approval()).expect("an approval");
    assert!(!step.effects.contains(&Effect::StartStreams));
}

#[test]
fn b039_only_the_originator_activates() {
    let (originator, importer) = approved();
    let permit = Granted(originator.local);
    assert_eq!(reason(importer.activate(&permit, NOW)), Reason::NotOriginator);
    let body = Body::Activated {
        terms: originator.terms(),
    };
    let forged = Message::of(&importer, message_id(99), 2, body, NOW);
    assert_eq!(reason(receive(&originator, &forged)), Reason::NotOriginator);
}

#[test]
fn b040_a_rejection_reaches_the_originator_with_its_reason() {
    let why = remark("the data protection officer said no");
    let link = LinkId::from_bytes([2; 16]);
    let step = Connection::reject(&invite(), importer(), link, why.clone(), None, NOW).expect("rejects");
    let (there, _) = deliver(&step, &requested());
    let rejected = |by| Stage::Rejected {
        at: NOW,
        by,
        why: Rejection::Remark(why.clone()),
    };
    assert_eq!(
        (step.next.stage, there.stage),
        (rejected(Side::Here), rejected(Side::There))
    );
}

#[test]
fn b003_b013_an_approval_without_the_codes_secret_is_refused() {
    let step = approve(approval()).expect("an approval");
    let good = sent(&step).remove(0);
    let Body::Approved {
        space,
        title,
        security,
        ..
    } = good.body.clone()
    else {
        panic!("an approval");
    };
    let other = ProofKey::of(&Secret::from_bytes([8; 32]));
    for proof in [
        other.approval(step.next.id, importer()),
        ProofKey::of(&invite().secret).approval(ConnectionId::from_bytes([2; 16]), importer()),
        ProofKey::of(&invite().secret).approval(step.next.id, originator()),
    ] {
        let (space, title, security) = (space.clone(), title.clone(), security.clone());
        let body = Body::Approved {
            space,
            title,
            security,
            proof,
        };
        let forged = Message { body, ..good.clone() };
        assert_eq!(reason(receive(&requested(), &forged)), Reason::ProofInvalid);
    }
    let stranger = Message {
        from: EnrollmentId::from_bytes([5; 32]),
        ..good.clone()
    };
    assert_eq!(reason(receive(&requested(), &stranger)), Reason::IdentityMismatch);
    let elsewhere = Message {
        to: EnrollmentId::from_bytes([5; 32]),
        ..good
    };
    assert_eq!(
        reason(receive(&requested(), &elsewhere)),
        Reason::IdentityMismatch
    );
}

#[test]
fn b002_a_new_code_makes_the_earlier_one_void_and_keeps_the_connection() {
    let until = NOW.plus(HOUR);
    let key = ProofKey::of(&Secret::from_bytes([8; 32]));
    let reissued = command(&requested(), &Command::Reissue { key, until }).next;
    assert_eq!(reissued.id, requested().id);
    let old = sent(&approve(approval()).expect("with the earlier code")).remove(0);
    assert_eq!(reason(receive(&reissued, &old)), Reason::ProofInvalid);
    let mut newer = invite();
    newer.secret = Secret::from_bytes([8; 32]);
    let permit = Granted(originator());
    let step = Connection::approve(&newer, approval(), None, &permit, &levels(), NOW).expect("with the new");
    assert_eq!(deliver(&step, &reissued).0.stage.name(), "approved");
}

#[test]
fn b003_a_code_is_answered_once_on_each_side() {
    let (originator, importer) = approved();
    let permit = Granted(originator.local);
    let again = Connection::approve(&invite(), approval(), Some(&importer), &permit, &levels(), NOW);
    assert_eq!(reason(again), Reason::CodeUsed);
    let mut another = approval();
    another.space = space("elsewhere");
    let mut second = sent(&approve(another).expect("of a second importer")).remove(0);
    second.id = message_id(77);
    assert_eq!(reason(receive(&originator, &second)), Reason::CodeUsed);
    let lost = importer
        .approval_refused(Reason::CodeUsed, NOW)
        .expect("it learns");
    assert_eq!(lost.next.stage.name(), "rejected");
}

#[test]
fn b004_b005_an_approval_that_comes_after_the_end_ends_the_importer_alike() {
    let step = approve(approval()).expect("an approval");
    let message = sent(&step).remove(0);
    let permit = Granted(importer());
    let levels = levels();
    let allowed = Allowed {
        permit: Some(&permit),
        levels: &levels,
    };
    let late = requested()
        .receive(&message, allowed, NOW.plus(72 * HOUR))
        .expect("it is told");
    assert_eq!(late.next.stage.name(), "expired");
    assert_eq!(deliver(&late, &step.next).0.stage.name(), "expired");

    for (over, word, stage) in [
        (
            command(&requested(), &Command::Revoke).next,
            Reason::CodeRevoked,
            "revoked",
        ),
        (
            requested().expire(NOW.plus(72 * HOUR)).expect("expires").next,
            Reason::CodeExpired,
            "expired",
        ),
    ] {
        assert_eq!(reason(receive(&over, &message)), word);
        assert_eq!(
            step.next
                .approval_refused(word, NOW)
                .expect("a step")
                .next
                .stage
                .name(),
            stage
        );
        let answer = Step {
            effects: vec![over.ending().expect("an answer")],
            next: over,
            fact: None,
        };
        assert_eq!(
            deliver(&answer, &step.next).0.stage.name(),
            stage,
            "the same by message"
        );
    }
    assert!(
        step.next.approval_refused(Reason::StoreUnavailable, NOW).is_err(),
        "that is tried again"
    );
    assert!(requested().expire(NOW).is_err(), "not before its time");
}

#[test]
fn b010_an_importer_refuses_its_own_a_foreign_and_an_expired_code() {
    let with = |local, now| {
        let approval = Approval { local, ..approval() };
        reason(Connection::approve(
            &invite(),
            approval,
            None,
            &Granted(originator()),
            &levels(),
            now,
        ))
    };
    assert_eq!(with(originator(), NOW), Reason::CodeOwn);
    assert_eq!(with(EnrollmentId::from_bytes([8; 32]), NOW), Reason::CodeNotForUs);
    assert_eq!(with(importer(), NOW.plus(72 * HOUR)), Reason::CodeExpired);
}

#[test]
fn an_approval_may_narrow_the_security_and_never_widen_it() {
    let with = |security| {
        approve(Approval {
            security: Some(security),
            ..approval()
        })
    };
    let narrow = with(security("open", &["medical"])).expect("narrower");
    let (there, _) = deliver(&narrow, &requested());
    assert_eq!(there.security, security("open", &["medical"]));
    assert_eq!(there.asked, invite().security);
    for wide in [
        security("secret", &["medical", "nuclear"]),
        security("cosmic", &["medical"]),
    ] {
        assert_eq!(reason(with(wide.clone())), Reason::SecurityWidened);
        let mut forged = sent(&narrow).remove(0);
        if let Body::Approved { security, .. } = &mut forged.body {
            *security = wide;
        }
        assert_eq!(
            reason(receive(&requested(), &forged)),
            Reason::SecurityWidened,
            "nor by a message"
        );
    }
}

#[test]
fn every_step_that_policy_permits_asks_for_a_permit_of_that_enrollment() {
    let wrong = Granted(EnrollmentId::from_bytes([5; 32]));
    assert_eq!(
        reason(Connection::request(request(), &wrong, NOW)),
        Reason::IdentityMismatch
    );
    let approves = Connection::approve(&invite(), approval(), None, &wrong, &levels(), NOW);
    assert_eq!(reason(approves), Reason::IdentityMismatch);
    let (originator, importer) = approved();
    assert_eq!(reason(originator.activate(&wrong, NOW)), Reason::IdentityMismatch);
    let activated = originator
        .activate(&Granted(originator.remote), NOW)
        .expect("activates");
    let levels = levels();
    let approving = sent(&approve(approval()).expect("an approval")).remove(0);
    let activating = sent(&activated).remove(0);
    for (connection, message) in [(requested(), approving), (importer, activating)] {
        assert!(message.body.needs_permit());
        let none = Allowed {
            permit: None,
            levels: &levels,
        };
        assert_eq!(
            reason(connection.receive(&message, none, NOW)),
            Reason::RemoteRefused
        );
        let wrong = Allowed {
            permit: Some(&wrong),
            levels: &levels,
        };
        assert_eq!(
            reason(connection.receive(&message, wrong, NOW)),
            Reason::IdentityMismatch
        );
        assert!(
            receive(&connection, &message).is_ok(),
            "and takes it once policy permits"
        );
    }
}

#[test]
fn b112_b113_closing_drains_tells_the_other_and_each_side_decides_on_its_imports() {
    let (originator, importer) = active();
    let closed = command(&originator, &close(Imported::Purge));
    assert!(matches!(
        closed.effects[0],
        Effect::Send {
            body: Body::Closed,
            ..
        }
    ));
    assert_eq!(closed.effects[1..], [Effect::DrainStreams, Effect::PurgeImported]);
    let (importer, effects) = deliver(&closed, &importer);
    assert_eq!(
        effects,
        [Effect::DrainStreams],
        "the imports there are not ours to purge"
    );
    let (by, at, forced) = (Side::There, NOW, false);
    assert_eq!(
        importer.stage,
        Stage::Closed {
            at,
            by,
            imported: Imported::Keep,
            forced
        }
    );
    assert!(
        command(&closed.next, &close(Imported::Purge)).is_noop(),
        "idempotent"
    );
    let purged = command(&importer, &close(Imported::Purge));
    assert_eq!(
        purged.effects,
        [Effect::PurgeImported],
        "it may still be purged later"
    );
    assert!(command(&purged.next, &close(Imported::Keep)).is_noop());
}

#[test]
fn b115_a_connection_that_was_forced_closed_refuses_a_late_return_and_tells_it() {
    let (originator, importer) = active();
    let force = Command::Close {
        imported: Imported::Keep,
        force: true,
    };
    let closed = command(&originator, &force);
    assert!(closed.effects.contains(&Effect::StopStreams));
    let back = command(&importer, &Command::Disable);
    let late = &sent(&back)[0];
    assert_eq!(reason(receive(&closed.next, late)), Reason::WrongStage);
    let answer = closed.next.ending().expect("an answer");
    let answer = Step {
        effects: vec![answer],
        next: closed.next,
        fact: None,
    };
    assert_eq!(deliver(&answer, &back.next).0.stage.name(), "closed");
}

#[test]
fn b034_either_side_can_end_it_from_every_stage_that_is_not_final() {
    let ended = |connection: &Connection| command(connection, &close(Imported::Keep)).next.stage.name();
    assert_eq!(ended(&requested()), "revoked");
    let (originator, importer) = approved();
    assert_eq!((ended(&originator), ended(&importer)), ("closed", "closed"));
    let (originator, importer) = active();
    assert_eq!((ended(&originator), ended(&importer)), ("closed", "closed"));
    let halted = command(&importer, &Command::Disable).next;
    assert_eq!(ended(&halted), "closed");
}

#[test]
fn b057_a_message_that_came_too_early_is_asked_for_again() {
    let (originator, importer) = active();
    let disabled = command(&originator, &Command::Disable);
    let enabled = command(&disabled.next, &Command::Enable);
    let (first, second) = (&sent(&disabled)[0], &sent(&enabled)[0]);
    assert_eq!(reason(receive(&importer, second)), Reason::MessageEarly);
    let importer = receive(&importer, first).expect("the first").next;
    assert!(
        receive(&importer, second)
            .expect("then the second")
            .next
            .is_flowing()
    );
}

#[test]
fn b045_a_divergence_and_a_restored_backup_are_seen() {
    let (originator, importer) = active();
    let compare = |a: &Connection, b: &Connection| a.view().compare(&b.view());
    let disabled = command(&originator, &Command::Disable);
    assert_eq!(compare(&disabled.next, &importer), Agreement::Pending);
    let (told, _) = deliver(&disabled, &importer);
    assert_eq!(compare(&disabled.next, &told), Agreement::Same);
    let restored = originator;
    assert_eq!(compare(&restored, &told), Agreement::Regressed(Side::Here));
    assert_eq!(compare(&told, &restored), Agreement::Regressed(Side::There));
    let mut differs = told.clone();
    differs.security.markings.clear();
    assert_eq!(compare(&disabled.next, &differs), Agreement::Diverged);
}

#[test]
fn a_stored_connection_reads_back_also_without_the_fields_that_came_later() {
    let (originator, importer) = active();
    for connection in [requested(), originator, importer] {
        let bytes = rmp_serde::to_vec_named(&connection).expect("encodes");
        assert_eq!(
            rmp_serde::from_slice::<Connection>(&bytes).expect("decodes"),
            connection
        );
    }
    for message in sent(&approve(approval()).expect("an approval")) {
        let bytes = rmp_serde::to_vec_named(&message).expect("encodes");
        assert_eq!(
            rmp_serde::from_slice::<Message>(&bytes).expect("decodes"),
            message
        );
    }
    let mut older = serde_json::to_value(requested()).expect("encodes");
    let fields = older.as_object_mut().expect("a record");
    for field in ["approval", "change", "re_export"] {
        fields.remove(field);
    }
    assert_eq!(
        serde_json::from_value::<Connection>(older).expect("decodes"),
        requested()
    );
}

#[test]
fn b044_a_remark_cannot_hide_or_reorder_text() {
    assert!("no: see ticket 7".parse::<Remark>().is_ok());
    for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(501)] {
        assert_eq!(bad.parse::<Remark>(), Err(InvalidRemark));
    }
}
