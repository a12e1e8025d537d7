//! Wiring: which backend stands behind which port, and what runs in the background.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use peerd_api::{About, ApiServer, Scrape};
use peerd_console::Setup;
use peerd_core::{Clock, Time};
use peerd_identity::{EcdsaVerifier, LiveIdentity, OsRng};
use peerd_mpx::{Mpx, Runtime};
use peerd_node::{Node, Ports, Settings};
use peerd_store::embedded::Options;
use peerd_store::{Blobs, Depot, DepotOptions, Embedded, S3, Store};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::config::{self, Config, Protection};
use crate::daemon::{Close, Parts};
use crate::metrics::{self, Commits, Metered};
use crate::reload::Reload;
use crate::tasks::Tasks;
use crate::{admin_token, tls};

/// The MPX protocol versions of this program.
const PROTOCOL_VERSIONS: [u32; 1] = [1];
/// How often work that nothing announces is looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Builds everything behind the listeners and starts it.
pub(crate) async fn wire(parts: Parts<'_>) -> anyhow::Result<Close> {
    // What the operator has to provide is looked at first: without it nothing is opened.
    let protected = Protected {
        tls: tls_of(parts.config, &parts.reload)?,
        scrape_token: metrics::token(parts.config)?,
    };
    let store = open_store(&parts.config.store).await?;
    match build(parts, protected, Arc::clone(&store)).await {
        Ok(()) => Ok(async move {
            store.close().await;
            Ok(())
        }
        .boxed()),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

async fn open_store(config: &config::Store) -> anyhow::Result<Arc<dyn Store>> {
    let config::Store::Embedded { path, cache_bytes } = config.clone();
    let options = Options {
        cache_bytes,
        ..Options::default()
    };
    let opening = tokio::task::spawn_blocking(move || Embedded::open(&path, &options));
    Ok(Arc::new(opening.await?.context("the store could not be opened")?))
}

/// Opens the store of content.
pub(crate) async fn open_blobs(config: &config::Blobs) -> anyhow::Result<Arc<dyn Blobs>> {
    let config::Blobs {
        path,
        bytes_max,
        service,
    } = config.clone();
    let options = DepotOptions { bytes_max };
    let s3 = service.map(service_of).transpose()?;
    let opening = tokio::task::spawn_blocking(move || match s3 {
        Some(s3) => Depot::s3(&path, &options, s3),
        None => Depot::local(&path, &options),
    });
    Ok(Arc::new(
        opening
            .await?
            .context("the store of content could not be opened")?,
    ))
}

/// The service, with the access key if a file has it.
fn service_of(service: config::Service) -> anyhow::Result<S3> {
    let config::Service {
        bucket,
        prefix,
        endpoint,
        region,
        access_key_file,
    } = service;
    let access_key = access_key_file.map(|file| {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let pair = text.trim().split_once(':');
        let (id, secret) = pair.with_context(|| format!("{}: not id:secret", file.display()))?;
        anyhow::Ok((id.to_owned(), secret.to_owned()))
    });
    Ok(S3 {
        bucket,
        prefix,
        endpoint,
        region,
        access_key: access_key.transpose()?,
    })
}

/// What protects the operator port.
struct Protected {
    tls: Option<Arc<rustls::ServerConfig>>,
    scrape_token: Option<Zeroizing<String>>,
}

async fn build(parts: Parts<'_>, protected: Protected, store: Arc<dyn Store>) -> anyhow::Result<()> {
    let Parts {
        config,
        identity,
        clock,
        listeners,
        tasks,
        reload: _,
    } = parts;
    let commits = Arc::new(Commits::default());
    let store: Arc<dyn Store> = Arc::new(Metered::new(store, Arc::clone(&commits)));
    let leaf = Arc::new(LiveIdentity::new(identity, clock.now())?);
    let stands_on = Ports {
        store,
        blobs: open_blobs(&config.blobs).await?,
        clock: Arc::clone(&clock),
        rng: Arc::new(OsRng),
        identity: Arc::clone(&leaf) as Arc<_>,
        verifier: Arc::new(EcdsaVerifier),
    };
    let node = Node::open(stands_on, settings(config, listeners.mpx.local_addr()?)).await?;
    node.settle_restore().await?;
    first_start(config, &node).await?;

    let (leaf_expires_at, expiry) = watch::channel(leaf.expires_at());
    background(tasks, &node, &clock, Arc::clone(&leaf), leaf_expires_at);
    let limits = peerd_mpx::Limits {
        connections_max: config.limits.connections_max as usize,
        connections_per_source_max: config.limits.connections_per_source_max as usize,
        handshakes_max: config.limits.handshakes_in_flight_max as usize,
        handshake_timeout: config.limits.handshake_timeout,
        ..peerd_mpx::Limits::default()
    };
    let runtime = Runtime {
        node: Arc::clone(&node),
        leaf,
        clock: Arc::clone(&clock),
        limits,
        tasks: tasks.tracker().clone(),
        soft: tasks.soft().clone(),
        hard: tasks.hard().clone(),
    };
    Mpx::start(runtime, listeners.mpx)?;
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        protocol_versions: PROTOCOL_VERSIONS.to_vec(),
        started_at: clock.now(),
        leaf_expires_at: expiry,
    };
    let Protected { tls, scrape_token } = protected;
    let scrape = scrape_token.map(|token| {
        let (started_at, leaf) = (about.started_at, about.leaf_expires_at.clone());
        metrics::scrape(&token, config, &node, &commits, started_at, leaf)
    });
    serve_api(config, tasks, (node, about), (tls, scrape), listeners.api).await
}

fn settings(config: &Config, bound: std::net::SocketAddr) -> Settings {
    let mut addresses: Vec<String> = config.mpx.advertise.iter().map(ToString::to_string).collect();
    // Where one address is listened on, that is where others can dial; where all are, an operator must say which.
    if addresses.is_empty() && !bound.ip().is_unspecified() {
        addresses.push(bound.to_string());
    }
    Settings {
        name: config.enrollment.name.to_string(),
        addresses,
        second_person: config.policy.second_person,
        clock_skew_max: config.limits.clock_skew_max,
        heartbeat_interval: config.limits.heartbeat_interval,
        silence_max: config.limits.silence_max,
        tombstone_age_min: config.limits.tombstone_age_min,
        content_age_min: config.limits.content_age_min,
    }
}

/// What `peerd init` left for the first start: the admin's token and the platform title.
async fn first_start(config: &Config, node: &Node) -> anyhow::Result<()> {
    if let Some(token) = admin_token::read(&config.data_dir)? {
        node.bootstrap_admin(&token).await?;
    }
    if let Some(title) = &config.enrollment.initial_title {
        node.set_initial_title(title).await?;
    }
    Ok(())
}

/// Work that goes on by itself.
fn background(
    tasks: &Tasks,
    node: &Arc<Node>,
    clock: &Arc<dyn Clock>,
    leaf: Arc<LiveIdentity>,
    leaf_expires_at: watch::Sender<Time>,
) {
    let policies = Arc::clone(node);
    let soft = tasks.soft().clone();
    tasks.spawn("policy clock", async move {
        soft.run_until_cancelled(policies.run_policy_clock()).await;
        Ok(())
    });
    let removing = Arc::clone(node);
    let soft = tasks.soft().clone();
    tasks.spawn("import removal", async move {
        soft.run_until_cancelled(removing.remove_imports()).await;
        Ok(())
    });
    let recording = Arc::clone(node);
    let soft = tasks.soft().clone();
    tasks.spawn("job records", async move {
        soft.run_until_cancelled(recording.keep_job_records()).await;
        // What still runs says how far it came.
        if let Err(error) = recording.record_jobs().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "jobs not recorded");
        }
        Ok(())
    });
    let collecting = Arc::clone(node);
    let soft = tasks.soft().clone();
    tasks.spawn("tombstone collection", async move {
        soft.run_until_cancelled(collecting.keep_collecting()).await;
        Ok(())
    });
    let doubting = Arc::clone(node);
    let soft = tasks.soft().clone();
    tasks.spawn("restored imports", async move {
        soft.run_until_cancelled(doubting.keep_settling_doubts()).await;
        Ok(())
    });
    let removing = Arc::clone(node);
    let soft = tasks.soft().clone();
    tasks.spawn("content removal", async move {
        soft.run_until_cancelled(removing.keep_removing_content()).await;
        Ok(())
    });
    let expiring = Arc::clone(node);
    sweep(tasks, "connection expiry", move || {
        let node = Arc::clone(&expiring);
        async move { Ok(node.expire_connections().await?) }.boxed()
    });
    let clock = Arc::clone(clock);
    sweep(tasks, "leaf renewal", move || {
        let renewed = renew_leaf(&leaf, clock.now(), &leaf_expires_at);
        std::future::ready(renewed).boxed()
    });
}

