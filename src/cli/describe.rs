//! `rollcall completions` and `rollcall man`: the command line, as shells and readers want it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;
use memchr::memmem::find;

use crate::store::sqlite::{Output, OutputKind, PartialFile, make_folder};

/// What `rollcall completions` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall completions bash > /etc/bash_completion.d/rollcall")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What `rollcall man` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  rollcall man | man -l -\n  rollcall man --to /usr/local/share/man/man1")]
pub struct ManArgs {
    /// A folder, for a page of each command; if left out, the page of rollcall itself goes to stdout
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

/// Prints what makes a shell complete our command line.
///
/// # Errors
/// Nothing takes the output.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "rollcall", &mut script);
    io::stdout().write_all(&script).context("the completions could not be printed")
}

/// Prints the manual page, or writes all of them, but over nothing of `database`, that of the settings.
///
/// # Errors
/// Nothing takes the output, or the folder does not.
pub fn man(args: &ManArgs, command: Command, database: Option<&Path>) -> anyhow::Result<()> {
    let Some(folder) = &args.to else {
        let printed = clap_mangen::Man::new(command).render(&mut io::stdout());
        return printed.context("the manual could not be printed");
    };
    make_folder(folder, database)?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    pages(folder, command, database)
}

/// What a page may replace.
const PAGE: OutputKind =
    OutputKind::Text { name: "page of a manual", is: |head| find(head, b".TH ").is_some() };

/// Writes the page of a command, and of those below it.
fn pages(folder: &Path, command: Command, database: Option<&Path>) -> anyhow::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(folder, below.clone(), database)?;
    }
    let page = clap_mangen::Man::new(command);
    let part = PartialFile::new(Output::check(&folder.join(page.get_filename()), PAGE, database)?)?;
    page.render(&mut part.file()).context("the manual could not be written")?;
    Ok(part.place()?)
}
