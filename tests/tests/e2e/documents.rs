//! The commands of the documents, word for word.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is run, in this order, by one shell.
const DOCUMENTS: [&str; 2] = ["docs/tutorial.md", "docs/backup.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The command blocks of a document, each after its line number.
fn blocks(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(document)).expect("the document");
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut block {
            None if line == "```sh" => block = Some(format!("echo '{document}:{}' >&2\n", number + 2)),
            None => {}
            Some(_) if line == "```" => blocks.extend(block.take()),
            Some(commands) => {
                commands.push_str(line);
                commands.push('\n');
            }
        }
    }
    blocks
}

#[test]
fn every_command_of_the_tutorial_and_the_how_tos_works() {
    // A network of its own, so that the ports are those of the documents whatever else runs here.
    let own = [
        "--user",
        "--map-root-user",
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
    ];
    let probe = Command::new("unshare").args(own).arg("true").status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("not run: this machine gives a test no network of its own");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(root().join("deploy"), dir.path().join("deploy")).expect("the samples");
    let commands: Vec<String> = DOCUMENTS.iter().flat_map(|document| blocks(document)).collect();
    assert!(
        commands.len() > 6,
        "the documents have commands: {}",
        commands.len()
    );
    let script = format!("set -e -o pipefail\nip link set lo up\n{}", commands.concat());
    let programs = crate::process::program("peerd");
    let programs = Path::new(programs.get_program()).parent().expect("a directory");
    let path = std::env::var("PATH").expect("a path");
    let output = Command::new("unshare")
        .args(own)
        .args(["timeout", "300", "bash", "-c", &script])
        .current_dir(dir.path())
        .env("PATH", format!("{}:{path}", programs.display()))
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("docs/backup.md"), "all of them were run: {said}");
}
