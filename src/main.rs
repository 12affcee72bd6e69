//! The command line.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use rollcall::cli::{
    backup, check_config, check_health, describe, doctor, erase, export, import, journal, quarantine,
    rebuild, replay, restore, tail, token, verify,
};
use rollcall::config::{Settings, SettingsProblems, StoreUrl};
use rollcall::{exit, log, server};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A directory of the users of your Smooch apps, kept up to date by Smooch's webhooks.
#[derive(Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Cli {
    /// The file of settings; without it, config.toml in the working directory if there is one
    #[arg(long, short, env = "ROLLCALL_CONFIG", value_name = "PATH")]
    config: Option<PathBuf>,
    /// Sets one key of the settings, such as server.listen=127.0.0.1:9000 or, for a list,
    /// 'server.cors_origins=["*"]'; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    #[command(subcommand)]
    command: Option<CliCommand>,
}

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 failed, 2 usage, 69 a dependency is unavailable, 74 input or \
                          output, 78 settings.\nThe settings are explained in the shipped config.toml.";

#[derive(Subcommand)]
enum CliCommand {
    /// Receives webhooks and answers look-ups, until SIGTERM or SIGINT; the default
    Serve,
    /// Posts recorded payloads to a running target, signed as Smooch does
    Replay(replay::ReplayArgs),
    /// Erases a person for good, from the directory and from the journal
    Erase(erase::EraseArgs),
    /// Prints a JWT signed with a key of an app
    Token(token::TokenArgs),
    /// Names every problem of the settings
    CheckConfig,
    /// Copies the database to a file, checked, while the service goes on
    Backup(backup::BackupArgs),
    /// Puts a backup where the service will find it
    Restore(restore::RestoreArgs),
    /// Says whether a database or a backup is whole, and what it shows
    Verify(verify::VerifyArgs),
    /// Names what is wrong here or may go wrong, and what to do about it
    Doctor(doctor::DoctorArgs),
    /// Says whether the service would take a webhook now; exits 69 if not
    #[command(after_help = "Example:\n  rollcall check-health && echo it takes webhooks")]
    CheckHealth,
    /// Prints what makes a shell complete this command line
    Completions(describe::CompletionsArgs),
    /// Prints the manual page, or writes a page for each command
    Man(describe::ManArgs),
    /// Looks at what came in, and sends it again
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Looks at bodies that could not be used, uses them after all, or gives them up
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Prints what comes in, as it comes
    Tail(tail::TailArgs),
    /// Writes the directory as lines of JSON, for another rollcall, or as a table
    Export(export::ExportArgs),
    /// Takes in what an export, or any list, tells of app users
    Import(import::ImportArgs),
    /// Compares the directory with what the journal says, and puts right what differs
    Rebuild(rebuild::RebuildArgs),
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Cli {
    /// The command line, with `--config` and `--set` before and behind every subcommand.
    fn grammar() -> clap::Command {
        let grammar = Self::command();
        let everywhere: Vec<Arg> = grammar.get_arguments().cloned().collect();
        below(grammar, &everywhere)
    }

    fn read() -> Result<Self, clap::Error> {
        let mut grammar = Self::grammar();
        let matches = grammar.try_get_matches_from_mut(std::env::args_os())?;
        let mut cli = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut grammar))?;
        // clap's own global arguments would lose what stands before the subcommand.
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

/// A command whose subcommands, at every depth, also take these.
fn below(command: clap::Command, everywhere: &[Arg]) -> clap::Command {
    command.mut_subcommands(|sub| below(sub.args(everywhere), everywhere))
}

/// Whether `--config` stands on this level of the command line; it may be of the environment.
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
        // These do without settings, or say themselves what is wrong with them.
        (CliCommand::CheckConfig, loaded) => check_config::run(&loaded),
        (CliCommand::Doctor(args), loaded) => waited_for(doctor::run(&args, &loaded, cli.config.clone())),
        (CliCommand::Completions(args), _) => describe::completions(&args, Cli::grammar()).map(done),
        (CliCommand::Man(args), loaded) => {
            let database = loaded.ok().map(|settings| settings.store.url).map(|StoreUrl::Sqlite(path)| path);
            describe::man(&args, Cli::grammar(), database.as_deref()).map(done)
        }
        (_, Err(problems)) => return refuse(&problems),
        (CliCommand::Serve, Ok(settings)) => {
            let load_again = || Settings::load_again(cli.config.as_deref(), &cli.set);
            return run_service(&settings, load_again);
        }
        (CliCommand::Replay(args), Ok(settings)) => waited_for(replay::run(&args, &settings)),
        (CliCommand::Token(args), Ok(settings)) => token::run(&args, &settings).map(done),
        (CliCommand::Erase(args), Ok(settings)) => waited_for(erase::run(&args, &settings)),
        (CliCommand::Backup(args), Ok(settings)) => backup::run(&args, &settings).map(done),
        (CliCommand::Restore(args), Ok(settings)) => restore::run(&args, &settings).map(done),
        (CliCommand::Verify(args), Ok(settings)) => verify::run(&args, &settings).map(done),
        (CliCommand::Journal(command), Ok(settings)) => waited_for(journal::run(&command, &settings)),
        (CliCommand::Quarantine(command), Ok(settings)) => waited_for(quarantine::run(&command, &settings)),
        (CliCommand::Tail(args), Ok(settings)) => waited_for(tail::run(&args, &settings)),
        (CliCommand::Export(args), Ok(settings)) => export::run(&args, &settings),
        (CliCommand::Import(args), Ok(settings)) => waited_for(import::run(&args, &settings)),
        (CliCommand::Rebuild(args), Ok(settings)) => waited_for(rebuild::run(&args, &settings)),
        (CliCommand::CheckHealth, Ok(settings)) => waited_for(check_health::run(&settings)).map(done),
    };
    // What is still in memory would be lost without a word.
    let printed = ran.and_then(|code| {
        io::stdout().flush()?;
        Ok(code)
    });
    printed.unwrap_or_else(|error| exit::failed(&error))
}

/// Prints the help, the version, or what is wrong with the command line.
fn show(said: &clap::Error) -> ExitCode {
    match said.print() {
        // A closed stderr is ignored.
        _ if said.use_stderr() => ExitCode::from(exit::USAGE),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failed(&error.into()),
    }
}

/// What a command that waits comes to.
fn waited_for<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    server::block_on(command)?
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

fn run_service(settings: &Settings, load_again: impl Fn() -> Result<Settings, SettingsProblems>) -> ExitCode {
    let _last_lines = log::start(&settings.log);
    let ended = server::block_on(server::run(settings, load_again)).flatten();
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
    _ = write!(io::stderr(), "{problems}");
    ExitCode::from(exit::SETTINGS)
}
