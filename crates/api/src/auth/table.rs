//! Which action of the role table each call is. A call without a row is denied to all.

use peerd_core::authz::Action;

/// The action behind a gRPC path, `/package.Service/Method`.
pub fn action_of(path: &str) -> Option<Action> {
    let (service, method) = path.strip_prefix("/peerd.")?.split_once('/')?;
    match service {
        "admin.v1.AuditService" => audit(method),
        "admin.v1.BackupService" => backup(method),
        "admin.v1.EnrollmentService" => enrollment(method),
        "admin.v1.MarkingService" => marking(method),
        "admin.v1.PolicyService" => policy(method),
        "admin.v1.PrincipalService" => principal(method),
        "admin.v1.SpaceService" => space(method),
        "peering.v1.ConnectionService" => connection(method),
        "peering.v1.JobService" => job(method),
        "peering.v1.LinkService" => link(method),
        "peering.v1.MappingService" => mapping(method),
        "peering.v1.ParkedService" => parked(method),
        "data.v1.ArtifactService" => artifact(method),
        "data.v1.ObjectService" => object(method),
        "data.v1.OntologyService" => ontology(method),
        _ => None,
    }
}

/// Declares the rows of one service.
macro_rules! rows {
    ($service:ident: $($method:literal => $action:ident,)+) => {
        fn $service(method: &str) -> Option<Action> {
            Some(match method {
                $($method => Action::$action,)+
                _ => return None,
            })
        }
    };
}

rows! { audit:
    "ListAudit" => AuditList,
    "VerifyAudit" => AuditVerify,
}

rows! { backup:
    "CreateBackup" => EnrollmentBackup,
}

rows! { artifact:
    "PutArtifact" => ArtifactPut,
    "ReadArtifact" => ArtifactRead,
    "GetArtifact" => ArtifactRead,
    "ListArtifacts" => ArtifactList,
    "TagArtifact" => ArtifactTag,
    "RenameArtifact" => ArtifactPut,
    "RestoreArtifact" => ArtifactPut,
    "DeleteArtifact" => ArtifactDelete,
    "ShareArtifacts" => ArtifactShare,
    "UnshareArtifacts" => ArtifactUnshare,
    "ListTransfers" => ArtifactList,
}

rows! { enrollment:
    "GetEnrollment" => EnrollmentShow,
    "SetTitle" => EnrollmentSetTitle,
    "RotateIdentity" => EnrollmentRotateIdentity,
    "GetStatus" => Status,
}

rows! { marking:
    "CreateMarking" => MarkingCreate,
    "GrantMarking" => MarkingGrant,
    "ListMarkings" => MarkingList,
    "SetClassificationLevels" => ClassificationSetLevels,
    "GetClassificationLevels" => ClassificationShow,
}

rows! { policy:
    "ProposePolicy" => PolicyPropose,
    "ListPolicies" => PolicyList,
    "GetPolicy" => PolicyShow,
    "ApprovePolicy" => PolicyApprove,
    "PausePolicy" => PolicyPause,
    "ResumePolicy" => PolicyResume,
    "RevokePolicy" => PolicyRevoke,
    "CheckPolicy" => PolicyCheck,
}

rows! { principal:
    "CreatePrincipal" => PrincipalCreate,
    "ListPrincipals" => PrincipalList,
    "RevokePrincipal" => PrincipalRevoke,
}

rows! { space:
    "CreateSpace" => SpaceCreate,
    "ListSpaces" => SpaceList,
    "AddSpaceManager" => SpaceAddManager,
    "RemoveSpaceManager" => SpaceRemoveManager,
}

rows! { connection:
    "RequestConnection" => ConnectionRequest,
    "InspectInvite" => ConnectionInspect,
    "ApproveConnection" => ConnectionApprove,
    "RejectConnection" => ConnectionReject,
    "DisableConnection" => ConnectionDisable,
    "EnableConnection" => ConnectionEnable,
    "ActivateConnection" => ConnectionActivate,
    "ReissueInvite" => ConnectionReissue,
    "RevokeConnection" => ConnectionRevoke,
    "ListConnections" => ConnectionList,
    "GetConnection" => ConnectionShow,
    "WatchConnections" => ConnectionList,
    "SetDataTypes" => ConnectionSet,
    "SetReExport" => ConnectionSet,
    "CloseConnection" => ConnectionClose,
    "VerifyConnection" => ConnectionVerify,
    "ProposeSecurity" => ConnectionProposeSecurity,
    "ListChangeRequests" => ConnectionChangeRequests,
    "ApproveChangeRequest" => ConnectionApproveSecurity,
    "RejectChangeRequest" => ConnectionRejectSecurity,
}

rows! { link:
    "InviteLink" => LinkInvite,
    "InspectLinkCode" => LinkInspect,
    "AcceptLink" => LinkAccept,
    "AddRelayLink" => LinkAddRelay,
    "ListLinks" => LinkList,
    "GetLink" => LinkShow,
    "DialLink" => LinkDial,
    "RemoveLink" => LinkRemove,
    "ListKnocks" => LinkKnocks,
}

rows! { job:
    "ListJobs" => JobList,
    "GetJob" => JobShow,
}

rows! { mapping:
    "ShareTypes" => MappingShare,
    "UnshareType" => MappingUnshare,
    "CreateMapping" => MappingCreate,
    "ListMappings" => MappingList,
    "DeleteMapping" => MappingDelete,
}

rows! { parked:
    "ListParked" => ParkedList,
    "RetryParked" => ParkedRetry,
    "DropParked" => ParkedDrop,
}

rows! { object:
    "LoadObjects" => ObjectLoad,
    "EditObject" => ObjectEdit,
    "CreateObject" => ObjectCreate,
    "DeleteObject" => ObjectDelete,
    "GetObject" => ObjectRead,
    "ListObjects" => ObjectList,
    "CountObjects" => ObjectCount,
    "LinkObjects" => ObjectLink,
    "UnlinkObjects" => ObjectUnlink,
    "ListObjectLinks" => ObjectLinks,
    "WatchObjects" => ObjectWatch,
    "SetObjectSecurity" => ObjectSetSecurity,
    "ListConflicts" => ObjectConflicts,
    "ResolveConflict" => ObjectResolve,
}

rows! { ontology:
    "ApplyOntology" => OntologyApply,
    "GetOntology" => OntologyShow,
    "ExportXsd" => OntologyExportXsd,
}
