//! Reading and writing of the canonical byte forms: varints, lengths, and nothing that has two spellings.

/// Why bytes are not in canonical form. Bytes come from peers and disks: nothing here panics or allocates by a length
/// that was not checked against the bytes that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end too early.
    #[error("the bytes end too early")]
    Truncated,
    /// Something follows where the end should be.
    #[error("there are bytes after the end")]
    Trailing,
    /// A number or an order that has another, canonical spelling.
    #[error("the bytes are not in canonical form")]
    NotCanonical,
    /// A number, a text or a tag that means nothing.
    #[error("the bytes have a value without meaning")]
    Meaningless,
    /// More or larger than allowed.
    #[error("the bytes exceed a limit")]
    TooLarge,
    /// The format is newer than this version.
    #[error("the format version is not known")]
    Version,
}

/// Writes a canonical form.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Writes on behind these bytes.
    pub(crate) fn after(bytes: Vec<u8>) -> Writer {
        Writer(bytes)
    }

    pub(crate) fn with_capacity(bytes: usize) -> Writer {
        Writer(Vec::with_capacity(bytes))
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, lowest first, the high bit set on all but the last.
    pub(crate) fn varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.0.push(low & 0x7f);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    /// A varint of up to 128 bits.
    pub(crate) fn wide(&mut self, mut number: u128) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.0.push(low & 0x7f);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    /// A signed number, small ones of either sign short.
    pub(crate) fn zigzag(&mut self, number: i128) {
        self.wide(((number << 1) ^ (number >> 127)).cast_unsigned());
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.varint(count as u64);
    }

    /// A length and that many bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a canonical form from the front.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Trailing)
        }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn raw(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn wide(&mut self) -> Result<u128, Malformed> {
        let mut number = 0_u128;
        let mut shift = 0_u32;
        loop {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            // 128 bits are 18 whole groups and two bits more.
            if shift > 126 || (shift == 126 && bits > 3) {
                return Err(Malformed::Meaningless);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                // A last group of zero could have been left out.
                return if byte == 0 && shift > 0 {
                    Err(Malformed::NotCanonical)
                } else {
                    Ok(number)
                };
            }
            shift += 7;
        }
    }

    /// A varint that fits the number asked for.
    pub(crate) fn varint<N: TryFrom<u64>>(&mut self) -> Result<N, Malformed> {
        let fits = |number: u64| number.try_into().map_err(|_| Malformed::Meaningless);
        match *self.0 {
            // Mostly it is one byte, or two.
            [low @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                fits(low.into())
            }
            [low, high @ 1..0x80, ref rest @ ..] => {
                self.0 = rest;
                fits(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => fits(self.wide()?.try_into().map_err(|_| Malformed::Meaningless)?),
        }
    }

    pub(crate) fn zigzag(&mut self) -> Result<i128, Malformed> {
        let number = self.wide()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// A count of things that take at least one byte each.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, Malformed> {
        let count: usize = self.varint()?;
        if count > max {
            return Err(Malformed::TooLarge);
        }
        if count > self.0.len() {
            return Err(Malformed::Truncated);
        }
        Ok(count)
    }

    /// A length and that many bytes, at most `max`.
    pub(crate) fn bytes(&mut self, max: usize) -> Result<&'a [u8], Malformed> {
        let length = self.count(max)?;
        self.raw(length)
    }

    pub(crate) fn text(&mut self, max: usize) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(max)?).map_err(|_| Malformed::Meaningless)
    }
}
