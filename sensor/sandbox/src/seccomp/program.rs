//! The part of a filter's program that its compiler does not make, and the kernel's reading of a whole program.

use seccompiler::sock_filter;

/// The operations that occur, by their codes in `linux/bpf_common.h`.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// What a filter makes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is made.
    Allowed,
    /// It is not made, and fails with this error number.
    Refused(i32),
    /// The process ends with `SIGSYS`.
    Killed,
    /// Something that none of our filters answers.
    Other(u32),
}

/// What stands before the list: the end for each of `deadly`, and `ENOSYS` for all calls above `newest`. `clone3` falls
/// under the second unless the list goes beyond it, so that it is then let through or refused by the list.
///
/// Only the number is looked at here; the list's own program begins with the processor.
pub(super) fn prologue(deadly: &[i64], newest: u32) -> Result<Vec<sock_filter>, String> {
    let mut program = vec![statement(LOAD, 0)];
    for (index, &number) in deadly.iter().enumerate() {
        // Over the rest of `deadly`, and over the two instructions after it.
        let over = deadly.len().saturating_sub(index).saturating_add(1);
        let over = u8::try_from(over).map_err(|_| "too many deadly calls".to_owned())?;
        let number = u32::try_from(number).map_err(|_| format!("no number of a call: {number}"))?;
        program.push(sock_filter { code: JUMP_EQUAL, jt: over, jf: 0, k: number });
    }
    program.push(sock_filter { code: JUMP_GREATER, jt: 2, jf: 0, k: newest });
    program.push(statement(JUMP, 2));
    program.push(statement(RETURN, libc::SECCOMP_RET_KILL_PROCESS));
    program.push(statement(RETURN, libc::SECCOMP_RET_ERRNO | u32::try_from(libc::ENOSYS).unwrap_or(0)));
    Ok(program)
}

fn statement(code: u16, operand: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k: operand }
}

/// Runs a program over a call as the kernel does. A filter has no loops (jumps go forward only), so this ends.
pub(super) fn answer(program: &[sock_filter], number: i64, arguments: [u64; 6]) -> Answer {
    let processor = match std::env::consts::ARCH {
        "x86_64" => 0xc000_003e,
        _ => 0xc000_00b7,
    };
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let mut at = 0_usize;
    let mut value = 0_u32;
    while let Some(instruction) = program.get(at) {
        let operand = instruction.k;
        at = at.saturating_add(1);
        let skip = |yes: bool| usize::from(if yes { instruction.jt } else { instruction.jf });
        match instruction.code {
            LOAD => {
                value = match operand {
                    0 => number,
                    4 => processor,
                    _ => half(arguments, operand),
                }
            }
            AND => value &= operand,
            JUMP => at = at.saturating_add(usize::try_from(operand).unwrap_or(usize::MAX)),
            JUMP_EQUAL => at = at.saturating_add(skip(value == operand)),
            JUMP_GREATER => at = at.saturating_add(skip(value > operand)),
            JUMP_AT_LEAST => at = at.saturating_add(skip(value >= operand)),
            RETURN => {
                return match (operand & 0xffff_0000, operand & 0xffff) {
                    (libc::SECCOMP_RET_ALLOW, _) => Answer::Allowed,
                    (libc::SECCOMP_RET_ERRNO, error) => Answer::Refused(i32::try_from(error).unwrap_or(i32::MAX)),
                    (libc::SECCOMP_RET_KILL_PROCESS, _) => Answer::Killed,
                    _ => Answer::Other(operand),
                };
            }
            _ => return Answer::Other(u32::from(instruction.code)),
        }
    }
    Answer::Other(0)
}

/// Four octets of the arguments, which begin at octet 16 of what a filter sees, eight octets each, low half first.
fn half(arguments: [u64; 6], offset: u32) -> u32 {
    let at = usize::try_from(offset.saturating_sub(16)).unwrap_or(usize::MAX);
    let argument = arguments.get(at >> 3).copied().unwrap_or(0);
    let shift = if at & 4 == 0 { 0 } else { 32 };
    u32::try_from((argument >> shift) & u64::from(u32::MAX)).unwrap_or(0)
}
