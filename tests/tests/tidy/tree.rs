//! The files of the source tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A text file of the tree.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether all of it is test code.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| part == "tests" || part == "tests.rs")
    }

    /// Which lines are inside a test module, counted from 0.
    ///
    /// `cargo fmt` puts the braces of a top-level module at the start of their lines. A brace there inside a text
    /// would end the module too early, so that too much is held to the rules and never too little.
    pub(crate) fn test_lines(&self) -> Vec<bool> {
        let mut inside = self.is_test();
        let mut gated = false;
        let mut marks = Vec::new();
        for line in self.text.lines() {
            let opens = gated && line.starts_with("mod ") && line.ends_with('{');
            inside |= opens;
            marks.push(inside);
            if line == "}" && !self.is_test() {
                inside = false;
            }
            gated = line == "#[cfg(test)]" || (gated && line.starts_with("#["));
        }
        marks
    }
}

/// Every file with one of these endings that Git tracks or would track, in the order of its path.
pub(crate) fn files(endings: &[&str]) -> Vec<File> {
    let mut paths = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .split('\0')
        .filter(|path| endings.iter().any(|ending| path.ends_with(ending)))
        .map(str::to_owned)
        .collect::<Vec<_>>();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter_map(|path| {
            fs::read_to_string(root().join(&path))
                .ok()
                .map(|text| File { path, text })
        })
        .collect()
}

/// Compares a file that is made from code with what it should be, or rewrites it when asked to.
pub(crate) fn golden(path: &str, expected: &str) {
    let place = root().join(path);
    if rewrites() {
        fs::write(&place, expected).expect("a golden can be written");
        return;
    }
    let found = fs::read_to_string(&place).unwrap_or_default();
    let differs = found
        .lines()
        .zip(expected.lines())
        .position(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{path} is not what the code says, from line {}: run the tests with UPDATE_GOLDENS=1 and read the difference",
        differs.map_or(found.lines().count().min(expected.lines().count()), |line| line) + 1,
    );
}

/// Whether goldens are to be rewritten.
pub(crate) fn rewrites() -> bool {
    std::env::var_os("UPDATE_GOLDENS").is_some_and(|value| value == "1")
}

/// Fails with all problems at once.
pub(crate) fn report(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "{} problem(s):\n{}",
        problems.len(),
        problems.join("\n")
    );
}

fn git(arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(root())
        .args(arguments)
        .output()
        .expect("git runs");
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("paths are UTF-8")
}

#[test]
fn a_test_module_is_told_from_the_code_around_it() {
    let file = |path: &str, text: &str| File {
        path: path.into(),
        text: text.into(),
    };
    let marks = file(
        "crates/a/src/b.rs",
        "fn a() {\n}\n#[cfg(test)]\nmod tests {\n    x\n}\nfn b() {}\n",
    )
    .test_lines();
    assert_eq!(marks, [false, false, false, true, true, true, false]);
    let marks = file("crates/a/src/b.rs", "#[cfg(test)]\nmod tests;\nfn b() {}\n").test_lines();
    assert_eq!(marks, [false, false, false]);
    for path in [
        "crates/a/src/b/tests.rs",
        "crates/a/tests/b.rs",
        "tests/tests/c/main.rs",
    ] {
        assert_eq!(file(path, "x\n}\ny\n").test_lines(), [true, true, true], "{path}");
    }
}
