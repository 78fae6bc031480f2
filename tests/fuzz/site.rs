//! Any text as a site file with the files that it includes: a policy, or problems that point into the text.
#![no_main]

use fuzz::in_time;
use libfuzzer_sys::fuzz_target;
use yagura_core::analyzer::Setup;
use yagura_rules::detections::CATALOG;
use yagura_rules::policy::Policy;
use yagura_rules::problem::PROBLEMS_MAX;

/// Separates the files of an input: no text has it.
const SEPARATOR: char = '\0';
/// The names of the files, the first that of the site file.
const NAMES: [&str; 4] = ["site.toml", "a.toml", "b.toml", "c.toml"];

fn execute(text: &str) {
    let files: Vec<&str> = text.splitn(NAMES.len(), SEPARATOR).collect();
    let mut reads = 0;
    let mut read = |name: &str| {
        reads += 1;
        let at = NAMES.iter().position(|known| *known == name);
        at.and_then(|at| files.get(at)).map(|text| (*text).to_owned()).ok_or_else(|| "there is no such file".to_owned())
    };
    match Policy::load(NAMES[0], &mut read, CATALOG) {
        Ok(policy) => {
            assert!(policy.warnings.len() <= PROBLEMS_MAX);
            assert_eq!(policy.files.len(), reads);
            for warning in &policy.warnings {
                assert!(!warning.one_line().contains('\n'));
            }
            // What was compiled must also be usable.
            let _ = Setup { policy, ..Setup::default() }.desk();
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a word");
            assert!(problems.len() <= PROBLEMS_MAX);
            for problem in &problems {
                assert!(!problem.to_string().is_empty());
                assert!(!problem.one_line().contains('\n'));
            }
        }
    }
}

fuzz_target!(|text: &str| in_time(|| execute(text)));
