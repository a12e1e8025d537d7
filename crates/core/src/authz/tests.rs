use super::*;

const HERE: SpaceId = SpaceId::from_bytes([1; 16]);
const THERE: SpaceId = SpaceId::from_bytes([2; 16]);

fn name(text: &str) -> Name {
    text.parse().expect(text)
}

fn principal(n: u8, role: Role, space: Option<SpaceId>) -> Principal {
    Principal {
        id: PrincipalId::from_bytes([n; 16]),
        name: name("someone"),
        role,
        space,
        token: Token::from_bytes([n; 32]).hash(),
        created_at: Time::EPOCH,
        revoked_at: None,
    }
}

fn space(id: SpaceId, managers: &[&Principal]) -> Space {
    Space {
        id,
        name: name("wards"),
        title: None,
        managers: managers.iter().map(|principal| principal.id).collect(),
    }
}

/// What decides on a connection.
const LIFECYCLE: [Action; 9] = [
    Action::ConnectionRequest,
    Action::ConnectionApprove,
    Action::ConnectionRevoke,
    Action::ConnectionActivate,
    Action::ConnectionDisable,
    Action::ConnectionEnable,
    Action::ConnectionSet,
    Action::ConnectionClose,
    Action::ConnectionApproveSecurity,
];

#[test]
fn b049_only_managers_of_the_space_and_admins_decide_on_its_connections() {
    let here = space(HERE, &[]);
    for action in LIFECYCLE {
        let ask = |caller: Option<&Principal>| authorize(caller, action, Some(&here)).map_err(Denial::reason);
        let role = |role, space| ask(Some(&principal(1, role, space))).map(|proof| proof.action());
        assert_eq!(ask(None), Err(Reason::TokenInvalid), "{action}");
        assert_eq!(role(Role::EnrollmentAdmin, None), Ok(action));
        assert_eq!(role(Role::SpaceManager, Some(HERE)), Ok(action));
        for (wrong, scope, reason) in [
            (Role::SpaceManager, Some(THERE), Reason::NotSpaceManager),
            (Role::SpaceManager, None, Reason::NotSpaceManager),
            (Role::SecurityOfficer, None, Reason::RoleInsufficient),
            (Role::Editor, Some(HERE), Reason::RoleInsufficient),
            (Role::Editor, None, Reason::RoleInsufficient),
            (Role::Viewer, Some(HERE), Reason::RoleInsufficient),
        ] {
            assert_eq!(
                role(wrong, scope),
                Err(reason),
                "{action} by {wrong} of {scope:?}"
            );
        }
    }
}

#[test]
fn b049_without_a_token_or_with_a_revoked_one_there_is_nothing() {
    let here = space(HERE, &[]);
    let revoked = Principal {
        revoked_at: Some(Time::EPOCH),
        ..principal(1, Role::EnrollmentAdmin, None)
    };
    for action in Action::ALL {
        for caller in [None, Some(&revoked)] {
            for scope in [None, Some(&here)] {
                assert_eq!(
                    authorize(caller, *action, scope),
                    Err(Denial::Anonymous),
                    "{action}"
                );
            }
        }
    }
}

#[test]
fn being_listed_makes_anyone_a_manager_of_that_space_and_of_no_other() {
    for role in [Role::SpaceManager, Role::SecurityOfficer, Role::Viewer] {
        let caller = principal(1, role, None);
        let (here, there) = (space(HERE, &[&caller]), space(THERE, &[]));
        let proof = authorize(Some(&caller), Action::OntologyApply, Some(&here)).expect("manager here");
        assert_eq!(
            (proof.principal(), proof.action(), proof.space()),
            (caller.id, Action::OntologyApply, Some(HERE))
        );
        assert!(authorize(Some(&caller), Action::OntologyApply, Some(&there)).is_err());
        assert!(authorize(Some(&caller), Action::OntologyApply, None).is_err());
        assert!(authorize(Some(&caller), Action::PrincipalCreate, Some(&here)).is_err());
    }
}

