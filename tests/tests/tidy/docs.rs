//! What the documents say about the code.

use std::fmt::Write as _;

use peerd_core::Reason;
use peerd_core::authz::{Access, Action, Role, allows};
use peerd_wire::status;

use crate::tree::{files, golden, report, root};

#[test]
fn every_reason_is_documented() {
    golden("docs/errors.md", &errors());
}

#[test]
fn the_role_table_is_documented() {
    golden("docs/roles.md", &roles());
}

#[test]
fn the_code_map_names_every_crate() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let missing = files(&["Cargo.toml"])
        .iter()
        .filter_map(|file| file.path.strip_suffix("/Cargo.toml"))
        .filter(|place| !map.contains(&format!("`{place}`")))
        .map(|place| format!("ARCHITECTURE.md: say what `{place}` is for"))
        .collect::<Vec<_>>();
    report(&missing);
}

#[test]
fn a_document_points_only_to_what_exists() {
    let mut problems = Vec::new();
    for file in files(&[".md"]) {
        let folder = root()
            .join(&file.path)
            .parent()
            .expect("a file is in a folder")
            .to_owned();
        for link in file
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = link.split('#').next().unwrap_or_default();
            if !link.contains("://") && !target.is_empty() && !folder.join(target).exists() {
                problems.push(format!("{}: {link} does not exist", file.path));
            }
        }
        // What a document names by its path from the root is there too.
        for name in file.text.split('`').skip(1).step_by(2) {
            let ours = ["crates/", "proto/", "docs/", "tests/", ".ci/"]
                .iter()
                .any(|top| name.starts_with(top));
            let plain = name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
            if ours && plain && !root().join(name).exists() {
                problems.push(format!("{}: `{name}` does not exist", file.path));
            }
        }
    }
    report(&problems);
}

/// `docs/errors.md` as the code has it.
fn errors() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         <!-- Made from `peerd_core::Reason` and the status table of `peerd_wire`; a test holds it. To remake it:\n     \
         UPDATE_GOLDENS=1 cargo test -p peerd-tests --test tidy -->\n\n\
         Every refusal carries one of these words: over gRPC in `google.rpc.ErrorInfo` (`reason`, with the domain\n\
         `peerd`), from `peerctl -o json` in `error.code`, in the audit log and in the console. Scripts may rely on\n\
         them: a word never changes its meaning and is never used again for something else. The message beside it is\n\
         for people and may change.\n\n\
         The exit code is `peerctl`'s. It ends with 2, without a reason, when the command line itself is wrong.\n\n\
         | reason | when, and what to do | gRPC status | HTTP | exit |\n\
         |---|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let code = reason.code();
        writeln!(
            page,
            "| `{reason}` | {} | `{:?}` | {} | {} |",
            reason.explanation().trim(),
            status::grpc(code),
            code.http(),
            status::exit(code),
        )
        .expect("a text takes any text");
    }
    page
}

/// `docs/roles.md` as the code has it.
fn roles() -> String {
    let mut page = String::from(
        "# Roles\n\n\
         <!-- Made from the role table of `peerd_core::authz`; a test holds it. To remake it:\n     \
         UPDATE_GOLDENS=1 cargo test -p peerd-tests --test tidy -->\n\n\
         Every call of the operator API is made by a principal, and every principal has one role. The table says where a\n\
         role may make a call, which is named by its `peerctl` command: **yes** is wherever the call is about, **own** is\n\
         in the spaces the role is for, `-` is nowhere. Being listed as a manager of a space adds the `space-manager`\n\
         column for that space, whatever else the role is. What the table does not allow is denied, and without a valid\n\
         token everything is. A list answers with what its caller may show; the rest does not exist for them. Markings\n\
         and policies are judged besides: no role sees an object that carries a marking without being a member of it.\n\n",
    );
    let head = Role::ALL.map(|role| format!(" `{}` |", role.word())).concat();
    writeln!(page, "| call |{head}\n|---|{}", "---|".repeat(Role::ALL.len())).expect("a text takes any text");
    for action in Action::ALL {
        let cells = Role::ALL.map(|role| match allows(role, *action) {
            Access::Everywhere => " **yes** |",
            Access::OwnSpaces => " own |",
            Access::Never => " - |",
        });
        writeln!(page, "| `{action}` |{}", cells.concat()).expect("a text takes any text");
    }
    page
}
