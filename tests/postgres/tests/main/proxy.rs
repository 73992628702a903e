use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use gatelodge_postgres::{Database, Proxy, run_sql};

use crate::session::until;

/// A server that says back what it hears.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut back = stream.try_clone().unwrap();
                std::io::copy(&mut &stream, &mut back).ok();
            });
        }
    });
    address
}

fn client(proxy: &Proxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap()
}

/// Says a byte; answers whether it comes back. `None` if nothing comes for a while.
fn comes_back(client: &mut TcpStream, byte: u8) -> Option<bool> {
    if client.write_all(&[byte]).is_err() {
        return Some(false);
    }
    hears(client, byte)
}

fn hears(client: &mut TcpStream, byte: u8) -> Option<bool> {
    client
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut answer = [0];
    match client.read(&mut answer) {
        Ok(count) => Some(count == 1 && answer[0] == byte),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        Err(_) => Some(false),
    }
}

#[test]
fn a_cut_network_ends_connections_and_refuses_new_ones_until_it_is_good_again() {
    let proxy = Proxy::start(echo());
    let mut old = client(&proxy);
    assert_eq!(comes_back(&mut old, 1), Some(true));
    proxy.cut();
    assert_eq!(comes_back(&mut old, 2), Some(false));
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.cut();
    proxy.restore();
    assert_eq!(comes_back(&mut client(&proxy), 3), Some(true));
}

#[test]
fn in_a_network_that_hangs_nothing_arrives_until_it_is_good_again() {
    let proxy = Proxy::start(echo());
    let mut old = client(&proxy);
    assert_eq!(comes_back(&mut old, 1), Some(true));
    proxy.hang();
    let mut new = client(&proxy);
    assert_eq!(comes_back(&mut old, 2), None);
    assert_eq!(comes_back(&mut new, 3), None);
    proxy.restore();
    assert_eq!(hears(&mut old, 2), Some(true));
    assert_eq!(hears(&mut new, 3), Some(true));
}

#[test]
fn killed_connections_are_closed_and_new_ones_work() {
    let proxy = Proxy::start(echo());
    let mut old = client(&proxy);
    assert_eq!(comes_back(&mut old, 1), Some(true));
    proxy.kill_connections();
    assert_eq!(comes_back(&mut old, 2), Some(false));
    assert_eq!(comes_back(&mut client(&proxy), 3), Some(true));
}

#[test]
fn connections_that_hang_can_be_killed() {
    let proxy = Proxy::start(echo());
    let mut old = client(&proxy);
    proxy.hang();
    assert_eq!(comes_back(&mut old, 1), None);
    proxy.kill_connections();
    assert_eq!(hears(&mut old, 1), Some(false));
    until("the end of the connection", || proxy.connections() == 0);
}

#[test]
fn who_leaves_is_forgotten() {
    let proxy = Proxy::start(echo());
    let mut guest = client(&proxy);
    assert_eq!(comes_back(&mut guest, 1), Some(true));
    assert_eq!(proxy.connections(), 1);
    drop(guest);
    until("the end of the connection", || proxy.connections() == 0);
}

#[test]
fn a_client_of_a_server_that_is_down_is_sent_away() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let proxy = Proxy::start(nobody.local_addr().unwrap());
    drop(nobody);
    assert_eq!(comes_back(&mut client(&proxy), 1), Some(false));
}

#[test]
fn postgres_is_reached_through_a_proxy() {
    let database = Database::new();
    let proxy = Proxy::start(database.address());
    let url = proxy.url(&database.url());
    assert_ne!(url, database.url());
    assert_eq!(
        run_sql(&url, "SELECT current_database()").unwrap(),
        database.name()
    );
    proxy.cut();
    assert!(run_sql(&url, "SELECT 1").is_err());
    proxy.restore();
    assert_eq!(run_sql(&url, "SELECT 1").unwrap(), "1");
}
