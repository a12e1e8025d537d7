//! A network that fails: bytes go through until a connection has had its share, then both ends lose it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::chance::Chance;

/// The smallest and the largest share of a connection, in bytes: less than a handshake, and several loads.
const SHARE: (u64, u64) = (1 << 10, 1 << 16);
/// How much is carried at once.
const PIECE_BYTES: usize = 16 << 10;
/// How long a connection to the daemon behind may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A way to a daemon, which fails as chance has it until it is healed.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    healed: AtomicBool,
    over: AtomicBool,
    chance: Mutex<Chance>,
    cuts: AtomicU64,
}

impl Proxy {
    /// A way to `target`.
    pub(crate) fn start(target: SocketAddr, chance: Chance) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            healed: AtomicBool::new(false),
            over: AtomicBool::new(false),
            chance: Mutex::new(chance),
            cuts: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if shared.over.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&shared);
                std::thread::spawn(move || join(&near, target, &state));
            }
        });
        Proxy { address, state }
    }

    /// From now on connections last, also those that are there.
    pub(crate) fn heal(&self) {
        self.state.healed.store(true, Ordering::Relaxed);
    }

    /// How many connections it cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        // The listener waits; whoever comes next ends it.
        let _ = TcpStream::connect(self.address);
    }
}

fn join(near: &TcpStream, target: SocketAddr, state: &Arc<State>) {
    let Ok(far) = TcpStream::connect_timeout(&target, CONNECT_MAX) else {
        return;
    };
    let (from, to) = SHARE;
    let share = state
        .chance
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .between(from, to);
    let left = Arc::new(AtomicU64::new(share));
    let mut ways = Vec::new();
    for (from, to) in [(near, &far), (&far, near)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
            return;
        };
        let (state, left) = (Arc::clone(state), Arc::clone(&left));
        ways.push(std::thread::spawn(move || carry(from, to, &left, &state)));
    }
    for way in ways {
        let _ = way.join();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, state: &State) {
    let mut piece = vec![0; PIECE_BYTES];
    // A connection that fails looks to both ends as on any network.
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let share = u64::try_from(read).expect("small");
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(share)
        });
        if taken.is_err() && !state.healed.load(Ordering::Relaxed) {
            state.cuts.fetch_add(1, Ordering::Relaxed);
            break;
        }
        if to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    for end in [&from, &to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}