#[test]
fn a_viewer_reads_its_space_and_one_without_a_space_reads_all() {
    let (here, there) = (space(HERE, &[]), space(THERE, &[]));
    let reads = |scope, space: Option<&Space>| {
        authorize(
            Some(&principal(1, Role::Viewer, scope)),
            Action::ObjectRead,
            space,
        )
        .is_ok()
    };
    assert!(reads(Some(HERE), Some(&here)));
    assert!(!reads(Some(HERE), Some(&there)));
    assert!(reads(None, Some(&there)));
    assert!(
        !reads(None, None),
        "a space must be named where the answer depends on it"
    );
}

#[test]
fn a_denial_names_the_role_and_the_call() {
    let viewer = principal(1, Role::Viewer, None);
    let denial = authorize(Some(&viewer), Action::PolicyApprove, None).expect_err("denied");
    assert_eq!(
        denial.to_string(),
        "the role viewer does not allow 'policy approve'"
    );
}

#[test]
fn only_officers_and_admins_decide_on_policies_and_read_the_audit_log() {
    for action in [
        Action::PolicyApprove,
        Action::PolicyPause,
        Action::PolicyResume,
        Action::PolicyRevoke,
        Action::AuditList,
        Action::AuditVerify,
        Action::MarkingGrant,
        Action::ClassificationSetLevels,
    ] {
        for role in Role::ALL {
            let expected = match role {
                Role::EnrollmentAdmin | Role::SecurityOfficer => Access::Everywhere,
                Role::SpaceManager | Role::Editor | Role::Viewer => Access::Never,
            };
            assert_eq!(allows(role, action), expected, "{action} by {role}");
        }
    }
}

/// No role may do less than the one after it, among those who work with data.
#[test]
fn a_manager_may_do_all_that_an_editor_may_and_an_editor_all_that_a_viewer_may() {
    for action in Action::ALL {
        let [admin, manager, editor, viewer] = [
            Role::EnrollmentAdmin,
            Role::SpaceManager,
            Role::Editor,
            Role::Viewer,
        ]
        .map(|role| allows(role, *action));
        assert!(
            admin <= manager && manager <= editor && editor <= viewer,
            "{action}"
        );
        assert_eq!(admin, Access::Everywhere, "{action}");
    }
}

#[test]
fn every_action_and_role_has_a_word_of_its_own() {
    let words: BTreeSet<&str> = Action::ALL.iter().map(|action| action.word()).collect();
    assert_eq!(words.len(), Action::ALL.len());
    for role in Role::ALL {
        assert_eq!(role.word().parse(), Ok(role));
        let stored = serde_json::to_string(&role).expect("encodes");
        assert_eq!(stored, format!("\"{role}\""));
    }
    assert_eq!("admin".parse::<Role>(), Err(InvalidRole));
}

#[test]
fn b082_what_carries_a_marking_is_seen_by_its_members_only() {
    let [member, other] = [1, 2].map(|n| PrincipalId::from_bytes([n; 16]));
    let marking = |text: &str, members: &[PrincipalId]| {
        let members = members.iter().copied().collect();
        (
            name(text),
            Marking {
                name: name(text),
                members,
            },
        )
    };
    let known = BTreeMap::from([
        marking("medical", &[member]),
        marking("eyes-only", &[member, other]),
        marking("arrived", &[]),
    ]);
    let sees = |who, carried: &[&str]| may_see(who, &carried.iter().map(|m| name(m)).collect(), &known);
    assert!(sees(other, &[]));
    assert!(sees(member, &["medical", "eyes-only"]));
    assert!(!sees(other, &["medical", "eyes-only"]), "each marking counts");
    assert!(!sees(member, &["arrived"]));
    assert!(!sees(member, &["never-heard-of"]));
}

#[test]
fn records_are_stored_under_field_names_and_read_back() {
    let manager = principal(1, Role::SpaceManager, Some(HERE));
    let bytes = rmp_serde::to_vec_named(&manager).expect("encodes");
    assert_eq!(
        rmp_serde::from_slice::<Principal>(&bytes).expect("decodes"),
        manager
    );
    let wards = Space {
        title: Some("Wards".parse().expect("a title")),
        ..space(HERE, &[&manager])
    };
    let bytes = rmp_serde::to_vec_named(&wards).expect("encodes");
    assert_eq!(rmp_serde::from_slice::<Space>(&bytes).expect("decodes"), wards);
}
