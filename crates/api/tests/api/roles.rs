//! The ratchet: every call has a row, and the whole table is a file that a person can read.

use std::fmt::Write as _;
use std::path::Path;

use peerd_api::auth::action_of;
use peerd_core::authz::{Access, Role, allows};

use crate::every_call;

#[test]
fn every_call_has_a_row_in_the_action_table() {
    let calls = every_call();
    assert!(calls.len() > 60, "the descriptors are there: {}", calls.len());
    let without: Vec<_> = calls.iter().filter(|path| action_of(path).is_none()).collect();
    assert!(without.is_empty(), "no row: {without:?}");
}

#[test]
fn a_call_that_does_not_exist_has_no_row() {
    for path in [
        "",
        "/",
        "/peerd.admin.v1.PolicyService/",
        "/peerd.admin.v1.PolicyService/ProposePolicy/",
        "/peerd.admin.v1.PolicyService/proposePolicy",
        "/peerd.mpx.v1.MpxService/Enroll",
        "peerd.admin.v1.PolicyService/ProposePolicy",
        "//peerd.admin.v1.PolicyService/ProposePolicy",
    ] {
        assert_eq!(action_of(path), None, "{path:?}");
    }
}

#[test]
fn b049_the_roles_of_every_call_are_as_written_down() {
    let mut table =
        String::from("# Which role may make which call: yes, own (in its own spaces only), - (never).\n");
    let heads: Vec<&str> = Role::ALL.into_iter().map(Role::word).collect();
    writeln!(table, "{:<56}{}", "", heads.join("  ")).unwrap();
    for path in every_call() {
        let action = action_of(&path).unwrap();
        write!(table, "{:<56}", path.trim_start_matches('/')).unwrap();
        for role in Role::ALL {
            let word = match allows(role, action) {
                Access::Everywhere => "yes",
                Access::OwnSpaces => "own",
                Access::Never => "-",
            };
            write!(table, "{word:<width$}", width = role.word().len() + 2).unwrap();
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rpc-roles.txt");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&golden, &table).unwrap();
    }
    let written = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(table, written, "UPDATE_GOLDENS=1 rewrites {}", golden.display());
}
