//! A network between a client and a server that fails on demand.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use crate::{ports, url::Url, wait};

/// Forwards connections to a server. It is gone, with its connections, when this is dropped.
///
/// ```
/// use gatelodge_postgres::{Database, Proxy, run_sql};
///
/// let database = Database::new();
/// let proxy = Proxy::start(database.address());
/// let url = proxy.url(&database.url());
/// assert_eq!(run_sql(&url, "SELECT 1").unwrap(), "1");
/// proxy.cut();
/// assert!(run_sql(&url, "SELECT 1").is_err());
/// ```
#[derive(Debug)]
pub struct Proxy {
    wire: Arc<Wire>,
    port: u16,
    /// The thread that accepts connections; none while they are refused.
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

/// What happens to bytes and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Good,
    Hanging,
    Cut,
}

/// What the threads of a proxy share.
#[derive(Debug)]
struct Wire {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    condition: Condition,
    /// Client and server of each connection.
    connections: HashMap<u64, [TcpStream; 2]>,
    made: u64,
}

impl Proxy {
    /// Starts one in front of a server.
    pub fn start(target: SocketAddr) -> Self {
        let listener = ports::listener();
        let state = State {
            condition: Condition::Good,
            connections: HashMap::new(),
            made: 0,
        };
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            wire: Arc::new(Wire {
                target,
                state: Mutex::new(state),
                changed: Condvar::new(),
            }),
            acceptor: Mutex::new(None),
        };
        *hold(&proxy.acceptor) = Some(proxy.wire.clone().accept_from(listener));
        proxy
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database, led through the proxy.
    pub fn url(&self, of: &str) -> String {
        Url::of(of).through(self.port).to_string()
    }

    /// Closes all connections and refuses new ones.
    pub fn cut(&self) {
        let mut acceptor = hold(&self.acceptor);
        self.wire.become_(Condition::Cut);
        self.wire.close_all();
        if let Some(thread) = acceptor.take() {
            // It waits for a connection: here is one.
            TcpStream::connect(ports::local(self.port)).ok();
            thread.join().unwrap();
        }
    }

    /// Stops forwarding. Connections stay open, and new ones are accepted, but nothing arrives.
    pub fn hang(&self) {
        self.wire.become_(Condition::Hanging);
        self.listen();
    }

    /// Makes the network good again. What hung arrives now.
    pub fn restore(&self) {
        self.wire.become_(Condition::Good);
        self.listen();
    }

    /// Closes the connections that there are; new ones are accepted.
    pub fn kill_connections(&self) {
        self.wire.close_all();
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        hold(&self.wire.state).connections.len()
    }

    fn listen(&self) {
        let mut acceptor = hold(&self.acceptor);
        if acceptor.is_none() {
            let listener = wait::until_some(|| TcpListener::bind(ports::local(self.port)).ok());
            let listener = listener.expect("somebody took the port of the proxy");
            *acceptor = Some(self.wire.clone().accept_from(listener));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Wire {
    fn become_(&self, condition: Condition) {
        hold(&self.state).condition = condition;
        self.changed.notify_all();
    }

    fn close_all(&self) {
        for (_, ends) in hold(&self.state).connections.drain() {
            close(&ends);
        }
        self.changed.notify_all();
    }

    /// Takes connections until the wire is cut.
    fn accept_from(self: Arc<Self>, listener: TcpListener) -> JoinHandle<()> {
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if hold(&self.state).condition == Condition::Cut {
                    return;
                }
                let wire = self.clone();
                thread::spawn(move || wire.connect(client));
            }
        })
    }

    /// Leads a client to the server, until one of them leaves.
    fn connect(self: Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.target) else {
            return;
        };
        client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();
        let ends = [&client, &server].map(|end| end.try_clone().unwrap());
        let id = {
            let mut state = hold(&self.state);
            if state.condition == Condition::Cut {
                return;
            }
            state.made += 1;
            let id = state.made;
            state.connections.insert(id, ends);
            id
        };
        let back = [&server, &client].map(|end| end.try_clone().unwrap());
        let wire = self.clone();
        thread::spawn(move || wire.forward(id, back));
        self.forward(id, [client, server]);
    }

    /// Carries what one end says to the other.
    fn forward(&self, id: u64, [mut from, mut to]: [TcpStream; 2]) {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let count = from.read(&mut bytes).unwrap_or(0);
            self.wait_while_hanging(id);
            let said = bytes.get(..count).unwrap_or_default();
            if said.is_empty() || to.write_all(said).is_err() {
                break;
            }
        }
        hold(&self.state).connections.remove(&id);
        close(&[from, to]);
    }

    fn wait_while_hanging(&self, id: u64) {
        let state = hold(&self.state);
        let hangs = |state: &mut State| {
            state.condition == Condition::Hanging && state.connections.contains_key(&id)
        };
        drop(self.changed.wait_while(state, hangs));
    }
}

fn close(ends: &[TcpStream]) {
    for end in ends {
        end.shutdown(Shutdown::Both).ok();
    }
}

/// A thread that panicked left nothing half done here.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
