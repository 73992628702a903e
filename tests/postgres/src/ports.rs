//! Ports and names that nobody else has.

use std::{
    fs::File,
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use crate::wait;

/// Below the ports that systems give to outgoing connections, so that a server that was stopped finds its own free when
/// it comes back.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// This port of this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A port that was free a moment ago. Somebody else may take it before it is used: try again with another one then.
pub(crate) fn free_port() -> u16 {
    listener().local_addr().unwrap().port()
}

/// A listener on a free port.
pub(crate) fn listener() -> TcpListener {
    wait::until_some(|| {
        let port = FIRST + u16::from_be_bytes(random()) % COUNT;
        TcpListener::bind(local(port)).ok()
    })
    .expect("there is no free port")
}

/// Twelve random letters and digits.
pub(crate) fn unique() -> String {
    hex(&random::<6>())
}

/// A password nobody guesses.
pub(crate) fn password() -> String {
    hex(&random::<16>())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .expect("`/dev/urandom` gives no random bytes");
    bytes
}
