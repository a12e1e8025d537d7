//! A network of a given delay: bytes go through as they are, each way so much later.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How many pieces are under way in one direction.
const PIECES_MAX: usize = 1_024;
/// The largest piece, in bytes.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// A way to an address; it ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    bytes: Arc<AtomicU64>,
    _guard: DropGuard,
}

impl Proxy {
    /// A way to `target` on which every byte takes `delay`, each way.
    pub async fn start(target: SocketAddr, delay: Duration) -> anyhow::Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, end) = (listener.local_addr()?, CancellationToken::new());
        let (tasks, ended) = (TaskTracker::new(), end.clone());
        let bytes = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&bytes);
        tasks.clone().spawn(async move {
            while let Some(Ok((near, _))) = ended.run_until_cancelled(listener.accept()).await {
                let (ended, count) = (ended.clone(), Arc::clone(&count));
                // A connection that fails looks to both ends as on any network.
                tasks
                    .spawn(async move { ended.run_until_cancelled(join(near, target, delay, &count)).await });
            }
        });
        Ok(Proxy {
            address,
            bytes,
            _guard: end.drop_guard(),
        })
    }

    /// How many bytes have come to it, both ways together.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

async fn join(
    near: TcpStream,
    target: SocketAddr,
    delay: Duration,
    count: &AtomicU64,
) -> std::io::Result<()> {
    let far = TcpStream::connect(target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
    tokio::try_join!(
        carry(from_near, to_far, delay, count),
        carry(from_far, to_near, delay, count)
    )?;
    Ok(())
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    count: &AtomicU64,
) -> std::io::Result<()> {
    let (pieces, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let read = async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES_MAX);
            let read = from.read_buf(&mut piece).await?;
            count.fetch_add(read as u64, Ordering::Relaxed);
            if read == 0 || pieces.send((Instant::now() + delay, piece)).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((at, piece)) = due.recv().await {
            if !delay.is_zero() {
                sleep_until(at).await;
            }
            to.write_all(&piece).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write)?;
    Ok(())
}
