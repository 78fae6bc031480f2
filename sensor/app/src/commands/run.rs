//! `yagura run`: the sensor as a service; `yagura prepare` and `yagura doctor`: the interface it listens to.

use super::{DONE, FAILED, Failure, Outcome, print, say};
use crate::record::write::visible;
use crate::service::config::Configuration;
use crate::service::supervisor::{Asked, Signals};
use crate::service::{carrier, sensor, supervisor};
use std::path::{Path, PathBuf};
use std::time::Duration;
use yagura_live::finding::Grade;
use yagura_live::prepare::{Outcome as Prepared, prepare as prepare_port};
use yagura_sandbox::selftest;

/// Which of the processes this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one that is started by hand or by systemd.
    Supervisor,
    /// The one that listens.
    Sensor,
    /// The one that sends.
    Outputs,
}

/// What `yagura run` is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The configuration.
    pub config: PathBuf,
    /// Which process it is.
    pub role: Role,
    /// Print records once they are acknowledged.
    pub print: bool,
    /// Learn for so long, and end.
    pub learn: Option<Duration>,
}

/// Runs the sensor.
///
/// # Errors
/// Where the configuration, a file, an interface or the journal is not as it must be.
pub fn run(request: &Request) -> Outcome {
    let configuration = Configuration::read(&request.config)?;
    match request.role {
        Role::Sensor => {
            let asked = sensor::Request { print: request.print, learn: request.learn };
            sensor::run(&request.config, &configuration, &asked)
        }
        Role::Outputs => carrier::run(&configuration),
        Role::Supervisor => {
            let mut sensor = Vec::new();
            if request.print {
                sensor.push("--print".to_owned());
            }
            if let Some(time) = request.learn {
                sensor.extend(["--learn".to_owned(), format!("{}s", time.as_secs())]);
            }
            supervisor::run(&request.config, &configuration, &Asked { sensor })
        }
    }
}

/// Tries what the processes must not be able to do, and prints what came of it.
///
/// # Errors
/// Where standard output cannot be written.
pub fn sandbox_selftest() -> Outcome {
    let report = selftest::run(Path::new("/var/tmp"));
    print(&format!("{report}\n"))?;
    Ok(if report.holds() { DONE } else { FAILED })
}

/// Makes an interface fit for listening, and says each step.
///
/// # Errors
/// Where it cannot be begun.
pub fn prepare(interface: &str) -> Outcome {
    let steps = prepare_port(interface).map_err(|error| Failure::World(error.to_string()))?;
    let mut refused = false;
    for step in steps {
        let (what, before, after) = (step.what, visible(&step.before), visible(&step.after));
        let text = match &step.outcome {
            Prepared::Already => format!("{what}: {after}, as it was\n"),
            Prepared::Changed => {
                let undo = step.undo.as_deref().map(|undo| format!(" (undo: {})", visible(undo))).unwrap_or_default();
                format!("{what}: {before} -> {after}{undo}\n")
            }
            Prepared::Refused(why) => {
                refused = true;
                format!("{what}: {before}; NOT changed: {}\n", visible(why))
            }
        };
        print(&text)?;
    }
    Ok(if refused { FAILED } else { DONE })
}

/// Looks at a mirror port for a while, and says what is wrong with it.
///
/// # Errors
/// Where it cannot be looked at.
pub fn doctor(interface: &str, time: Duration) -> Outcome {
    let signals = Signals::register()?;
    say(&format!("yagura: looking at {} for {} s\n", visible(interface), time.as_secs()));
    let findings = yagura_live::doctor::doctor(interface, time, &signals.ends)
        .map_err(|error| Failure::World(error.to_string()))?;
    let mut faults = false;
    for finding in findings {
        faults |= finding.grade == Grade::Fault;
        print(&format!("{finding}\n"))?;
    }
    Ok(if faults { FAILED } else { DONE })
}
