//! The framing of RFC 6455: bytes from a client become messages, messages to a client get their heads. No I/O.
//!
//! Invariants: a frame is refused by the length that its head announces, before any of its payload is kept, and a
//! message by the sum of its fragments; memory is taken for bytes that came, never for bytes that were announced;
//! after a fault nothing more is decoded.

/// The largest payload of a control frame.
pub const CONTROL_MAX: usize = 125;
/// Fragments that one message may come in.
const FRAGMENTS: u32 = 1_024;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// What a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A whole text message; whether it is UTF-8 has not been looked at.
    Text(Vec<u8>),
    /// A ping with its payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// A close with its code, if it has one.
    Close(Option<u16>),
}

/// Why a client's bytes are not taken. The connection cannot go on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A frame or a message announced more than the limit.
    TooLarge,
    /// A binary message.
    Binary,
    /// The bytes break the framing.
    Framing,
}

/// The head of a frame whose payload is being read.
#[derive(Debug, Clone, Copy)]
struct Head {
    opcode: u8,
    last: bool,
    mask: [u8; 4],
    length: usize,
    read: usize,
}

/// The decoder of one connection. Without a message under way it holds no memory beyond itself.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The bytes of a head that is not whole yet.
    start: [u8; 14],
    started: u8,
    head: Option<Head>,
    /// The payload of the control frame under way; it may stand between the fragments of a message.
    control: Vec<u8>,
    /// The message under way.
    message: Vec<u8>,
    fragments: u32,
}

impl Decoder {
    /// Takes bytes from the front of the input until a message is whole, or all of them. `limit` bounds a message.
    pub fn next(&mut self, input: &mut &[u8], limit: usize) -> Result<Option<Message>, Fault> {
        loop {
            let head = match self.head {
                Some(head) => head,
                None => match self.take_head(input, limit)? {
                    Some(head) => head,
                    None => return Ok(None),
                },
            };
            let Some(head) = self.take_payload(head, input) else { return Ok(None) };
            if let Some(message) = self.finish(head)? {
                return Ok(Some(message));
            }
        }
    }

    fn take_head(&mut self, input: &mut &[u8], limit: usize) -> Result<Option<Head>, Fault> {
        loop {
            let have = usize::from(self.started);
            if have >= 2 {
                // Whatever the first bytes decide is decided at once.
                let size = self.check_start()?;
                if have == size {
                    self.started = 0;
                    return self.head(size, limit).map(Some);
                }
            }
            let Some((first, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.start[have] = *first;
            self.started += 1;
        }
    }

    /// Checks the first two bytes of a head and tells how long the whole head is.
    fn check_start(&self) -> Result<usize, Fault> {
        let [first, second, ..] = self.start;
        let (opcode, last, short) = (first & 0x0f, first & 0x80 != 0, second & 0x7f);
        // No extension was agreed on, so the reserved bits are zero; a client masks what it sends.
        if first & 0x70 != 0 || second & 0x80 == 0 {
            return Err(Fault::Framing);
        }
        match opcode {
            BINARY => return Err(Fault::Binary),
            TEXT if self.fragments == 0 => {}
            CONTINUATION if (1..FRAGMENTS).contains(&self.fragments) => {}
            CLOSE | PING | PONG if last && usize::from(short) <= CONTROL_MAX => {}
            _ => return Err(Fault::Framing),
        }
        Ok(match short {
            126 => 8,
            127 => 14,
            _ => 6,
        })
    }

    fn head(&mut self, size: usize, limit: usize) -> Result<Head, Fault> {
        let start = &self.start;
        let (length, least, masked) = match size {
            8 => (u64::from(u16::from_be_bytes([start[2], start[3]])), 126, 4),
            14 => {
                let [_, _, bytes @ .., _, _, _, _] = *start;
                (u64::from_be_bytes(bytes), 65_536, 10)
            }
            _ => (u64::from(start[1] & 0x7f), 0, 2),
        };
        let opcode = start[0] & 0x0f;
        let held = if opcode & 0x8 == 0 { self.message.len() as u64 } else { 0 };
        if length.saturating_add(held) > limit.max(CONTROL_MAX) as u64 {
            return Err(Fault::TooLarge);
        }
        // The shortest form of a length is the only one.
        if length < least {
            return Err(Fault::Framing);
        }
        let mask = [start[masked], start[masked + 1], start[masked + 2], start[masked + 3]];
        let length = usize::try_from(length).map_err(|_| Fault::TooLarge)?;
        let head = Head { opcode, last: start[0] & 0x80 != 0, mask, length, read: 0 };
        self.head = Some(head);
        Ok(head)
    }

    /// Takes what is there of a payload; gives the head back when the payload is whole.
    fn take_payload(&mut self, mut head: Head, input: &mut &[u8]) -> Option<Head> {
        let part = (head.length - head.read).min(input.len());
        let (now, rest) = input.split_at(part);
        *input = rest;
        let target = if head.opcode & 0x8 == 0 { &mut self.message } else { &mut self.control };
        let begin = target.len();
        target.extend_from_slice(now);
        for (index, byte) in target.iter_mut().skip(begin).enumerate() {
            *byte ^= head.mask[(head.read + index) % 4];
        }
        head.read += part;
        let whole = head.read == head.length;
        self.head = (!whole).then_some(head);
        whole.then_some(head)
    }

    fn finish(&mut self, head: Head) -> Result<Option<Message>, Fault> {
        Ok(match head.opcode {
            PING => Some(Message::Ping(std::mem::take(&mut self.control))),
            PONG => {
                self.control = Vec::new();
                Some(Message::Pong)
            }
            CLOSE => Some(Message::Close(close_code(&std::mem::take(&mut self.control))?)),
            _ if head.last => {
                self.fragments = 0;
                Some(Message::Text(std::mem::take(&mut self.message)))
            }
            _ => {
                self.fragments += 1;
                None
            }
        })
    }
}

/// The code of a close frame's payload.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Fault> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let fair = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            match fair && std::str::from_utf8(reason).is_ok() {
                true => Ok(Some(code)),
                false => Err(Fault::Framing),
            }
        }
        [_] => Err(Fault::Framing),
    }
}

