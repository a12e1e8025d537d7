//! The command line of `peerd`.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use peerd_core::link::Address;
use peerd_core::name::{Name, Title};
use peerd_identity::OsRng;

use crate::clock::SystemClock;
use crate::config::{self, Config, Format, Log, RawApi, RawConfig, RawEnrollment, RawMpx};
use crate::daemon::Daemon;
use crate::health;
use crate::listeners::Listeners;
use crate::reload::Reload;
use crate::{admin_token, carry, demo, init, lifecycle, logging};

mod backup;
mod reach;

use backup::{BackupArgs, RestoreArgs};
use reach::Reach;

/// Runs a peerd enrollment.
#[derive(Debug, Parser)]
#[command(name = "peerd", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new enrollment: its configuration, its identity and the token of its first admin
    Init(InitArgs),
    /// Serve, until SIGTERM or SIGINT
    Run(ConfigArgs),
    /// Show the whole story with two enrollments in one process
    Demo(DemoArgs),
    /// Look at the configuration that `run` would use
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask a running daemon whether it serves
    Health(Reach),
    /// Write everything a running daemon keeps into one file
    Backup(BackupArgs),
    /// Make a data directory of a backup
    Restore(RestoreArgs),
    /// What belongs to data relays and needs no daemon
    #[command(subcommand)]
    Relay(RelayCommand),
}

#[derive(Debug, Subcommand)]
enum RelayCommand {
    /// Carry bundles from an outbox to an inbox, as badly as asked: for demonstrations and tests
    Carry(carry::CarryArgs),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether it is valid
    Check(ConfigArgs),
    /// Print all of it as TOML
    Print(ConfigArgs),
}

#[derive(Debug, Args)]
struct InitArgs {
    /// The directory; made if need be, and closed to other users
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The name of the enrollment
    #[arg(long)]
    name: Name,
    /// The platform title that operators of other enrollments see
    #[arg(long)]
    title: Option<Title>,
    /// Where to listen for other enrollments
    #[arg(long, value_name = "ADDR")]
    listen_mpx: Option<SocketAddr>,
    /// Where to listen for operators
    #[arg(long, value_name = "ADDR")]
    listen_api: Option<SocketAddr>,
    /// Where other enrollments should dial; repeatable
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Vec<Address>,
    /// The certificate chain of the operator API, PEM
    #[arg(long, value_name = "FILE")]
    tls_certificate_file: Option<PathBuf>,
    /// The private key of the operator API, PEM
    #[arg(long, value_name = "FILE")]
    tls_key_file: Option<PathBuf>,
    /// Let operators' tokens cross a network in the clear
    #[arg(long)]
    danger_plaintext: bool,
}

/// Which configuration.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The directory of the enrollment, with its peerd.toml
    #[arg(
        long,
        value_name = "DIR",
        env = "PEERD_DATA_DIR",
        required_unless_present = "config"
    )]
    data_dir: Option<PathBuf>,
    /// The configuration file, when it is elsewhere
    #[arg(long, value_name = "FILE", env = "PEERD_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen for other enrollments instead
    #[arg(long, value_name = "ADDR")]
    listen_mpx: Option<SocketAddr>,
    /// Where to listen for operators instead
    #[arg(long, value_name = "ADDR")]
    listen_api: Option<SocketAddr>,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Where to keep both enrollments; by default a temporary directory that goes with the demo
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// End after the story instead of serving on
    #[arg(long)]
    exit: bool,
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Init(args) => args.run(),
            Command::Run(args) => args.serve(),
            Command::Demo(DemoArgs { dir, exit }) => {
                drop(logging::start(&Log {
                    format: Format::Human,
                    filter: "warn".to_owned(),
                })?);
                blocking(demo::run(dir, exit))
            }
            Command::Config(ConfigCommand::Check(args)) => {
                args.load()?;
                say("the configuration is valid\n")
            }
            Command::Config(ConfigCommand::Print(args)) => say(&args.load()?.to_toml()?),
            Command::Health(reach) => {
                let target = reach.target()?;
                alone(health::check(target))?;
                say("serving\n")
            }
            Command::Backup(args) => args.run(),
            Command::Restore(args) => args.run(),
            Command::Relay(RelayCommand::Carry(args)) => args.run(),
        }
    }
}

impl InitArgs {
    fn run(self) -> anyhow::Result<()> {
        // Files do not move when the daemon is started from elsewhere.
        let absolute = |path: Option<PathBuf>| path.map(std::path::absolute).transpose();
        let dir = std::path::absolute(&self.data_dir)?;
        let config = RawConfig {
            enrollment: RawEnrollment {
                name: Some(self.name),
                initial_title: self.title,
            },
            mpx: RawMpx {
                listen: self.listen_mpx,
                advertise: (!self.advertise.is_empty()).then_some(self.advertise),
            },
            api: RawApi {
                listen: self.listen_api,
                tls_certificate_file: absolute(self.tls_certificate_file)?,
                tls_key_file: absolute(self.tls_key_file)?,
                danger_plaintext: self.danger_plaintext.then_some(true),
            },
            ..RawConfig::default()
        };
        let enrollment = init::init(&dir, config, &SystemClock::default(), &OsRng)?;
        say(&format!(
            "enrollment     {enrollment}\nconfiguration  {}\nadmin token    {}\n",
            dir.join(config::FILE).display(),
            dir.join(admin_token::FILE).display(),
        ))
    }
}

impl ConfigArgs {
    /// Runs the daemon until it is told to stop.
    fn serve(self) -> anyhow::Result<()> {
        let config = self.load()?;
        let reload = Reload::new(logging::start(&config.log)?);
        blocking(async {
            let (signals, hangups) = (lifecycle::signals()?, lifecycle::hangups()?);
            let listeners = Listeners::bind(&config).await?;
            let daemon = Daemon::start_reloadable(&config, listeners, reload).await?;
            daemon.announce();
            lifecycle::until_stopped(daemon, signals, hangups, || self.load()).await
        })
    }

    fn load(&self) -> anyhow::Result<Config> {
        let file = match (&self.config, &self.data_dir) {
            (Some(file), _) => file.clone(),
            (None, Some(dir)) => dir.join(config::FILE),
            (None, None) => anyhow::bail!("neither a data directory nor a configuration file is given"),
        };
        let flags = RawConfig {
            data_dir: self.data_dir.clone(),
            mpx: RawMpx {
                listen: self.listen_mpx,
                ..RawMpx::default()
            },
            api: RawApi {
                listen: self.listen_api,
                ..RawApi::default()
            },
            ..RawConfig::default()
        };
        load(&file, flags)
    }
}

fn load(file: &std::path::Path, flags: RawConfig) -> anyhow::Result<Config> {
    let variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    Ok(Config::load(file, variables, flags, &std::env::current_dir()?)?)
}

pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// Runs a client's work to its end.
fn alone<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// Runs a daemon's work to its end. A thread that still blocks then does not hold up the exit.
fn blocking(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}
