//! `run`: the system's own programs for interfaces, found where systems keep them.

use crate::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where such programs are. Not from the environment: whoever prepares a port is root.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// Runs a program to its end; gives what it printed.
///
/// # Errors
/// [`Error::Program`] where it is not installed, or says that it failed.
pub(crate) fn run(program: &'static str, package: &str, arguments: &[&str]) -> Result<String, Error> {
    let found = DIRECTORIES.iter().map(|directory| Path::new(directory).join(program)).find(|path| path.is_file());
    let Some(path) = found else {
        return Err(Error::Program { program, reason: format!("is not installed; install {package}") });
    };
    let output = Command::new(path)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::Program { program, reason: format!("cannot be started: {error}") })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let reason = if said.is_empty() { format!("failed, {}", output.status) } else { said };
    Err(Error::Program { program, reason: reason.chars().take(300).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_given_and_its_failure_told() {
        assert_eq!(run("echo", "coreutils", &["a b"]), Ok("a b\n".to_owned()));
        let failed = run("ls", "coreutils", &["/no/such/place"]).unwrap_err();
        assert!(failed.to_string().starts_with("ls: "), "{failed}");
        let missing = run("no-such-program", "some-package", &[]).unwrap_err();
        assert!(missing.to_string().contains("install some-package"), "{missing}");
    }
}
