//! The calls of the operator API, and which role may make which.

use std::fmt;

use super::Role;

/// Where a role may take an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Wherever it is about, or about no space at all.
    Everywhere,
    /// Only in the spaces the role is for.
    OwnSpaces,
    /// Nowhere.
    Never,
}

const ALL: Access = Access::Everywhere;
const OWN: Access = Access::OwnSpaces;
const NO: Access = Access::Never;

/// Declares the actions and the role table in one place: there is no action without a row.
macro_rules! actions {
    ($($name:ident = $words:literal: $admin:ident $officer:ident $manager:ident $editor:ident $viewer:ident;)+) => {
        /// A call of the operator API. Its words are the command that makes it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = concat!("`", $words, "`")] $name,)+
        }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Action] = &[$(Action::$name,)+];

            /// Its words, as the audit log has them.
            pub const fn word(self) -> &'static str {
                match self { $(Action::$name => $words,)+ }
            }

            /// Its row: enrollment admin, security officer, space manager, editor, viewer.
            const fn row(self) -> [Access; 5] {
                match self { $(Action::$name => [$admin, $officer, $manager, $editor, $viewer],)+ }
            }
        }
    };
}

// A list answers with what its caller may show; the rest of it does not exist for them. So lists are open where a
// single thing is not.
//
//                                                               admin officer manager editor viewer
actions! {
    Status = "status":                                             ALL     ALL     ALL    ALL    ALL;
    EnrollmentShow = "enrollment show":                            ALL     ALL     ALL    ALL    ALL;
    EnrollmentSetTitle = "enrollment set-title":                   ALL      NO      NO     NO     NO;
    EnrollmentRotateIdentity = "enrollment rotate-identity":       ALL      NO      NO     NO     NO;
    EnrollmentBackup = "enrollment backup":                        ALL      NO      NO     NO     NO;
    PrincipalCreate = "principal create":                          ALL      NO      NO     NO     NO;
    PrincipalList = "principal list":                              ALL      NO      NO     NO     NO;
    PrincipalRevoke = "principal revoke":                          ALL      NO      NO     NO     NO;
    SpaceCreate = "space create":                                  ALL      NO      NO     NO     NO;
    SpaceShow = "space show":                                      ALL     ALL     OWN    OWN    OWN;
    SpaceList = "space list":                                      ALL     ALL     ALL    ALL    ALL;
    SpaceAddManager = "space add-manager":                         ALL      NO      NO     NO     NO;
    SpaceRemoveManager = "space remove-manager":                   ALL      NO      NO     NO     NO;

    PolicyPropose = "policy propose":                              ALL     ALL     ALL    ALL    ALL;
    PolicyList = "policy list":                                    ALL     ALL     ALL     NO     NO;
    PolicyShow = "policy show":                                    ALL     ALL     ALL     NO     NO;
    PolicyCheck = "policy check":                                  ALL     ALL     ALL     NO     NO;
    PolicyApprove = "policy approve":                              ALL     ALL      NO     NO     NO;
    PolicyPause = "policy pause":                                  ALL     ALL      NO     NO     NO;
    PolicyResume = "policy resume":                                ALL     ALL      NO     NO     NO;
    PolicyRevoke = "policy revoke":                                ALL     ALL      NO     NO     NO;

    LinkInvite = "link invite":                                    ALL     ALL      NO     NO     NO;
    LinkInspect = "link inspect":                                  ALL     ALL     ALL     NO     NO;
    LinkAccept = "link accept":                                    ALL     ALL      NO     NO     NO;
    LinkAddRelay = "link add-relay":                               ALL     ALL      NO     NO     NO;
    LinkList = "link list":                                        ALL     ALL     ALL     NO     NO;
    LinkShow = "link show":                                        ALL     ALL     ALL     NO     NO;
    LinkDial = "link dial":                                        ALL     ALL      NO     NO     NO;
    LinkRemove = "link remove":                                    ALL     ALL      NO     NO     NO;
    LinkKnocks = "link knocks":                                    ALL     ALL      NO     NO     NO;

    ConnectionRequest = "connection request":                      ALL      NO     OWN     NO     NO;
    ConnectionReissue = "connection reissue":                      ALL      NO     OWN     NO     NO;
    ConnectionInspect = "connection inspect":                      ALL     ALL     ALL     NO     NO;
    ConnectionApprove = "connection approve":                      ALL      NO     OWN     NO     NO;
    ConnectionReject = "connection reject":                        ALL      NO     ALL     NO     NO;
    ConnectionRevoke = "connection revoke":                        ALL      NO     OWN     NO     NO;
    ConnectionActivate = "connection activate":                    ALL      NO     OWN     NO     NO;
    ConnectionList = "connection list":                            ALL     ALL     ALL    ALL    ALL;
    ConnectionShow = "connection show":                            ALL     ALL     OWN    OWN    OWN;
    ConnectionDisable = "connection disable":                      ALL      NO     OWN     NO     NO;
    ConnectionEnable = "connection enable":                        ALL      NO     OWN     NO     NO;
    ConnectionSet = "connection set":                              ALL      NO     OWN     NO     NO;
    ConnectionClose = "connection close":                          ALL      NO     OWN     NO     NO;
    ConnectionVerify = "connection verify":                        ALL      NO     OWN     NO     NO;
    ConnectionProposeSecurity = "connection propose-security":     ALL      NO     OWN     NO     NO;
    ConnectionChangeRequests = "connection change-requests":       ALL     ALL     ALL     NO     NO;
    ConnectionApproveSecurity = "connection approve-security":     ALL      NO     OWN     NO     NO;
    ConnectionRejectSecurity = "connection reject-security":       ALL      NO     OWN     NO     NO;

    OntologyApply = "ontology apply":                              ALL      NO     OWN     NO     NO;
    OntologyShow = "ontology show":                                ALL      NO     OWN    OWN    OWN;
    OntologyExportXsd = "ontology export-xsd":                     ALL      NO     OWN     NO     NO;
    ObjectLoad = "object load":                                    ALL      NO     OWN     NO     NO;
    ObjectCreate = "object create":                                ALL      NO     OWN    OWN     NO;
    ObjectEdit = "object edit":                                    ALL      NO     OWN    OWN     NO;
    ObjectDelete = "object delete":                                ALL      NO     OWN    OWN     NO;
    ObjectRead = "object get":                                     ALL      NO     OWN    OWN    OWN;
    ObjectList = "object list":                                    ALL      NO     OWN    OWN    OWN;
    ObjectCount = "object count":                                  ALL      NO     OWN    OWN    OWN;
    ObjectLink = "object link":                                    ALL      NO     OWN    OWN     NO;
    ObjectUnlink = "object unlink":                                ALL      NO     OWN    OWN     NO;
    ObjectLinks = "object links":                                  ALL      NO     OWN    OWN    OWN;
    ObjectWatch = "object watch":                                  ALL      NO     OWN    OWN    OWN;
    ObjectSetSecurity = "object set-security":                     ALL      NO     OWN     NO     NO;
    ObjectConflicts = "object conflicts":                          ALL      NO     OWN    OWN     NO;
    ObjectResolve = "object resolve":                              ALL      NO     OWN    OWN     NO;

    MappingShare = "mapping share":                                ALL      NO     OWN     NO     NO;
    MappingUnshare = "mapping unshare":                            ALL      NO     OWN     NO     NO;
    MappingCreate = "mapping create":                              ALL      NO     OWN     NO     NO;
    MappingList = "mapping list":                                  ALL      NO     OWN     NO     NO;
    MappingDelete = "mapping delete":                              ALL      NO     OWN     NO     NO;

    ArtifactPut = "artifact put":                                  ALL      NO     OWN    OWN     NO;
    ArtifactRead = "artifact get":                                 ALL      NO     OWN    OWN    OWN;
    ArtifactList = "artifact list":                                ALL      NO     OWN    OWN    OWN;
    ArtifactTag = "artifact tag":                                  ALL      NO     OWN    OWN     NO;
    ArtifactDelete = "artifact delete":                            ALL      NO     OWN    OWN     NO;
    ArtifactShare = "artifact share":                              ALL      NO     OWN     NO     NO;
    ArtifactUnshare = "artifact unshare":                          ALL      NO     OWN     NO     NO;

    MarkingCreate = "marking create":                              ALL     ALL      NO     NO     NO;
    MarkingGrant = "marking grant":                                ALL     ALL      NO     NO     NO;
    MarkingList = "marking list":                                  ALL     ALL     ALL     NO     NO;
    ClassificationSetLevels = "classification set-levels":         ALL     ALL      NO     NO     NO;
    ClassificationShow = "classification show":                    ALL     ALL     ALL    ALL    ALL;

    JobList = "job list":                                          ALL     ALL     ALL     NO     NO;
    JobShow = "job show":                                          ALL     ALL     OWN     NO     NO;
    ParkedList = "parked list":                                    ALL      NO     ALL     NO     NO;
    ParkedRetry = "parked retry":                                  ALL      NO     OWN     NO     NO;
    ParkedDrop = "parked drop":                                    ALL      NO     OWN     NO     NO;

    AuditList = "audit list":                                      ALL     ALL      NO     NO     NO;
    AuditVerify = "audit verify":                                  ALL     ALL      NO     NO     NO;
}

/// Where this role may take this action.
pub fn allows(role: Role, action: Action) -> Access {
    let [admin, officer, manager, editor, viewer] = action.row();
    match role {
        Role::EnrollmentAdmin => admin,
        Role::SecurityOfficer => officer,
        Role::SpaceManager => manager,
        Role::Editor => editor,
        Role::Viewer => viewer,
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
