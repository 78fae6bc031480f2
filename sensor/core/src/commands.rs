//! `Commands`: the commands of a flow on their way from select to termination.

use std::collections::VecDeque;
use yagura_parsers::message::{Control, Operation, Point, Step};
use yagura_rules::facts::event::{CommandFault, FrameRef};
use yagura_rules::facts::time::Timestamp;

/// Commands of a flow that are followed at once; devices take one or two.
const OPEN_MAX: usize = 16;
/// Commands of a flow that are known to be selected first.
const CHOSEN_MAX: usize = 64;
/// Answers without a command that are remembered, and for how long, in ns.
const EARLY_MAX: usize = 4;
const EARLY_NS: u64 = 1_000_000_000;
/// A select holds for so long, in ns; devices are set to less.
const SELECT_NS: u64 = 60_000_000_000;
/// A command is confirmed within so long, in ns (IEC 60870-5-104 t1 is 15 s).
pub const CONFIRM_NS: u64 = 30_000_000_000;
/// A command that was confirmed is done within so long, in ns.
const TERMINATE_NS: u64 = 300_000_000_000;

/// A command on its way.
#[derive(Debug, Clone)]
pub struct Command {
    /// What is commanded.
    pub operation: Operation,
    /// Values of the message that started it.
    pub points: Box<[Point]>,
    /// That message's frame.
    pub origin: FrameRef,
    /// When that was.
    pub time: Timestamp,
    /// Frames that the device had sent by then.
    pub heard: u64,
    /// Whether its protocol has an answer for it.
    pub awaits: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Selected,
    Operated,
    Confirmed,
}

#[derive(Debug)]
struct Open {
    key: u64,
    content: u64,
    stage: Stage,
    terminates: bool,
    command: Command,
}

/// The commands of a flow.
#[derive(Debug, Default)]
pub struct Commands {
    open: VecDeque<Open>,
    /// Commands that were met, and whether they were always selected before they were operated.
    chosen: VecDeque<(u64, bool)>,
    /// Answers to commands that were not seen yet: a mirror may show them the wrong way round.
    early: VecDeque<(u64, Timestamp)>,
    /// Whether the device has ever said that a command is done.
    terminates: bool,
    /// Whether somebody will look for overdue ones.
    pub is_watched: bool,
}

impl Commands {
    /// Takes in a step of a command. Answers what is wrong with it, and the select that it goes against.
    pub fn step(&mut self, control: &Control, command: Command) -> Option<(CommandFault, Option<Command>)> {
        let Control { step, key, content, terminates } = *control;
        let now = command.time;
        let at = self.open.iter().position(|open| open.key == key);
        match step {
            Step::Select => {
                if let Some(at) = at {
                    self.open.remove(at);
                }
                self.choose(key, true);
                self.push(Open { key, content, stage: Stage::Selected, terminates, command });
                None
            }
            Step::Operate | Step::Execute => {
                let before = at.and_then(|at| self.open.remove(at));
                let before = before.filter(|open| now.since(open.command.time) < SELECT_NS);
                if before.is_none() {
                    self.choose(key, false);
                }
                let fault = match &before {
                    Some(open) if open.content == content => None,
                    Some(open) if open.stage == Stage::Selected => Some(CommandFault::Changed),
                    // Operated again without a new select, by a command that wants one.
                    _ if step == Step::Operate || self.chosen.contains(&(key, true)) => Some(CommandFault::NotSelected),
                    _ => None,
                };
                let is_answered = self.early.iter().any(|(of, at)| *of == key && now.0.abs_diff(at.0) <= EARLY_NS);
                let stage = if is_answered { Stage::Confirmed } else { Stage::Operated };
                self.push(Open { key, content, stage, terminates, command });
                fault.map(|fault| (fault, before.filter(|_| fault == CommandFault::Changed).map(|open| open.command)))
            }
            Step::Confirmed => {
                if at.is_none() {
                    if self.early.len() >= EARLY_MAX {
                        self.early.pop_front();
                    }
                    self.early.push_back((key, now));
                }
                if let Some(open) = at.and_then(|at| self.open.get_mut(at))
                    && open.stage == Stage::Operated
                {
                    open.stage = Stage::Confirmed;
                }
                None
            }
            Step::Cancel | Step::Refused | Step::Terminated => {
                self.terminates |= step == Step::Terminated;
                if let Some(at) = at {
                    self.open.remove(at);
                }
                None
            }
        }
    }

    /// Notes how a command is given, the first time that it is met: whether it is selected.
    fn choose(&mut self, key: u64, selected: bool) {
        if self.chosen.iter().any(|(known, _)| *known == key) {
            return;
        }
        if self.chosen.len() >= CHOSEN_MAX {
            self.chosen.pop_front();
        }
        self.chosen.push_back((key, selected));
    }

    fn push(&mut self, open: Open) {
        if self.open.len() >= OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back(open);
    }

    /// Commands that waited too long for their answer, taken out. `heard`: frames that the device has sent by now; one that
    /// has sent nothing since is not seen, or is gone, which is another matter.
    pub fn overdue(&mut self, now: Timestamp, heard: u64) -> Vec<(CommandFault, Command)> {
        let mut found = Vec::new();
        let is_done = self.terminates;
        self.open.retain(|open| {
            let waited = now.since(open.command.time);
            let speaks = heard > open.command.heard;
            match open.stage {
                Stage::Selected => waited < SELECT_NS,
                Stage::Operated => {
                    if waited >= CONFIRM_NS && open.command.awaits && speaks {
                        found.push((CommandFault::Unconfirmed, open.command.clone()));
                    }
                    waited < CONFIRM_NS
                }
                Stage::Confirmed => {
                    if waited >= TERMINATE_NS && open.terminates && is_done && speaks {
                        found.push((CommandFault::Unterminated, open.command.clone()));
                    }
                    waited < TERMINATE_NS
                }
            }
        });
        found
    }

