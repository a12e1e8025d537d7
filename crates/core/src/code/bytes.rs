//! The deterministic bytes inside a code: big-endian integers, and strings with their length before them.

use super::CodeError;

/// Builds a body. Every value has one encoding.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

/// A string that is longer than its field allows.
pub(super) struct TooLong;

impl Writer {
    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn short(&mut self, value: u16) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn long(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn array(&mut self, value: &[u8]) {
        self.0.extend(value);
    }

    /// A string of at most `max` bytes.
    pub(super) fn string(&mut self, value: &[u8], max: usize) -> Result<(), TooLong> {
        let length = u16::try_from(value.len()).map_err(|_| TooLong)?;
        if value.len() > max {
            return Err(TooLong);
        }
        self.short(length);
        self.array(value);
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Takes a body apart. Every read names the field it reads, and that is all an error tells.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], CodeError> {
        let (head, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(CodeError::Content { field })?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CodeError> {
        let bytes = self.take(N, field)?;
        bytes.try_into().map_err(|_| CodeError::Content { field })
    }

    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, CodeError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(super) fn short(&mut self, field: &'static str) -> Result<u16, CodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn long(&mut self, field: &'static str) -> Result<i64, CodeError> {
        self.array(field).map(i64::from_be_bytes)
    }

    pub(super) fn string(&mut self, max: usize, field: &'static str) -> Result<&'a [u8], CodeError> {
        let length = usize::from(self.short(field)?);
        if length > max {
            return Err(CodeError::Content { field });
        }
        self.take(length, field)
    }

    /// A string that is parsed into one of the domain's own types.
    pub(super) fn parsed<T: std::str::FromStr>(
        &mut self,
        max: usize,
        field: &'static str,
    ) -> Result<T, CodeError> {
        let bytes = self.string(max, field)?;
        let text = std::str::from_utf8(bytes).map_err(|_| CodeError::Content { field })?;
        text.parse().map_err(|_| CodeError::Content { field })
    }

    /// A value that is never empty, so that an empty string means there is none.
    pub(super) fn optional<T: std::str::FromStr>(
        &mut self,
        max: usize,
        field: &'static str,
    ) -> Result<Option<T>, CodeError> {
        let mut ahead = Reader(self.0);
        if ahead.short(field)? == 0 {
            *self = ahead;
            return Ok(None);
        }
        self.parsed(max, field).map(Some)
    }

    /// Whether there is nothing more.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The body ends here.
    pub(super) fn end(self) -> Result<(), CodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(CodeError::Content { field: "length" })
        }
    }
}
