//! The command line: one call for each subcommand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rollcall::command::{
    self, check_config, export, import, journal, quarantine, rebuild, replay, tail, token,
};
use rollcall::config::{Problems, Settings};
use rollcall::{log, serve};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A directory of the users of your Smooch apps, kept up to date by Smooch's webhooks.
#[derive(Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Cli {
    /// The file of settings; without it, config.toml in the working directory if there is one
    #[arg(long, short, env = "ROLLCALL_CONFIG", global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Sets one key of the settings, such as server.listen=127.0.0.1:9000; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 failed, 2 usage, 69 a dependency is unavailable, 74 input or \
                          output, 78 settings.\nThe settings are explained in the shipped config.toml.";

#[derive(Subcommand)]
enum Command {
    /// Receives webhooks and answers look-ups, until SIGTERM or SIGINT; the default
    Serve,
    /// Posts recorded payloads to a running target, signed as Smooch does
    Replay(replay::Args),
    /// Prints a JWT signed with a key of an app
    Token(token::Args),
    /// Names every problem of the settings
    CheckConfig,
    /// Looks at what came in, and sends it again
    #[command(subcommand)]
    Journal(journal::Command),
    /// Looks at bodies that could not be used, uses them after all, or gives them up
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Prints what comes in, as it comes
    Tail(tail::Args),
    /// Writes the directory as lines of JSON, for another rollcall, or as a table
    Export(export::Args),
    /// Takes in what an export, or any list, tells of app users
    Import(import::Args),
    /// Compares the directory with what the journal says, and puts right what differs
    Rebuild(rebuild::Args),
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let loaded = Settings::load(cli.config.as_deref(), &cli.set);
    if let Some(Command::CheckConfig) = cli.command {
        return check_config::run(&loaded);
    }
    let settings = match loaded {
        Ok(settings) => settings,
        Err(problems) => return refuse(&problems),
    };
    let ran = match cli.command {
        None | Some(Command::Serve | Command::CheckConfig) => return run_service(&settings),
        Some(Command::Replay(args)) => block_on(replay::run(&args, &settings)),
        Some(Command::Token(args)) => token::run(&args, &settings).map(|()| ExitCode::SUCCESS),
        Some(Command::Journal(command)) => block_on(journal::run(&command, &settings)),
        Some(Command::Quarantine(command)) => block_on(quarantine::run(&command, &settings)),
        Some(Command::Tail(args)) => block_on(tail::run(&args, &settings)),
        Some(Command::Export(args)) => export::run(&args, &settings),
        Some(Command::Import(args)) => block_on(import::run(&args, &settings)),
        Some(Command::Rebuild(args)) => block_on(rebuild::run(&args, &settings)),
    };
    ran.unwrap_or_else(|error| command::failed(&error))
}

fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    serve::block_on(command)?
}

fn run_service(settings: &Settings) -> ExitCode {
    log::start(&settings.log);
    let ended = serve::block_on(serve::run(settings)).flatten();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit_code()
        }
    }
}

fn refuse(problems: &Problems) -> ExitCode {
    eprint!("{problems}");
    ExitCode::from(check_config::SETTINGS_ARE_WRONG)
}
