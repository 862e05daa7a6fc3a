//! One upgraded connection: reads messages, writes frames, ends in good order. Owns the TCP stream and the bytes that
//! are halfway: a message that is not whole, a frame that is written in part. Does not own what waits (`outbox`).
//!
//! Invariants: nobody waits here, every call tries and returns; bytes are read into paper that all connections of a
//! worker share, so an idle connection holds no buffer; a frame that was begun is written to its end before another.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::rt::net::TcpStream;

use super::frames::{self, Decoder, Fault, HeadBytes, Message};
use super::outbox::Item;
use crate::http::admission::AdmissionPermit;

/// Bytes that are read at once.
const READ: usize = 16_384;
/// Frames that are written at once.
const BATCH: usize = 32;
/// Bytes after which no further frame joins a batch.
const BATCH_BYTES: usize = 65_536;
/// Bytes that a client may send after the server's close until the connection is cut.
const DISCARD: u32 = 1_048_576;

thread_local! {
    static PAPER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// What came from a client.
#[derive(Debug)]
pub enum Incoming {
    /// A message.
    Message(Message),
    /// Bytes that are no frames of ours.
    Fault(Fault),
    /// The end of the connection.
    End,
}

/// What became of a try to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// All frames of the batch.
    All,
    /// A part of them; the stream takes no more for now.
    Part,
    /// Nothing.
    Nothing,
    /// The connection is broken.
    Broken,
}

/// A frame on its way into the stream.
#[derive(Debug)]
pub struct Piece {
    body: Body,
    head: HeadBytes,
    written: usize,
}

/// What a frame carries.
#[derive(Debug)]
pub enum Body {
    /// A text frame.
    Text(Item),
    /// A whole pong frame.
    Pong(Vec<u8>),
    /// A whole close frame.
    Close(Vec<u8>),
}

impl Piece {
    /// A frame that was not begun.
    pub fn new(body: Body) -> Self {
        let head = match &body {
            Body::Text(item) => HeadBytes::text(item.bytes.len()),
            Body::Pong(_) | Body::Close(_) => HeadBytes::none(),
        };
        Self { body, head, written: 0 }
    }

    fn payload(&self) -> &[u8] {
        match &self.body {
            Body::Text(item) => item.bytes.as_bytes(),
            Body::Pong(frame) | Body::Close(frame) => frame,
        }
    }

    fn len(&self) -> usize {
        self.head.as_slice().len() + self.payload().len()
    }

    /// What is left of the head and of the payload.
    fn rest(&self) -> [&[u8]; 2] {
        let (head, payload) = (self.head.as_slice(), self.payload());
        let in_head = self.written.min(head.len());
        [&head[in_head..], &payload[self.written - in_head..]]
    }
}

/// The connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    decoder: Decoder,
    /// Bytes that were read and are not decoded, from the offset on.
    unread: (Vec<u8>, usize),
    /// The frame that is written in part.
    begun: Option<Box<Piece>>,
    /// The answer to the client's last ping.
    pong: Option<Vec<u8>>,
    said_close: Option<Instant>,
    discarded: u32,
    /// Its place among all connections of the process.
    _admission: Option<AdmissionPermit>,
}

impl Connection {
    /// A connection after its upgrade; `early` came behind the request.
    pub fn new(stream: TcpStream, early: &[u8]) -> Self {
        Self {
            stream,
            decoder: Decoder::default(),
            unread: (early.to_vec(), 0),
            begun: None,
            pong: None,
            said_close: None,
            discarded: 0,
            _admission: None,
        }
    }

    /// The same with its place among all connections of the process, which it gives back at its end.
    pub fn admitted(self, permit: AdmissionPermit) -> Self {
        Self { _admission: Some(permit), ..self }
    }

