//! `listen`: the capture thread, from an interface into a hand-over until it is told to stop.

use crate::capture::{LiveCapture, PATIENCE};
use crate::error::Error;
use crate::hand_over::Giver;
use crate::interface::LinkState;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use yagura_rules::facts::time::Timestamp;

/// Frames taken at once, between two looks at everything else.
const FRAMES: usize = 1_024;

/// The wait while something is held that the taker may want at any moment.
const SHORT_PATIENCE: Duration = Duration::from_millis(5);

/// Between two looks whether the taker has made room.
const CROWDED: Duration = Duration::from_millis(2);

/// Between two questions to the kernel what it lost.
const ASK: Duration = Duration::from_secs(1);

/// Reads an interface into a hand-over until `stop` is set or nobody takes any more. It needs no socket but its own and
/// no memory beyond the bounds, unless the interface is to be opened again when it comes back. libpcap tries to open a
/// file below `/sys/class/net` whenever it is asked for its counts; it may be refused, and then nothing is missing.
///
/// An interface that is gone and is not to be opened again is a silent one from then on: its state is told, and the
/// heartbeats go on.
///
/// # Errors
/// Where libpcap fails for seconds on a link that is up. What was held is still in the giver.
pub fn listen(capture: &mut LiveCapture, giver: &mut Giver, stop: &AtomicBool) -> Result<(), Error> {
    let mut told = capture.stats();
    let mut asked = Instant::now();
    let mut crowded_since = None;
    if capture.state() != LinkState::Up {
        giver.state(capture.state());
    }
    loop {
        let now = Instant::now();
        let stops = stop.load(Ordering::Relaxed) || giver.is_deserted();
        if stops || now.saturating_duration_since(asked) >= ASK {
            asked = now;
            let stats = capture.stats();
            let kernel = stats.dropped_by_kernel.saturating_sub(told.dropped_by_kernel);
            let interface = stats.dropped_by_interface.saturating_sub(told.dropped_by_interface);
            giver.lost_before(kernel, interface, clock());
            told = stats;
        }
        if !stops && giver.is_crowded() {
            // A burst that the kernel's ring has room for need not be lost here.
            let since = *crowded_since.get_or_insert(now);
            if now.saturating_duration_since(since) < capture.ring_patience() && capture.ring_has_room() {
                std::thread::sleep(CROWDED);
                giver.look_up();
                continue;
            }
        } else {
            crowded_since = None;
        }
        let frames_max = if giver.is_crowded() { FRAMES } else { giver.room().min(FRAMES) };
        let read = capture.read(frames_max, |head, octets| giver.take(head, octets));
        if stops {
            giver.look_up();
            return Ok(());
        }
        if read > 0 {
            giver.look_up();
            continue;
        }
        let patience = if giver.settle(clock(), Instant::now()) { SHORT_PATIENCE } else { PATIENCE };
        if let Some(state) = capture.wait(patience)? {
            giver.state(state);
        }
    }
}

/// The clock that the kernel stamps frames with.
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
