//! `rollcall completions` and `rollcall man`: the command line, as shells and readers want it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;

/// What `rollcall completions` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall completions bash > /etc/bash_completion.d/rollcall")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What `rollcall man` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  rollcall man | man -l -\n  rollcall man --to /usr/local/share/man/man1")]
pub struct Man {
    /// A folder, for a page of each command; if left out, the page of rollcall itself goes to stdout
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

/// Prints what makes a shell complete our command line.
///
/// # Errors
/// Nothing takes the output.
pub fn completions(args: &Completions, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "rollcall", &mut script);
    io::stdout().write_all(&script).context("the completions could not be printed")
}

/// Prints the manual page, or writes all of them.
///
/// # Errors
/// Nothing takes the output, or the folder does not.
pub fn man(args: &Man, command: Command) -> anyhow::Result<()> {
    match &args.to {
        None => clap_mangen::Man::new(command).render(&mut io::stdout()),
        Some(folder) => pages(folder, command),
    }
    .context("the manual could not be written")
}

fn pages(folder: &Path, command: Command) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}
