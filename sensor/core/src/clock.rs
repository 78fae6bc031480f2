//! `PacketClock`: time that only frames and heartbeats move, and back only where many frames in a row say so.

use yagura_rules::facts::time::Timestamp;

const SECOND: u64 = 1_000_000_000;
/// Frames that are no more than so much older than the clock are only out of order, in ns.
const OUT_OF_ORDER: u64 = SECOND;
/// So many frames in a row that are older show that the clock is wrong, not they.
const OLDER_FRAMES: u32 = 1_000;
/// Times of one source, which are not further apart than this in the wrong order, in ns.
const SAME_SOURCE: u64 = 60 * SECOND;

/// What a time did to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// No second has begun.
    Within,
    /// A second has begun since the last tick: however long the pause, it is one tick.
    Second,
    /// Too many frames in a row were older than the clock: it goes by them from now on, so many ns before.
    Back(u64),
}

/// The greatest time seen. A frame that is older keeps its own time in what is told of it, but moves nothing, unless it
/// is one of very many in a row: one frame of a far future must not stop all timers.
#[derive(Debug, Clone, Copy, Default)]
pub struct PacketClock {
    now: Timestamp,
    /// Where the next second begins; 0 before the first frame.
    next_second: u64,
    /// Frames in a row that are older.
    older: u32,
    /// The greatest time of those.
    older_now: u64,
    /// Frames whose time is before that of an earlier one.
    pub reversals: u64,
}

impl PacketClock {
    /// The time of the latest frame.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Takes a frame's time, or a heartbeat's.
    #[inline]
    pub fn advance(&mut self, time: Timestamp) -> Step {
        if time < self.now {
            return self.behind(time);
        }
        self.older = 0;
        self.now = time;
        if time.0 < self.next_second {
            return Step::Within;
        }
        let started = self.next_second != 0;
        self.next_second = second_after(time.0);
        if started { Step::Second } else { Step::Within }
    }

    /// Frames in a row whose time is older than the clock, when it is set back by them.
    pub const fn patience() -> u32 {
        OLDER_FRAMES
    }

    #[cold]
    fn behind(&mut self, time: Timestamp) -> Step {
        self.reversals = self.reversals.saturating_add(1);
        if self.now.since(time) <= OUT_OF_ORDER {
            self.older = 0;
            return Step::Within;
        }
        if self.older == 0 || time.0.saturating_add(SAME_SOURCE) < self.older_now {
            (self.older, self.older_now) = (0, time.0);
        }
        self.older = self.older.saturating_add(1);
        self.older_now = self.older_now.max(time.0);
        if self.older < OLDER_FRAMES {
            return Step::Within;
        }
        let back = self.now.0.saturating_sub(self.older_now);
        self.now = Timestamp(self.older_now);
        self.next_second = second_after(self.older_now);
        self.older = 0;
        Step::Back(back)
    }
}

fn second_after(time: u64) -> u64 {
    time.checked_div(SECOND).unwrap_or(0).saturating_add(1).saturating_mul(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tick_a_second_however_long_the_pause_and_none_for_the_past() {
        let mut clock = PacketClock::default();
        assert_eq!(clock.advance(Timestamp(5 * SECOND)), Step::Within);
        assert_eq!(clock.advance(Timestamp(5 * SECOND + 9)), Step::Within);
        assert_eq!(clock.advance(Timestamp(6 * SECOND)), Step::Second);
        assert_eq!(clock.advance(Timestamp(9_999 * SECOND)), Step::Second);
        assert_eq!(clock.advance(Timestamp(1)), Step::Within);
        assert_eq!((clock.now(), clock.reversals), (Timestamp(9_999 * SECOND), 1));
    }

    const YEAR: u64 = 365 * 86_400 * SECOND;

    /// A clock that has seen one frame of a far future, and then frames of so many ms each, from the first second on.
    fn after_the_future(frames: u64, mut at: impl FnMut(u64) -> u64) -> (PacketClock, Vec<(u64, Step)>) {
        let mut clock = PacketClock::default();
        clock.advance(Timestamp(SECOND));
        assert_eq!(clock.advance(Timestamp(136 * YEAR)), Step::Second);
        let steps = (1..=frames).map(|n| (n, clock.advance(Timestamp(at(n))))).collect::<Vec<_>>();
        (clock, steps.into_iter().filter(|(_, step)| *step != Step::Within).collect())
    }

    #[test]
    fn a_thousand_older_frames_in_a_row_set_the_clock_and_then_it_ticks_again() {
        let (clock, steps) = after_the_future(1_500, |n| 2 * SECOND + n * 10_000_000);
        assert_eq!(steps[0], (1_000, Step::Back(136 * YEAR - 12 * SECOND)));
        assert_eq!(steps[1..].iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1_100, 1_200, 1_300, 1_400, 1_500]);
        assert_eq!((clock.now(), clock.reversals), (Timestamp(17 * SECOND), 1_000));
    }

    #[test]
    fn fewer_frames_or_times_that_do_not_agree_set_nothing() {
        assert!(after_the_future(999, |n| 2 * SECOND + n).1.is_empty());
        // Every hundredth frame is an hour before the others: nobody knows what time it is.
        assert!(after_the_future(5_000, |n| if n % 100 == 0 { SECOND } else { 3_600 * SECOND + n }).1.is_empty());
    }

    #[test]
    fn a_frame_of_now_among_them_begins_the_count_anew() {
        let (_, steps) = after_the_future(3_000, |n| if n % 900 == 0 { 136 * YEAR } else { 2 * SECOND + n });
        assert!(steps.is_empty(), "{steps:?}");
    }

    #[test]
    fn what_is_only_out_of_order_sets_nothing() {
        let mut clock = PacketClock::default();
        clock.advance(Timestamp(10 * SECOND));
        assert!((0..5_000).all(|_| clock.advance(Timestamp(9 * SECOND)) == Step::Within));
        assert_eq!((clock.now(), clock.reversals), (Timestamp(10 * SECOND), 5_000));
    }
}
