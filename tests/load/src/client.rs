//! A client that costs little, since it shares the cores with what it measures: HTTP/1.1 written by hand on connections
//! that are kept.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    ops::Range,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Room for one answer; more is made when one is larger.
const ROOM: usize = 16 * 1024;

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection<Stream> {
    stream: Stream,
    buffer: Vec<u8>,
    filled: usize,
    body: Range<usize>,
}

/// One of a runtime's.
pub(crate) type Async = Connection<tokio::net::TcpStream>;
/// One that a thread waits for.
pub(crate) type Blocking = Connection<std::net::TcpStream>;

impl Async {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::on(stream))
    }

    /// Sends a request; answers the status. The body is in [`Self::body`] until the next one.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        loop {
            if let Some(status) = self.whole()? {
                return Ok(status);
            }
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            self.note(read)?;
        }
    }
}

impl Blocking {
    pub(crate) fn open_blocking(address: SocketAddr) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self::on(stream))
    }

    /// As [`Async::ask`].
    pub(crate) fn ask_blocking(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request)?;
        self.filled = 0;
        loop {
            if let Some(status) = self.whole()? {
                return Ok(status);
            }
            let read = self.stream.read(&mut self.buffer[self.filled..])?;
            self.note(read)?;
        }
    }
}

impl<Stream> Connection<Stream> {
    fn on(stream: Stream) -> Self {
        Self {
            stream,
            buffer: vec![0; ROOM],
            filled: 0,
            body: 0..0,
        }
    }

    /// A header of the last answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(&self.buffer[..self.body.start]).ok()?;
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        &self.buffer[self.body.clone()]
    }

    fn note(&mut self, read: usize) -> io::Result<()> {
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.filled += read;
        Ok(())
    }

    /// The status, once the answer is there as a whole; otherwise there is room for more.
    fn whole(&mut self) -> io::Result<Option<u16>> {
        let head = Head::parse(&self.buffer[..self.filled])?;
        let end = head.as_ref().map_or(0, |head| head.bytes + head.length);
        if self.buffer.len() < end.max(self.filled + 1) {
            self.buffer.resize(end.max(2 * self.buffer.len()), 0);
        }
        Ok(head.filter(|_| self.filled >= end).map(|head| {
            self.body = head.bytes..end;
            head.status
        }))
    }
}

/// What matters of an answer's head.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    length: usize,
}

impl Head {
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let odd = || io::Error::from(ErrorKind::InvalidData);
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| odd())?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|word| word.parse().ok()).ok_or_else(odd)?;
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(Ok(0), |(_, value)| value.trim().parse())
            .map_err(|_| odd())?;
        Ok(Some(Self {
            status,
            bytes: end + 4,
            length,
        }))
    }
}

/// A GET, with a bearer token if there is one.
pub(crate) fn get(host: &str, path: &str, token: Option<&str>) -> Vec<u8> {
    let token = token.map_or(String::new(), |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{token}\r\n").into_bytes()
}

/// A POST of JSON, with a bearer token if there is one.
pub(crate) fn post(
    host: &str,
    path: &str,
    token: Option<&str>,
    body: &serde_json::Value,
) -> Vec<u8> {
    let token = token.map_or(String::new(), |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    let (body, kind) = (body.to_string(), "application/json");
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\n{token}content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}";
        let head = Head::parse(answer).unwrap().unwrap();
        assert_eq!((head.status, head.length), (503, 2));
        assert_eq!(head.bytes + head.length, answer.len());
        assert_eq!(Head::parse(&answer[..20]).unwrap(), None);
        assert!(Head::parse(b"nonsense\r\n\r\n").is_err());
    }
}
