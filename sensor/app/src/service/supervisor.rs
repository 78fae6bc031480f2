//! The supervisor: starts the sensor and the outputs, passes signals on, and starts the outputs again where they die.

use super::config::Configuration;
use crate::commands::{DONE, FAILED, Failure, Outcome, say};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use yagura_sandbox::notify::{Notifier, Relay};
use yagura_sandbox::privileges;

/// Between two looks at the processes and at signals.
const LOOK: Duration = Duration::from_millis(50);
/// The sensor has so long to write down what it has, once it is told to end.
const SENSOR_ENDS_IN: Duration = Duration::from_secs(20);
/// Then the outputs have so long to carry it out.
const OUTPUTS_END_IN: Duration = Duration::from_secs(4);
/// The pauses before the outputs are started again grow up to this.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Outputs that ran for so long are started again at once.
const STEADY: Duration = Duration::from_secs(60);

/// What of the arguments the sensor process has to know.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Arguments for the sensor process beside the configuration: `--print`, `--learn`.
    pub sensor: Vec<String>,
}

/// Runs both processes until a signal ends them, or the sensor ends by itself.
///
/// # Errors
/// Where a process cannot be started.
pub fn run(path: &Path, configuration: &Configuration, asked: &Asked) -> Outcome {
    let signals = Signals::register()?;
    let world = |error| Failure::World(format!("systemd: {error}"));
    let (relay, to_relay) = Relay::new(Notifier::open().map_err(world)?).map_err(world)?;
    let mut sensor = start(path, "sensor", &asked.sensor, Stdio::from(to_relay))?;
    // The right to open an interface was the sensor's alone.
    privileges::keep_none().map_err(|error| Failure::World(error.to_string()))?;
    let mut outputs = Outputs::new(path, configuration);
    outputs.look()?;
    let ended = loop {
        relay.pass_on();
        if let Some(status) = state(&mut sensor)? {
            break Some(status);
        }
        if signals.ends.load(Ordering::Relaxed) {
            break None;
        }
        if signals.reload.swap(false, Ordering::Relaxed) {
            tell(&sensor, Signal::HUP);
        }
        outputs.look()?;
        std::thread::sleep(LOOK);
    };
    if ended.is_none() {
        tell(&sensor, Signal::TERM);
    }
    let status = match ended {
        Some(status) => Some(status),
        None => wait(&mut sensor, SENSOR_ENDS_IN)?,
    };
    outputs.end()?;
    match status {
        Some(status) if status.success() => Ok(DONE),
        Some(status) => {
            if ended.is_some() && status.code() != Some(i32::from(FAILED)) {
                say(&format!("yagura: the sensor process ended: {status}\n"));
            }
            Ok(status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != DONE).unwrap_or(FAILED))
        }
        None => {
            say("yagura: the sensor process did not end in time and was killed; what it had acknowledged is kept\n");
            let _ = sensor.kill();
            let _ = sensor.wait();
            Ok(FAILED)
        }
    }
}

/// Signals, as flags.
pub struct Signals {
    /// SIGTERM or SIGINT came.
    pub ends: Arc<AtomicBool>,
    /// SIGHUP came since it was looked at.
    pub reload: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to note signals.
    ///
    /// # Errors
    /// Where the system does not let it.
    pub fn register() -> Result<Self, Failure> {
        let signals = Self { ends: Arc::new(AtomicBool::new(false)), reload: Arc::new(AtomicBool::new(false)) };
        for (signal, flag) in [(SIGTERM, &signals.ends), (SIGINT, &signals.ends), (SIGHUP, &signals.reload)] {
            signal_hook::flag::register(signal, Arc::clone(flag))
                .map_err(|error| Failure::World(format!("signals cannot be taken: {error}")))?;
        }
        Ok(signals)
    }
}

/// The outputs process, which is there whenever there is something to carry out.
struct Outputs<'a> {
    path: &'a Path,
    wanted: bool,
    child: Option<(Child, Instant)>,
    pause: Duration,
    /// Not to be started before.
    due: Instant,
}

impl<'a> Outputs<'a> {
    fn new(path: &'a Path, configuration: &Configuration) -> Self {
        let wanted = !configuration.output.is_empty() || configuration.metrics.is_some();
        Self { path, wanted, child: None, pause: Duration::from_secs(1), due: Instant::now() }
    }

    /// Starts the process where it is wanted and not there.
    fn look(&mut self) -> Result<(), Failure> {
        if let Some((child, since)) = &mut self.child {
            let Some(status) = state(child)? else { return Ok(()) };
            if since.elapsed() >= STEADY {
                self.pause = Duration::from_secs(1);
            }
            let seconds = self.pause.as_secs();
            say(&format!("yagura: the outputs process ended: {status}; it is started again in {seconds} s\n"));
            self.due = Instant::now().checked_add(self.pause).unwrap_or_else(Instant::now);
            self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
            self.child = None;
        }
        if self.wanted && self.due <= Instant::now() {
            self.child = Some((start(self.path, "outputs", &[], Stdio::null())?, Instant::now()));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some((mut child, _)) = self.child.take() else { return Ok(()) };
        tell(&child, Signal::TERM);
        if wait(&mut child, OUTPUTS_END_IN)?.is_none() {
            // What receivers had not confirmed is sent again after the next start.
            let _ = child.kill();
            let _ = child.wait();
        }
        Ok(())
    }
}

fn start(path: &Path, role: &str, more: &[String], input: Stdio) -> Result<Child, Failure> {
    let failed = |error| Failure::World(format!("the {role} process cannot be started: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(path).arg("--role").arg(role).args(more).stdin(input);
    command.spawn().map_err(failed)
}

fn state(child: &mut Child) -> Result<Option<ExitStatus>, Failure> {
    child.try_wait().map_err(|error| Failure::World(format!("a process cannot be waited for: {error}")))
}

fn wait(child: &mut Child, patience: Duration) -> Result<Option<ExitStatus>, Failure> {
    let begun = Instant::now();
    loop {
        let state = state(child)?;
        if state.is_some() || begun.elapsed() >= patience {
            return Ok(state);
        }
        std::thread::sleep(LOOK);
    }
}

fn tell(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // A process that is gone needs no signal.
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}
