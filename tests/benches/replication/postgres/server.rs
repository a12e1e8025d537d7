//! A server of its own, in a temporary directory.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use peerd_tests::bench::cpu;
use peerd_tests::bench::operator::eventually;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

const DATABASE: &str = "bench";
const USER: &str = "postgres";
/// Where packages of Debian put them.
const USUAL: &str = "/usr/lib/postgresql/15/bin";
/// How long an orderly end may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is not as it comes: what replication needs, TLS, room enough that checkpoints do not come in the middle, and no
/// wait before a worker starts again.
const SETTINGS: &str = "
wal_level = logical
synchronous_commit = on
fsync = on
full_page_writes = on
max_wal_size = 8GB
checkpoint_timeout = 30min
wal_retrieve_retry_interval = 100ms
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
listen_addresses = '127.0.0.1'
logging_collector = off
";
const HBA: &str = "
local all all trust
hostssl all all 127.0.0.1/32 trust
";

/// The directory of PostgreSQL's programs, if there is one.
pub(crate) fn installed() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.and_then(|output| String::from_utf8(output.stdout).ok());
    let places = told.map(|dir| PathBuf::from(dir.trim()));
    places.into_iter().chain([PathBuf::from(USUAL)]).find(|dir| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|name| dir.join(name).exists())
    })
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    programs: PathBuf,
    dir: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    pub(crate) async fn start(programs: &Path) -> anyhow::Result<Server> {
        let dir = tempfile::tempdir()?;
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(dir.path(), Some(user), Some(group))?;
        }
        let data = dir.path().join("data");
        let mut init = as_owner(owner, &programs.join("initdb"));
        init.arg("--pgdata")
            .arg(&data)
            .args(["--username", USER, "--encoding", "UTF8", "--locale", "C"]);
        let init = init.args(["--auth", "trust"]).output()?;
        ensure!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut settings = fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))?;
        writeln!(
            settings,
            "{SETTINGS}port = {port}\nunix_socket_directories = '{}'",
            dir.path().display()
        )?;
        fs::write(data.join("pg_hba.conf"), HBA)?;
        certify(&data, owner)?;
        let child = as_owner(owner, &programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            // As a client of the other server it would look for certificates in the home of who runs this.
            .env("HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log"))?)
            .spawn()?;
        let server = Server {
            programs: programs.to_owned(),
            dir,
            port,
            child,
        };
        eventually("a PostgreSQL server", async || {
            Ok(server.connect_to(USER).await.is_ok())
        })
        .await?;
        let client = server.connect_to(USER).await?;
        client
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await?;
        Ok(server)
    }

    /// A client of its own, through the socket.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        self.connect_to(DATABASE).await
    }

    async fn connect_to(&self, database: &str) -> anyhow::Result<Client> {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(self.dir.path())
            .port(self.port)
            .user(USER)
            .dbname(database)
            .connect(NoTls)
            .await?;
        // It ends with the client.
        tokio_util::task::TaskTracker::new().spawn(connection);
        Ok(client)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How another server reaches this one by a port.
    pub(crate) fn address_by(port: u16) -> String {
        format!("host=127.0.0.1 port={port} user={USER} dbname={DATABASE} sslmode=require")
    }

    /// Runs the statements of a file with `psql`.
    pub(crate) async fn run(&self, script: &Path) -> anyhow::Result<()> {
        let output = tokio::process::Command::new(self.programs.join("psql"))
            .args([
                "--quiet",
                "--no-psqlrc",
                "--set",
                "ON_ERROR_STOP=1",
                "--username",
                USER,
            ])
            .args(["--dbname", DATABASE, "--port", &self.port.to_string(), "--host"])
            .arg(self.dir.path())
            .arg("--file")
            .arg(script)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// The CPU time of all its processes, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu::of_family(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // An immediate shutdown: the data is of no use any more, but every process shall end.
        let told = pid.map(|pid| rustix::process::kill_process(pid, Signal::QUIT));
        let began = std::time::Instant::now();
        while told == Some(Ok(())) && began.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The user and group to run as, when this process is root, which PostgreSQL refuses.
fn owner() -> anyhow::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let id = |flag: &str| -> anyhow::Result<u32> {
        let output = Command::new("id").args([flag, USER]).output()?;
        ensure!(
            output.status.success(),
            "as root it needs a user `{USER}` to run as"
        );
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    Ok(Some((id("--user")?, id("--group")?)))
}

fn as_owner(owner: Option<(u32, u32)>, program: &Path) -> Command {
    let Some((user, group)) = owner else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .args(["--clear-groups", "--pdeathsig=QUIT"])
        .arg(program)
        .current_dir("/");
    command
}

fn certify(data: &Path, owner: Option<(u32, u32)>) -> anyhow::Result<()> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).context("a certificate")?;
    let (certificate, key) = (data.join("server.crt"), data.join("server.key"));
    fs::write(&certificate, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    if let Some((user, group)) = owner {
        chown(&certificate, Some(user), Some(group))?;
        chown(&key, Some(user), Some(group))?;
    }
    Ok(())
}
