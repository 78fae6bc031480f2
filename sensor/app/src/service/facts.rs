//! What interfaces tell beside frames, as facts of the core.

use yagura_live::hand_over::Loss;
use yagura_live::interface::LinkState;
use yagura_live::transmitted::Transmission;
use yagura_rules::facts::event::{CaptureFact, CaptureState, EventKind, FaultFact, LossFact, SensorFault};

/// Frames were lost. `seen`: frames that came through meanwhile.
pub fn loss(capture: u16, loss: &Loss, seen: u64) -> EventKind {
    EventKind::CaptureLoss(Box::new(LossFact {
        capture,
        kernel: loss.kernel,
        interface: loss.interface,
        bulk: loss.frames.bulk,
        industrial: loss.frames.industrial.saturating_add(loss.frames.addressing),
        seen,
        since: loss.first,
    }))
}

/// The link has another state than `before`.
pub fn link(capture: u16, before: LinkState, now: LinkState) -> EventKind {
    let state = match (before, now) {
        (_, LinkState::Removed) => CaptureState::InterfaceGone,
        (LinkState::Removed, _) => CaptureState::InterfaceBack,
        (_, LinkState::NoCarrier | LinkState::Disabled) => CaptureState::LinkDown,
        (_, LinkState::Up) => CaptureState::LinkUp,
    };
    EventKind::CaptureState(Box::new(CaptureFact { capture, state }))
}

/// This machine sent on an interface that must only listen.
pub fn transmitted(capture: u16, transmission: &Transmission) -> EventKind {
    EventKind::Transmitted { capture, frames: transmission.frames_in_all }
}

/// Something of the sensor is at fault.
pub fn fault(fault: SensorFault, part: &str, text: &str) -> EventKind {
    EventKind::SensorFault(Box::new(FaultFact::new(fault, part, text, None)))
}