    /// The next message of at most so many bytes.
    pub fn poll_next(&mut self, context: &mut Context<'_>, limit: usize) -> Poll<Incoming> {
        loop {
            if let Some(incoming) = self.decode_unread(limit) {
                return Poll::Ready(incoming);
            }
            match self.stream.poll_read_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(Incoming::End),
                Poll::Ready(Ok(())) => {}
            }
            let read = PAPER.with_borrow_mut(|paper| match self.stream.try_read(paper) {
                Ok(0) => Some(Incoming::End),
                Ok(size) => self.decode(&paper[..size], limit),
                Err(error) if is_temporary(&error) => None,
                Err(_) => Some(Incoming::End),
            });
            if let Some(incoming) = read {
                return Poll::Ready(incoming);
            }
        }
    }

    fn decode(&mut self, mut bytes: &[u8], limit: usize) -> Option<Incoming> {
        let incoming = outcome(self.decoder.next(&mut bytes, limit));
        if !bytes.is_empty() {
            self.unread = (bytes.to_vec(), 0);
        }
        incoming
    }

    fn decode_unread(&mut self, limit: usize) -> Option<Incoming> {
        let (bytes, from) = &mut self.unread;
        let mut left = &bytes[*from..];
        if left.is_empty() {
            return None;
        }
        let incoming = outcome(self.decoder.next(&mut left, limit));
        match left.len() {
            0 => self.unread = (Vec::new(), 0),
            left => *from = bytes.len() - left,
        }
        incoming
    }

    /// After the close was said: reads and forgets until the client ends the connection too, because closing it with
    /// unread bytes would destroy the last frames on their way.
    pub fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.unread = (Vec::new(), 0);
        loop {
            match self.stream.poll_read_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            match PAPER.with_borrow_mut(|paper| self.stream.try_read(paper)) {
                Ok(0) => return Poll::Ready(()),
                Ok(size) => {
                    self.discarded = self.discarded.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
                    if self.discarded > DISCARD {
                        return Poll::Ready(());
                    }
                }
                Err(error) if is_temporary(&error) => {}
                Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Answers a ping; an older answer that was not written is not owed any more.
    pub fn pong(&mut self, payload: &[u8]) {
        self.pong = Some(frames::pong(payload));
    }

    /// Whether a frame of the connection's own waits.
    pub fn has_work(&self) -> bool {
        self.begun.is_some() || self.pong.is_some()
    }

    /// When the close frame was written.
    pub fn said_close(&self) -> Option<Instant> {
        self.said_close
    }

    /// Whether the stream takes bytes; else the task is woken when it does. `None` when the connection is broken.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<bool> {
        self.stream.poll_write_ready(context).map(|ready| ready.is_ok())
    }

    /// Writes one batch: the frame that was begun, the pong, then what `next` gives. What was taken and not begun goes
    /// back with `put_back`, the last one first.
    pub fn write(&mut self, mut next: impl FnMut() -> Option<Body>, mut put_back: impl FnMut(Item)) -> Wrote {
        let begun = self.begun.take().map(|piece| *piece);
        let pong = self.pong.take().map(|frame| Piece::new(Body::Pong(frame)));
        let mut batch: Vec<Piece> = begun.into_iter().chain(pong).collect();
        let mut bytes: usize = batch.iter().map(Piece::len).sum();
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Some(body) = next() else { break };
            let last = matches!(body, Body::Close(_));
            let piece = Piece::new(body);
            bytes += piece.len();
            batch.push(piece);
            if last {
                break;
            }
        }
        if batch.is_empty() {
            return Wrote::All;
        }
        let mut slices = [IoSlice::new(&[]); BATCH * 2];
        let rests = batch.iter().flat_map(Piece::rest).filter(|rest| !rest.is_empty());
        let mut count = 0;
        for (slice, rest) in slices.iter_mut().zip(rests) {
            *slice = IoSlice::new(rest);
            count += 1;
        }
        match self.stream.try_write_vectored(&slices[..count]) {
            Ok(0) => Wrote::Broken,
            Ok(written) => self.settle(batch, written, &mut put_back),
            Err(error) if is_temporary(&error) => self.settle(batch, 0, &mut put_back),
            Err(_) => Wrote::Broken,
        }
    }

    /// Sorts a batch by what was written of it.
    fn settle(&mut self, batch: Vec<Piece>, written: usize, put_back: &mut impl FnMut(Item)) -> Wrote {
        let mut left = written;
        let mut waiting = Vec::new();
        for mut piece in batch {
            let rest = piece.len() - piece.written;
            if rest <= left {
                left -= rest;
                if matches!(piece.body, Body::Close(_)) {
                    self.said_close = Some(Instant::now());
                }
                continue;
            }
            piece.written += left;
            left = 0;
            match piece.written > 0 {
                true => self.begun = Some(Box::new(piece)),
                false => waiting.push(piece),
            }
        }
        let all = waiting.is_empty() && self.begun.is_none();
        for piece in waiting.into_iter().rev() {
            match piece.body {
                Body::Text(item) => put_back(item),
                Body::Pong(frame) => self.pong = Some(frame),
                // It is made anew.
                Body::Close(_) => {}
            }
        }
        if self.said_close.is_some() {
            // Nothing follows a close frame; the client sees the end and can still send its own close.
            let _ = socket2::SockRef::from(&self.stream).shutdown(Shutdown::Write);
        }
        match (all, written) {
            (true, _) => Wrote::All,
            (false, 0) => Wrote::Nothing,
            (false, _) => Wrote::Part,
        }
    }
}

fn outcome(decoded: Result<Option<Message>, Fault>) -> Option<Incoming> {
    match decoded {
        Ok(message) => message.map(Incoming::Message),
        Err(fault) => Some(Incoming::Fault(fault)),
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
