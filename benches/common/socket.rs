//! A WebSocket client that costs next to nothing: one buffer, no masks worth the name, no copies of frames that
//! nobody looks at. Text frames only; a server's ping is answered by the caller.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::Outcome;
use super::http::find;

/// One connection.
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    read: usize,
}

impl Socket {
    /// Connects from a source address (none: the system's choice) and upgrades.
    pub async fn open(server: SocketAddr, source: Option<IpAddr>, path: &str, room: usize) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(source) = source {
            socket.bind((source, 0).into())?;
        }
        let mut stream = socket.connect(server).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Protocol: deskwire.v1\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Self { stream, buffer: Vec::with_capacity(room), read: 0 };
        let head = loop {
            if let Some(end) = find(&socket.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            socket.more().await?;
        };
        if !socket.buffer.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(&socket.buffer).into_owned().into());
        }
        socket.buffer.drain(..head);
        Ok(socket)
    }

    /// Signs in and reads until the socket is live.
    pub async fn hello(&mut self, token: &str, device: &str) -> Outcome<()> {
        let hello = json!({ "type": "hello", "id": "h", "data": { "token": token, "device": device } });
        self.send(&hello.to_string()).await?;
        loop {
            let frame: Value = serde_json::from_slice(self.next().await?)?;
            match frame["type"].as_str() {
                Some("live") => return Ok(()),
                Some("error" | "bye") => return Err(format!("hello was refused: {frame}").into()),
                _ => {}
            }
        }
    }

    /// Says ping and waits for its pong.
    pub async fn ping(&mut self) -> Outcome<()> {
        self.send(r#"{"type":"ping","data":{"nonce":"n"}}"#).await?;
        while !self.next().await?.starts_with(br#"{"type":"pong""#) {}
        Ok(())
    }

    /// Writes one text frame. The mask is zero: allowed, and free.
    pub async fn send(&mut self, text: &str) -> Outcome<()> {
        let mut frame = Vec::with_capacity(text.len() + 14);
        frame.push(0x81);
        match u16::try_from(text.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | u8::try_from(length)?),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((text.len() as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).await?;
        Ok(())
    }

    /// The content of the next data frame. Pings of the protocol are answered.
    pub async fn next(&mut self) -> Outcome<&[u8]> {
        self.buffer.drain(..self.read);
        self.read = 0;
        loop {
            while let Some((opcode, begin, end)) = header(&self.buffer[self.read..]) {
                let (begin, end) = (self.read + begin, self.read + end);
                if self.buffer.len() < end {
                    break;
                }
                match opcode {
                    1 | 2 => {
                        self.read = end;
                        return Ok(&self.buffer[begin..end]);
                    }
                    8 => return Err("the server closed the socket".into()),
                    9 => {
                        self.stream.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await?;
                    }
                    _ => {}
                }
                self.read = end;
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Outcome<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

/// Opcode, begin and end of the frame at the beginning of these bytes, once its header is whole.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (begin, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    Some((first & 0x0f, begin, begin + length))
}
