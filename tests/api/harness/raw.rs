//! A WebSocket client that may break every rule: bare TCP, frames written by hand.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::Client;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The head of a client's frame that announces so many bytes, in the shortest form.
pub fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..=125 => head.push(0x80 | length as u8),
        126..=65_535 => {
            head.push(0xfe);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0xff);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend(MASK);
    head
}

/// A whole frame of a client.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A connection.
pub struct RawSocket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl RawSocket {
    /// A bare connection on which nothing was said.
    pub async fn open(base: &str) -> Self {
        let stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// A request to upgrade, with more header lines.
    pub fn request(base: &str, path: &str, more: &str) -> Vec<u8> {
        let host = base.trim_start_matches("http://");
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{more}\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .into_bytes()
    }

    /// An upgraded connection.
    pub async fn connect(base: &str) -> Self {
        let mut socket = Self::open(base).await;
        socket.write(&Self::request(base, "/api/v1/ws", "")).await;
        let status = socket.status().await;
        assert!(status.starts_with("HTTP/1.1 101"), "{status}");
        socket
    }

    /// A connection that is signed in and live.
    pub async fn live(base: &str, client: &Client) -> Self {
        let mut socket = Self::connect(base).await;
        let hello = json!({"type": "hello", "data": {"token": client.token, "device": "raw"}}).to_string();
        socket.write(&frame(0x81, hello.as_bytes())).await;
        while socket.text().await["type"] != "live" {}
        socket
    }

    /// Writes bytes.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Writes bytes, unless the server has ended the connection.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        let write = tokio::time::timeout(PATIENCE, self.stream.write_all(bytes));
        matches!(write.await, Ok(Ok(())))
    }

    /// The head of the HTTP answer.
    pub async fn status(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                return String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
            }
            assert!(self.more().await, "ended: {}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// Reads more; false at the end of the connection.
    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer));
        match read.await.expect("the server says nothing") {
            Ok(size) => size > 0,
            Err(_) => false,
        }
    }

    /// The next frame: opcode and payload; none at the end.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((begin, length)) = bounds(&self.buffer)
                && self.buffer.len() >= begin + length
            {
                let opcode = self.buffer[0] & 0x0f;
                let payload = self.buffer.drain(..begin + length).skip(begin).collect();
                return Some((opcode, payload));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next text frame.
    pub async fn text(&mut self) -> Value {
        loop {
            match self.next().await {
                Some((1, payload)) => return serde_json::from_slice(&payload).unwrap(),
                Some((8, payload)) => panic!("closed: {payload:?}"),
                Some(_) => {}
                None => panic!("the connection ended"),
            }
        }
    }

    /// The code of the close frame, which stands last and is followed by the end; none when it never came.
    pub async fn close_frame(&mut self) -> Option<Option<u16>> {
        let mut close = None;
        while let Some((opcode, payload)) = self.next().await {
            assert!(close.is_none(), "something follows the close frame");
            if opcode == 8 {
                close = Some(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]])));
            }
        }
        close
    }

    /// The code with which the server closes.
    pub async fn closed(&mut self) -> Option<u16> {
        self.close_frame().await.flatten()
    }
}

/// Where the payload of the first frame begins and how long it is, once its head is whole.
fn bounds(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        126 => Some((4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)))),
        127 => Some((10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize)),
        short => Some((2, usize::from(short))),
    }
}
