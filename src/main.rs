//! The command line.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use rollcall::cli::{
    audit, backup, check_config, check_health, console, describe, doctor, erase, export, import, journal,
    quarantine, rebuild, replay, tail, token,
};
use rollcall::config::{Settings, SettingsProblems, SettingsSources, StoreUrl};
use rollcall::{exit, log, server};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A directory of the users of your Smooch apps, kept up to date by Smooch's webhooks.
#[derive(Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Cli {
    /// Settings file; by default config.toml in the working directory, if it exists
    #[arg(long, short, env = "ROLLCALL_CONFIG", value_name = "PATH")]
    config: Option<PathBuf>,
    /// Set one key of the settings, such as server.listen=127.0.0.1:9000 or, for a list,
    /// 'server.cors_origins=["*"]'; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    #[command(subcommand)]
    command: Option<CliCommand>,
}

const EXIT_CODES: &str = "Exit codes: 0 success, 1 failure, 2 usage, 69 a dependency is unavailable, 74 input or \
                          output, 78 settings, 130 ended by a signal without a summary.\n\
                          The shipped config.toml explains the settings.";

#[derive(Subcommand)]
enum CliCommand {
    /// Receive webhooks and serve the API until SIGTERM or SIGINT; the default
    Serve,
    /// Post recorded payloads to a webhook target, signed as Smooch does
    Replay(replay::ReplayArgs),
    /// Erase a person permanently from the directory and the journal
    Erase(erase::EraseArgs),
    /// Print a JWT signed with a key of an app
    Token(token::TokenArgs),
    /// Report every problem of the settings
    CheckConfig,
    /// Write a verified copy of the database, beside a running service
    Backup(backup::BackupArgs),
    /// Restore the database from a backup
    Restore(backup::RestoreArgs),
    /// Verify a database or a backup
    Verify(backup::VerifyArgs),
    /// Diagnose the installation and propose remedies
    Doctor(doctor::DoctorArgs),
    /// Check that the service accepts webhooks; exits 69 if not
    #[command(after_help = "Example:\n  rollcall check-health && echo accepts webhooks")]
    CheckHealth,
    /// Print a link that signs in to the console
    Console(console::ConsoleArgs),
    /// Print a completion script for a shell
    Completions(describe::CompletionsArgs),
    /// Print the manual page, or write one page per command
    Man(describe::ManArgs),
    /// List, show or replay entries of the journal
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// List, retry or delete quarantined webhook bodies
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// List who did what
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Print new journal entries as they arrive
    Tail(tail::TailArgs),
    /// Export the directory as NDJSON, for another rollcall, or as CSV
    Export(export::ExportArgs),
    /// Import app users from an export, NDJSON or CSV
    Import(import::ImportArgs),
    /// Compare the directory with the journal, and repair differences
    Rebuild(rebuild::RebuildArgs),
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Cli {
    /// The command line, with `--config` and `--set` before and after every subcommand.
    fn grammar() -> clap::Command {
        let grammar = Self::command();
        let everywhere: Vec<Arg> = grammar.get_arguments().cloned().collect();
        below(grammar, &everywhere)
    }

    fn read() -> Result<Self, clap::Error> {
        let mut grammar = Self::grammar();
        let matches = grammar.try_get_matches_from_mut(std::env::args_os());
        let matches = matches.map_err(|error| without_value(error, &mut grammar))?;
        let mut cli = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut grammar))?;
        // clap's global arguments would drop those before the subcommand.
        let mut named = usize::from(is_on_the_line(&matches));
        let mut level = &matches;
        while let Some((_, below)) = level.subcommand() {
            level = below;
            cli.set.extend(level.get_many("set").into_iter().flatten().cloned());
            if is_on_the_line(level) {
                named += 1;
                cli.config = level.get_one("config").cloned();
            }
        }
        if named > 1 {
            let why = "the argument '--config <PATH>' cannot be used multiple times";
            return Err(grammar.error(ErrorKind::ArgumentConflict, why));
        }
        Ok(cli)
    }
}