    /// Whether any command is on its way.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_parsers::message::Verb;

    fn command(seconds: u64, heard: u64) -> Command {
        Command {
            operation: Operation { verb: Verb::Control, code: 45, sub: 0, unit: 1, target: None },
            points: Box::default(),
            origin: FrameRef { capture: 0, frame: seconds },
            time: Timestamp(seconds * 1_000_000_000),
            heard,
            awaits: true,
        }
    }

    fn control(step: Step, content: u64) -> Control {
        Control { step, key: 7, content, terminates: true }
    }

    fn run(steps: &[(Step, u64, u64)]) -> Vec<Option<CommandFault>> {
        let mut commands = Commands::default();
        let step = |(step, content, at): &(Step, u64, u64)| {
            commands.step(&control(*step, *content), command(*at, 0)).map(|(fault, _)| fault)
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn select_and_operate_alike_are_right_and_so_is_a_repeat() {
        let steps = [(Step::Select, 1, 0), (Step::Confirmed, 0, 1), (Step::Operate, 1, 2), (Step::Operate, 1, 3)];
        assert_eq!(run(&steps), [None; 4]);
    }

    #[test]
    fn an_operate_wants_its_select() {
        assert_eq!(run(&[(Step::Operate, 1, 0)]), [Some(CommandFault::NotSelected)]);
        assert_eq!(run(&[(Step::Execute, 1, 0)]), [None], "a station may take commands at once");
        let at_once_once = [(Step::Execute, 1, 0), (Step::Select, 1, 1), (Step::Execute, 1, 2), (Step::Execute, 2, 70)];
        assert_eq!(run(&at_once_once)[3], None, "this one takes commands at once, too");
        let late = [(Step::Select, 1, 0), (Step::Operate, 1, 61)];
        assert_eq!(run(&late), [None, Some(CommandFault::NotSelected)]);
        let refused = [(Step::Select, 1, 0), (Step::Refused, 0, 1), (Step::Operate, 1, 2)];
        assert_eq!(run(&refused)[2], Some(CommandFault::NotSelected));
        let cancelled = [(Step::Select, 1, 0), (Step::Cancel, 0, 1), (Step::Execute, 1, 2)];
        assert_eq!(run(&cancelled)[2], Some(CommandFault::NotSelected), "it was always selected before");
    }

    #[test]
    fn what_was_selected_is_what_may_be_operated() {
        let mut commands = Commands::default();
        assert!(commands.step(&control(Step::Select, 1), command(0, 0)).is_none());
        let (fault, before) = commands.step(&control(Step::Execute, 2), command(1, 0)).unwrap();
        assert_eq!((fault, before.unwrap().origin.frame), (CommandFault::Changed, 0));
    }

    #[test]
    fn a_command_without_an_answer_is_told_where_the_device_speaks_on() {
        let overdue = |at: u64, heard| {
            let mut commands = Commands::default();
            commands.step(&control(Step::Execute, 1), command(0, 5));
            let now = Timestamp(at * 1_000_000_000);
            (commands.overdue(now, heard).first().map(|(fault, _)| *fault), commands.is_empty())
        };
        assert_eq!(overdue(29, 9), (None, false));
        assert_eq!(overdue(30, 9), (Some(CommandFault::Unconfirmed), true));
        assert_eq!(overdue(30, 5), (None, true));
    }

    #[test]
    fn an_answer_that_is_seen_before_its_command_answers_it() {
        let mut commands = Commands::default();
        commands.step(&control(Step::Confirmed, 1), command(5, 0));
        commands.step(&control(Step::Execute, 1), command(5, 0));
        assert!(commands.overdue(Timestamp(40_000_000_000), 9).is_empty());
        let mut commands = Commands::default();
        commands.step(&control(Step::Confirmed, 1), command(5, 0));
        commands.step(&control(Step::Execute, 1), command(7, 0));
        assert_eq!(commands.overdue(Timestamp(40_000_000_000), 9).len(), 1, "that was the answer to another");
    }

    #[test]
    fn a_command_without_an_end_is_told_where_others_had_one() {
        let overdue = |others: bool| {
            let mut commands = Commands::default();
            if others {
                commands.step(&control(Step::Terminated, 1), command(0, 0));
            }
            commands.step(&control(Step::Execute, 1), command(0, 0));
            commands.step(&control(Step::Confirmed, 1), command(1, 0));
            assert!(commands.overdue(Timestamp(299_000_000_000), 9).is_empty());
            commands.overdue(Timestamp(300_000_000_000), 9).first().map(|(fault, _)| *fault)
        };
        assert_eq!(overdue(true), Some(CommandFault::Unterminated));
        assert_eq!(overdue(false), None);
    }

    #[test]
    fn commands_are_bounded() {
        let mut commands = Commands::default();
        for key in 0..1_000 {
            commands.step(&Control { key, ..control(Step::Select, 1) }, command(0, 0));
        }
        assert_eq!((commands.open.len(), commands.chosen.len()), (OPEN_MAX, CHOSEN_MAX));
    }
}
