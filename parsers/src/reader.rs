//! `Reader`: the only way in which the house looks at octets.

use crate::error::{Clause, ErrorKind, ParseError};

/// A cursor over octets that cannot read past their end: every miss is a [`ParseError`] that names the field.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

/// A length as the error type holds it; octets of a frame never reach the cap.
fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl<'a> Reader<'a> {
    /// A cursor at the first octet.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }

    /// Octets already read.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Octets still to read.
    pub fn remaining(&self) -> usize {
        self.octets.len().saturating_sub(self.at)
    }

    /// The octets still to read, without reading them.
    pub fn peek_rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or(&[])
    }

    /// The rest, read.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.peek_rest();
        self.at = self.octets.len();
        rest
    }

    /// The next `n` octets.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] where fewer are left; nothing is read then.
    #[inline]
    pub fn take(&mut self, n: usize, field: &'static str) -> Result<&'a [u8], ParseError> {
        let end = self.at.saturating_add(n);
        match self.octets.get(self.at..end) {
            Some(octets) => {
                self.at = end;
                Ok(octets)
            }
            None => Err(self.error(
                ErrorKind::Truncated { need: small(n), have: small(self.remaining()) },
                field,
                Clause(""),
            )),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ParseError> {
        match self.peek_rest().first_chunk::<N>() {
            Some(chunk) => {
                self.at = self.at.saturating_add(N);
                Ok(*chunk)
            }
            None => Err(self.error(
                ErrorKind::Truncated { need: small(N), have: small(self.remaining()) },
                field,
                Clause(""),
            )),
        }
    }

    /// One octet.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`], as for all the readers below.
    #[inline]
    pub fn u8(&mut self, field: &'static str) -> Result<u8, ParseError> {
        self.array::<1>(field).map(|[a]| a)
    }

    /// Two octets, most significant first.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    #[inline]
    pub fn u16_be(&mut self, field: &'static str) -> Result<u16, ParseError> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Two octets, least significant first.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    #[inline]
    pub fn u16_le(&mut self, field: &'static str) -> Result<u16, ParseError> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Three octets, least significant first.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    #[inline]
    pub fn u24_le(&mut self, field: &'static str) -> Result<u32, ParseError> {
        self.array::<3>(field).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Four octets, most significant first.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    #[inline]
    pub fn u32_be(&mut self, field: &'static str) -> Result<u32, ParseError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Four octets, least significant first.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    #[inline]
    pub fn u32_le(&mut self, field: &'static str) -> Result<u32, ParseError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Eight octets, most significant first.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    #[inline]
    pub fn u64_be(&mut self, field: &'static str) -> Result<u64, ParseError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Says that what was read must hold.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] with `got` where it does not.
    pub fn expect(&self, holds: bool, got: u64, field: &'static str, clause: Clause) -> Result<(), ParseError> {
        if holds { Ok(()) } else { Err(self.error(ErrorKind::Forbidden { got }, field, clause)) }
    }

    /// Says that the message ends here.
    ///
    /// # Errors
    /// [`ErrorKind::Trailing`] where octets are left.
    pub fn end(&self, field: &'static str, clause: Clause) -> Result<(), ParseError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(self.error(ErrorKind::Trailing { len: small(left) }, field, clause)),
        }
    }

    /// An error at this place.
    pub fn error(&self, kind: ErrorKind, field: &'static str, clause: Clause) -> ParseError {
        ParseError { kind, field, offset: small(self.at), clause }
    }
}