/// The error of an argument that may hold a secret, without its value.
fn without_value(error: clap::Error, grammar: &mut clap::Command) -> clap::Error {
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let may_be_secret = ["--set", "--to"].iter().any(|name| argument.starts_with(name));
    if error.kind() != ErrorKind::ValueValidation || !may_be_secret {
        return error;
    }
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    grammar.error(ErrorKind::ValueValidation, format!("invalid value for '{argument}': {why}"))
}

/// Adds these arguments to the subcommands of a command, at every depth.
fn below(command: clap::Command, everywhere: &[Arg]) -> clap::Command {
    command.mut_subcommands(|sub| below(sub.args(everywhere), everywhere))
}

/// True if `--config` is on this level of the command line, not from the environment.
fn is_on_the_line(level: &ArgMatches) -> bool {
    level.value_source("config") == Some(ValueSource::CommandLine)
}

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(said) => return show(&said),
    };
    let loaded = Settings::load(cli.config.as_deref(), &cli.set);
    let ran = match (cli.command.unwrap_or(CliCommand::Serve), loaded) {
        // These work without settings, or report their problems themselves.
        (CliCommand::CheckConfig, loaded) => check_config::run(&loaded),
        (CliCommand::Doctor(args), loaded) => waited_for(doctor::run(&args, &loaded, cli.config.clone())),
        (CliCommand::Completions(args), _) => describe::completions(&args, Cli::grammar()).map(done),
        (CliCommand::Man(args), loaded) => {
            let database = loaded.ok().map(|settings| settings.store.url).map(|StoreUrl::Sqlite(path)| path);
            describe::man(&args, Cli::grammar(), database.as_deref()).map(done)
        }
        (_, Err(problems)) => return refuse(&problems),
        (CliCommand::Serve, Ok(settings)) => {
            return run_service(&settings, SettingsSources { path: cli.config, overrides: cli.set });
        }
        (CliCommand::Replay(args), Ok(settings)) => waited_for(replay::run(&args, &settings)),
        (CliCommand::Token(args), Ok(settings)) => token::run(&args, &settings).map(done),
        (CliCommand::Erase(args), Ok(settings)) => waited_for(erase::run(&args, &settings)),
        (CliCommand::Backup(args), Ok(settings)) => backup::back_up(&args, &settings).map(done),
        (CliCommand::Restore(args), Ok(settings)) => backup::restore(&args, &settings).map(done),
        (CliCommand::Verify(args), Ok(settings)) => backup::verify(&args, &settings).map(done),
        (CliCommand::Journal(command), Ok(settings)) => waited_for(journal::run(&command, &settings)),
        (CliCommand::Quarantine(command), Ok(settings)) => waited_for(quarantine::run(&command, &settings)),
        (CliCommand::Audit(command), Ok(settings)) => audit::run(&command, &settings),
        (CliCommand::Tail(args), Ok(settings)) => waited_for(tail::run(&args, &settings)),
        (CliCommand::Export(args), Ok(settings)) => export::run(&args, &settings),
        (CliCommand::Import(args), Ok(settings)) => waited_for(import::run(&args, &settings)),
        (CliCommand::Rebuild(args), Ok(settings)) => waited_for(rebuild::run(&args, &settings)),
        (CliCommand::Console(args), Ok(settings)) => waited_for(console::run(&args, &settings)).map(done),
        (CliCommand::CheckHealth, Ok(settings)) => waited_for(check_health::run(&settings)).map(done),
    };
    // A failed flush must not go unnoticed.
    let printed = ran.and_then(|code| {
        io::stdout().flush()?;
        Ok(code)
    });
    printed.unwrap_or_else(|error| exit::failed(&error))
}

/// Prints the help, the version, or an error of the command line.
fn show(said: &clap::Error) -> ExitCode {
    match said.print() {
        // A closed stderr is ignored.
        _ if said.use_stderr() => ExitCode::from(exit::USAGE),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failed(&error.into()),
    }
}

fn waited_for<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    server::block_on(command)?
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

fn run_service(settings: &Settings, sources: SettingsSources) -> ExitCode {
    let _last_lines = log::start(&settings.log);
    let ended = server::block_on(server::run(settings, sources)).flatten();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit_code()
        }
    }
}

fn refuse(problems: &SettingsProblems) -> ExitCode {
    // A closed stderr is ignored.
    _ = writeln!(io::stderr(), "{problems}");
    ExitCode::from(exit::SETTINGS)
}