/// Issues a new leaf certificate when the one in use is half over. Live streams keep the one they began with.
fn renew_leaf(leaf: &LiveIdentity, now: Time, expires_at: &watch::Sender<Time>) -> anyhow::Result<()> {
    if leaf.renew_due(now) <= now {
        leaf.renew(now)?;
        tracing::info!(expires = %leaf.expires_at(), "leaf certificate renewed");
    }
    // A replaced identity came with a leaf of its own.
    expires_at.send_if_modified(|known| std::mem::replace(known, leaf.expires_at()) != leaf.expires_at());
    Ok(())
}

/// Runs a piece of work again and again until the daemon stops. What fails is logged and tried again.
fn sweep(
    tasks: &Tasks,
    name: &'static str,
    work: impl Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + 'static,
) {
    let soft = tasks.soft().clone();
    tasks.spawn(name, async move {
        let mut interval = tokio::time::interval(SWEEP);
        while soft.run_until_cancelled(interval.tick()).await.is_some() {
            if let Err(error) = work().await {
                tracing::warn!(
                    work = name,
                    error = format!("{error:#}"),
                    "background work failed"
                );
            }
        }
        Ok(())
    });
}

/// How the operator API is protected; its certificate may change.
fn tls_of(config: &Config, reload: &Reload) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
    let Protection::Tls {
        certificate_file,
        key_file,
    } = &config.api.protection
    else {
        return Ok(None);
    };
    reload.certify(tls::certificate(certificate_file, key_file)?);
    Ok(Some(tls::config(reload.resolver())?))
}

