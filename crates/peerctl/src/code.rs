//! Codes on the command line: given as they are, or read from where nobody looks over the shoulder.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use crate::error::Error;

/// The most that is read where a code is expected; codes are a few kilobytes.
const CODE_BYTES_MAX: u64 = 64 << 10;

/// A code, `-` for one on stdin, or `@FILE` for one in a file: arguments of a process are no secret on its machine.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Code(String);

impl Code {
    /// The code itself.
    pub(crate) fn read(self) -> Result<String, Error> {
        if self.0 == "-" {
            return bounded(io::stdin().lock(), Path::new("stdin"));
        }
        match self.0.strip_prefix('@') {
            None => Ok(self.0),
            Some(file) => {
                let path = Path::new(file);
                bounded(File::open(path).map_err(|error| Error::file(path, error))?, path)
            }
        }
    }
}

fn bounded(source: impl Read, name: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let read = source.take(CODE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Error::file(name, error))?;
    if text.len() as u64 > CODE_BYTES_MAX {
        return Err(Error::file(name, "is too large to be a code"));
    }
    Ok(text.trim().to_owned())
}

impl FromStr for Code {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Code, Infallible> {
        Ok(Code(text.to_owned()))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[code]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_may_come_from_a_file_and_is_trimmed() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("code");
        std::fs::write(&file, "peerd-link-abc\n").expect("write");
        let from_file = Code(format!("@{}", file.display()));
        assert_eq!(from_file.read().expect("a code"), "peerd-link-abc");
        assert_eq!(Code("abc".into()).read().expect("a code"), "abc");
        let missing = Code(format!("@{}.not", file.display()));
        assert_eq!(missing.read().expect_err("no file").exit(), 6);
        std::fs::write(&file, vec![b'a'; 1 << 17]).expect("write");
        let large = Code(format!("@{}", file.display()));
        assert_eq!(large.read().expect_err("too large").exit(), 6);
    }

    #[test]
    fn b007_a_code_never_prints_itself() {
        assert_eq!(format!("{:?}", Code("peerd-link-abc".into())), "[code]");
    }
}
