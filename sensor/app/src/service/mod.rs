//! The sensor as a service: `yagura run`.
//!
//! Three processes of this program. The *supervisor* starts the other two and waits. The *sensor* listens, judges, and
//! appends to the journal; it can open no socket once it runs. The *outputs* read the journal and carry records out; they
//! never touch an interface. What one of them loses hold of is out of the others' reach.
//!
//! | file | what |
//! | --- | --- |
//! | [`config`] | `yagura.toml` |
//! | [`supervisor`] | starts the processes, passes signals on, starts outputs again |
//! | [`sensor`] | the sensor process: opening, giving up rights, threads, reload, end |
//! | [`source`] | frames, silence and losses of all interfaces, as the pipeline wants them |
//! | [`scribe`] | the thread that writes the journal |
//! | [`health`] | how the sensor is, as a record, and the delays of its stages |
//! | [`facts`] | what interfaces tell, as facts of the core |
//! | [`inbox`] | records of other programs of this machine |
//! | [`carrier`] | the outputs process |

pub mod carrier;
pub mod config;
pub mod facts;
pub mod health;
pub mod inbox;
pub mod scribe;
pub mod sensor;
pub mod source;
pub mod supervisor;

use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock, in ns since 1970-01-01T00:00:00Z; 0 before that.
pub fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
