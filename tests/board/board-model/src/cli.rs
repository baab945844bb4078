use crate::control::Request;
use crate::model::Model;
use clap::{Parser, Subcommand};
use mn_cli::{Error, Result};
use std::path::PathBuf;

/// What the process was asked to do.
pub enum Work {
    Serve(ServeOptions),
    Ask { directory: PathBuf, request: Request },
    Console { directory: PathBuf },
    Machine(Model),
    Board(Model),
}

/// How a board is served.
pub struct ServeOptions {
    /// Where the sockets `control` and `console` are.
    pub directory: PathBuf,
    /// Which board it is, and what goes wrong on it.
    pub model: Model,
    /// The descriptor on which readiness is said, by one newline.
    pub ready_fd: Option<u32>,
}

#[derive(Parser)]
#[command(name = "board-model", version, about = "A mustang without hardware and without an emulator")]
struct Cli {
    /// The board's directory [default: $BOARD_MODEL_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Be the board, its power and its console until a signal comes
    Serve {
        #[command(flatten)]
        model: Model,
        /// Write a newline to this descriptor once the sockets are there
        #[arg(long, value_name = "N")]
        ready_fd: Option<u32>,
    },
    /// Switch the power on
    On,
    /// Switch the power off
    Off,
    /// Switch the power off and on
    Reset,
    /// Print whether the power is on
    Status,
    /// Join standard input and output with the console
    Console,
    /// The powered board: its namespaces and its cable
    #[command(hide = true)]
    Machine(Model),
    /// The board's processor: process 1 in those namespaces
    #[command(hide = true)]
    Board(Model),
}

/// Reads the command line and BOARD_MODEL_DIR.
pub fn read() -> Result<Work> {
    let cli: Cli = mn_cli::options()?;
    let directory = cli.dir.or_else(|| std::env::var_os("BOARD_MODEL_DIR").map(PathBuf::from));
    let directory = || directory.ok_or_else(|| Error::usage("no directory given: use --dir or set BOARD_MODEL_DIR"));
    let ask = |request, directory| Work::Ask { request, directory };
    Ok(match cli.verb {
        Verb::Serve { model, ready_fd } => Work::Serve(ServeOptions { directory: directory()?, model, ready_fd }),
        Verb::On => ask(Request::On, directory()?),
        Verb::Off => ask(Request::Off, directory()?),
        Verb::Reset => ask(Request::Reset, directory()?),
        Verb::Status => ask(Request::Status, directory()?),
        Verb::Console => Work::Console { directory: directory()? },
        Verb::Machine(model) => Work::Machine(model),
        Verb::Board(model) => Work::Board(model),
    })
}