/// The head of a frame from the server.
#[derive(Debug, Clone, Copy)]
pub struct HeadBytes {
    bytes: [u8; 10],
    size: u8,
}

impl HeadBytes {
    fn new(opcode: u8, length: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = 0x80 | opcode;
        let size = match u16::try_from(length) {
            Ok(short) if short < 126 => {
                bytes[1] = short.to_be_bytes()[1];
                2
            }
            Ok(medium) => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&medium.to_be_bytes());
                4
            }
            Err(_) => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&(length as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, size }
    }

    /// No head: the frame's bytes stand elsewhere.
    pub const fn none() -> Self {
        Self { bytes: [0; 10], size: 0 }
    }

    /// The head of a text frame with a payload of this length.
    pub fn text(length: usize) -> Self {
        Self::new(TEXT, length)
    }

    /// The head's bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.size)]
    }
}

fn control(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(CONTROL_MAX)];
    let mut frame = HeadBytes::new(opcode, payload.len()).as_slice().to_vec();
    frame.extend_from_slice(payload);
    frame
}

/// A whole pong frame.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    control(PONG, payload)
}

/// A whole close frame.
pub fn close(code: Option<u16>, reason: &str) -> Vec<u8> {
    let mut payload = Vec::with_capacity(2 + reason.len());
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(reason.as_bytes());
    }
    control(CLOSE, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 100_000;

    /// A frame as a client writes it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let head = HeadBytes::new(first & 0x0f, payload.len());
        let mut frame = head.as_slice().to_vec();
        (frame[0], frame[1]) = (first, frame[1] | 0x80);
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn all(bytes: &[u8], step: usize, limit: usize) -> Result<Vec<Message>, Fault> {
        let mut decoder = Decoder::default();
        let mut messages = Vec::new();
        for mut part in bytes.chunks(step) {
            while let Some(message) = decoder.next(&mut part, limit)? {
                messages.push(message);
            }
            assert!(part.is_empty());
        }
        Ok(messages)
    }

    fn fault(bytes: &[u8]) -> Option<Fault> {
        all(bytes, bytes.len(), LIMIT).err()
    }

    #[test]
    fn an_announced_length_is_refused_before_its_payload() {
        for length in [LIMIT as u64 + 1, 1 << 32, u64::MAX] {
            let mut head = vec![0x81, 0xff];
            head.extend(length.to_be_bytes());
            head.extend([0; 4]);
            assert_eq!(fault(&head), Some(Fault::TooLarge), "{length}");
        }
        let halves = [frame(0x01, &[b'a'; 60_000]), frame(0x00, &[b'b'; 60_000])].concat();
        assert_eq!(fault(&halves), Some(Fault::TooLarge), "fragments count together");
        assert_eq!(fault(&halves[..60_014 + 8]), Some(Fault::TooLarge), "by the head of the second");
    }

    #[test]
    fn what_breaks_the_framing_is_refused() {
        let cases: [(&str, Vec<u8>, Fault); 13] = [
            ("binary", frame(0x82, b"x"), Fault::Binary),
            ("a reserved bit", frame(0xc1, b"x"), Fault::Framing),
            ("an unknown opcode", frame(0x83, b"x"), Fault::Framing),
            ("no mask", vec![0x81, 0x01, b'x'], Fault::Framing),
            ("a long ping", frame(0x89, &[0; 126]), Fault::Framing),
            ("a ping in fragments", frame(0x09, b"x"), Fault::Framing),
            ("a continuation of nothing", frame(0x80, b"x"), Fault::Framing),
            ("a message in a message", [frame(0x01, b"x"), frame(0x81, b"y")].concat(), Fault::Framing),
            ("a short length in long form", vec![0x81, 0xfe, 0, 5, 0, 0, 0, 0], Fault::Framing),
            ("half a close code", frame(0x88, b"x"), Fault::Framing),
            ("a close code that is none", frame(0x88, &1005u16.to_be_bytes()), Fault::Framing),
            ("a close reason that is no text", frame(0x88, &[0x03, 0xe8, 0xff]), Fault::Framing),
            (
                "fragments without end",
                [frame(0x01, b""), frame(0x00, b"").repeat(1_100)].concat(),
                Fault::Framing,
            ),
        ];
        for (what, bytes, expected) in cases {
            assert_eq!(fault(&bytes), Some(expected), "{what}");
        }
    }

    #[test]
    fn close_codes_are_read_and_written() {
        assert_eq!(all(&frame(0x88, b""), 1, LIMIT), Ok(vec![Message::Close(None)]));
        let close_frame = frame(0x88, &[0x0f, 0xa0, b'o', b'k']);
        assert_eq!(all(&close_frame, 3, LIMIT), Ok(vec![Message::Close(Some(4000))]));
        assert_eq!(close(Some(1000), "ok"), [0x88, 4, 0x03, 0xe8, b'o', b'k']);
        assert_eq!(close(None, "never sent"), [0x88, 0]);
        assert_eq!(pong(b"a"), [0x8a, 1, b'a']);
    }

    proptest! {
        /// However the bytes are cut on their way, the same messages come out.
        #[test]
        fn cuts_change_nothing(
            texts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..400), 1usize..4), 1..6),
            step in 1usize..90,
        ) {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for (text, fragments) in &texts {
                let parts: Vec<&[u8]> = text.chunks(text.len().div_ceil(*fragments).max(1)).collect();
                let parts = if parts.is_empty() { vec![&[][..]] } else { parts };
                for (index, part) in parts.iter().enumerate() {
                    let opcode = if index == 0 { TEXT } else { CONTINUATION };
                    let last = if index + 1 == parts.len() { 0x80 } else { 0 };
                    bytes.extend(frame(opcode | last, part));
                    // A ping may stand between fragments.
                    bytes.extend(frame(0x89, b"between"));
                    if last == 0 {
                        expected.push(Message::Ping(b"between".to_vec()));
                    }
                }
                expected.push(Message::Text(text.clone()));
                expected.push(Message::Ping(b"between".to_vec()));
            }
            prop_assert_eq!(all(&bytes, step, LIMIT), Ok(expected));
        }

        /// No bytes make it panic, or hold more than the limit.
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), step in 1usize..50) {
            let mut decoder = Decoder::default();
            'all: for mut part in bytes.chunks(step) {
                loop {
                    match decoder.next(&mut part, 500) {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => break 'all,
                    }
                }
                prop_assert!(decoder.message.len() <= 500 && decoder.control.len() <= CONTROL_MAX);
            }
        }
    }
}
