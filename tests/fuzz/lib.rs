//! What the targets share: octets of an input, taken one thing at a time.

/// What is left of an input. Past its end everything is 0 and empty, so that every input means something.
pub struct Octets<'a>(pub &'a [u8]);

impl<'a> Octets<'a> {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many octets.
    pub fn take(&mut self, octets: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(octets.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// One octet.
    pub fn octet(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A 16-bit number.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// Octets whose number the next octet says, up to `octets_max`.
    pub fn piece(&mut self, octets_max: usize) -> &'a [u8] {
        let octets = usize::from(self.octet());
        self.take(octets.min(octets_max))
    }
}
