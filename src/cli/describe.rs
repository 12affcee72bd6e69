//! `rollcall completions` and `rollcall man`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;
use memchr::memmem::find;

use crate::store::sqlite::{Output, OutputKind, PartialFile, make_folder};

/// The arguments of `rollcall completions`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall completions bash > /etc/bash_completion.d/rollcall")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The arguments of `rollcall man`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  rollcall man | man -l -\n  rollcall man --to /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Folder for one page per command; by default, the main page is printed
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

/// Prints a completion script for a shell.
///
/// # Errors
/// Stdout cannot be written.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "rollcall", &mut script);
    io::stdout().write_all(&script).context("the completions could not be printed")
}

/// Prints the manual page, or writes all pages, never over files of `database`.
///
/// # Errors
/// Stdout or the folder cannot be written.
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

/// The files that a page may replace.
const PAGE: OutputKind =
    OutputKind::Text { name: "page of a manual", is: |head| find(head, b".TH ").is_some() };

fn pages(folder: &Path, command: Command, database: Option<&Path>) -> anyhow::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(folder, below.clone(), database)?;
    }
    let page = clap_mangen::Man::new(command);
    let part = PartialFile::new(Output::check(&folder.join(page.get_filename()), PAGE, database)?)?;
    page.render(&mut part.file()).context("the manual could not be written")?;
    Ok(part.place()?)
}