async fn serve_api(
    config: &Config,
    tasks: &Tasks,
    (node, about): (Arc<Node>, About),
    (tls, scrape): (Option<Arc<rustls::ServerConfig>>, Option<Scrape>),
    listener: tokio::net::TcpListener,
) -> anyhow::Result<()> {
    let is_tls = tls.is_some();
    let leaf_expires_at = about.leaf_expires_at.clone();
    let limits = peerd_api::Limits::default();
    let (api, readiness) = ApiServer::new(Arc::clone(&node), about, limits, tls).await;
    let pages = if config.console.enabled {
        peerd_console::router(Setup {
            node,
            entrance: api.entrance(),
            rng: Arc::new(OsRng),
            about: peerd_console::About {
                version: env!("CARGO_PKG_VERSION"),
                leaf_expires_at,
            },
            upload_bytes_max: config.console.upload_bytes_max,
            secure: is_tls || !listener.local_addr()?.ip().is_loopback(),
            stopping: api.stopping(),
        })
    } else {
        peerd_console::switched_off()
    };
    let api = api.beside(pages).measured(scrape);
    let soft = tasks.soft().clone();
    let stopping = readiness.clone();
    tasks.spawn("operator api", async move {
        let shutdown = async move {
            soft.cancelled().await;
            stopping.set(false).await;
        };
        Ok(api.serve(listener, shutdown).await?)
    });
    readiness.set(true).await;
    Ok(())
}
