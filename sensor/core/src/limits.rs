//! `Limits`: every bound in the house, in one struct.

/// Bounds on what the wire can make the sensor keep. Each that bites is counted under its name and told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Live flows; the one that was quiet for longest goes first.
    pub flows_max: usize,
    /// A TCP flow that is quiet for so long is closed, in ns.
    pub tcp_idle_ns: u64,
    /// Any other flow that is quiet for so long is closed, in ns.
    pub other_idle_ns: u64,
    /// A TCP flow that was closed by its ends is kept for so long, for late segments, in ns.
    pub closed_linger_ns: u64,
    /// Octets held for one direction of a TCP flow, in order and out of order.
    pub stream_octets_max: usize,
    /// Segments held out of order for one direction.
    pub stream_segments_max: usize,
    /// Octets held for all streams together.
    pub streams_octets_max: usize,
    /// A missing segment is waited for so long, in ns.
    pub reorder_ns: u64,
    /// Octets of a direction that are remembered to tell whether a retransmission repeats them.
    pub history_octets: usize,
    /// Segments of a flow at whose start the protocols are asked.
    pub probe_segments_max: u32,
    /// Octets after which an unknown flow is no longer asked about.
    pub probe_octets_max: u64,
    /// Datagrams whose fragments are held.
    pub fragments_datagrams_max: usize,
    /// Octets of fragments held in all.
    pub fragments_octets_max: usize,
    /// Fragments held for one datagram.
    pub fragments_each_max: usize,
    /// An incomplete datagram is waited for so long, in ns: the least that hosts are to wait (RFC 1122 3.3.2).
    pub fragments_ns: u64,
    /// Frames among which a mirror's second copy is looked for.
    pub duplicate_frames: usize,
    /// A mirror's second copy comes at most so much later, in ns.
    pub duplicate_ns: u64,
    /// Requests of a flow that wait for their response.
    pub outstanding_max: usize,
    /// A request waits so long, in ns.
    pub outstanding_ns: u64,
    /// Operations of a flow that are known to be usual, settled without the judge; 0 turns the fast path off.
    pub settled_max: usize,
    /// Octets of memory for the points of the process: values, ranges, writers.
    pub points_octets_max: usize,
    /// Commands whose answers are awaited, of all flows together.
    pub commands_max: usize,
    /// Assets found on the wire; those that the site file approves are not counted.
    pub assets_max: usize,
    /// Names, and claims of each kind, of one asset.
    pub asset_claims_max: usize,
    /// Ports whose undecoded octets are counted apart.
    pub ports_max: usize,
    /// Subjects that one detection remembers.
    pub rule_memory_max: usize,
    /// Facts that learning keeps.
    pub learnt_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows_max: 65_536,
            tcp_idle_ns: 3_600_000_000_000,
            other_idle_ns: 300_000_000_000,
            closed_linger_ns: 10_000_000_000,
            stream_octets_max: 65_536,
            stream_segments_max: 64,
            streams_octets_max: 64 << 20,
            reorder_ns: 1_000_000_000,
            history_octets: 1_024,
            probe_segments_max: 16,
            probe_octets_max: 4_096,
            fragments_datagrams_max: 1_024,
            fragments_octets_max: 16 << 20,
            fragments_each_max: 128,
            fragments_ns: 60_000_000_000,
            duplicate_frames: 256,
            duplicate_ns: 5_000_000,
            outstanding_max: 64,
            outstanding_ns: 10_000_000_000,
            settled_max: 64,
            points_octets_max: 32 << 20,
            commands_max: 16_384,
            assets_max: 16_384,
            asset_claims_max: 16,
            ports_max: 1_024,
            rule_memory_max: 65_536,
            learnt_max: 1_000_000,
        }
    }
}
