//! How the program ends.

use std::process::ExitCode;

/// Why a command ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done,
    /// It could not; the reason has been printed.
    Failed,
    /// The command line can not be understood.
    Usage,
    /// Ctrl-C ended it.
    Interrupted,
    /// Of `check` and `doctor`: something is not well.
    Warning,
    /// Of `check` and `doctor`: something is bad.
    Critical,
    /// Of `check` and `doctor`: nobody can tell.
    Unknown,
}

/// For `fanfare --help` and the man page.
pub(crate) const CODES: &str = "\
Exit codes:
  0    done
  1    failed; standard error says why, and what to do
  2    the command line can not be understood
  130  interrupted by Ctrl-C
`check` and `doctor` have codes of their own, as monitoring systems expect them: see their help.";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Interrupted => 130,
            Exit::Warning => 1,
            Exit::Critical => 2,
            Exit::Unknown => 3,
        })
    }
}
