//! Connection of an attacker: writes given bytes, reads frames, follows no rules.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use corespun_http2::ErrorCode;
use corespun_http2::HeaderList;
use corespun_http2::hpack::{Decoder, ListLimits, TABLE_BYTES_DEFAULT};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::seen::Seen;
use super::wire;

/// Time after which a server that accepts no byte has stopped reading.
const STALL: Duration = Duration::from_millis(300);
/// Longest wait for a response that must come.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// Pause of an attacker after each write. It bounds the rate of an attack, so that on a machine
/// with two CPUs the result depends on the server and not on the share of CPU time.
const REST: Duration = Duration::from_micros(250);
/// Payload of the PING whose acknowledgement shows that the server has processed everything before
/// it.
const LAST_PING: u64 = 0x5e77_1ed0;
/// Connection window before any WINDOW_UPDATE, in bytes (RFC 9113 §6.9.2).
const WINDOW_BYTES_INITIAL: usize = 65_535;

/// Attacker's end of a connection.
pub struct Peer {
    stream: TcpStream,
    inbox: Vec<u8>,
    decoder: Decoder,
    list: HeaderList,
    /// Acknowledgements to write.
    owed: Vec<u8>,
    /// True if it reads nothing while it sends.
    pub deaf: bool,
    /// True if it acknowledges the server's SETTINGS.
    pub polite: bool,
    next_stream: u32,
    /// Remaining send window of the connection, in bytes.
    credit: usize,
    greeted: bool,
    settled: bool,
    pub seen: Seen,
}

impl Peer {
    /// Opens a TCP connection and sends nothing.
    pub fn silent(target: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(target)?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            inbox: Vec::new(),
            decoder: Decoder::new(TABLE_BYTES_DEFAULT),
            list: HeaderList::new(),
            owed: Vec::new(),
            deaf: false,
            polite: true,
            next_stream: 1,
            credit: WINDOW_BYTES_INITIAL,
            greeted: false,
            settled: false,
            seen: Seen::default(),
        })
    }

    /// Opens a connection and completes its handshake.
    pub fn connect(target: SocketAddr) -> io::Result<Self> {
        Self::with_settings(target, &[])
    }

    /// Opens a connection with these SETTINGS and completes its handshake.
    pub fn with_settings(target: SocketAddr, entries: &[(u16, u32)]) -> io::Result<Self> {
        let mut peer = Self::silent(target)?;
        peer.send(&[wire::PREFACE, &wire::settings(entries)].concat());
        peer.read_until(PATIENCE, |peer| peer.greeted);
        peer.write_owed();
        match peer.greeted {
            true => Ok(peer),
            false => Err(io::Error::new(
                ErrorKind::TimedOut,
                "failed to shake hands: no SETTINGS came",
            )),
        }
    }

    /// Returns the next stream identifier of a client.
    pub fn open(&mut self) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        stream
    }

    /// Pauses, then writes as [`Self::send_at_once`] does.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        std::thread::sleep(REST);
        self.write_owed();
        self.send_at_once(bytes)
    }

    /// Writes all of `bytes`, and reads meanwhile unless deaf; returns false when the server has
    /// ended the connection or accepts no more bytes.
    pub fn send_at_once(&mut self, mut bytes: &[u8]) -> bool {
        let mut moved = Instant::now();
        while !bytes.is_empty() {
            if !self.deaf {
                self.read_available();
            }
            if self.seen.ended {
                return false;
            }
            match self.stream.write(bytes) {
                Ok(len) => {
                    bytes = &bytes[len..];
                    moved = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if moved.elapsed() > STALL {
                        self.seen.stalled = true;
                        return false;
                    }
                    self.wait(PollFlags::POLLOUT, Duration::from_millis(20));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.read_available();
                    self.seen.ended = true;
                    return false;
                }
            }
        }
        true
    }

    /// Sends a body in frames of the largest size, as the connection's window permits.
    pub fn upload(&mut self, stream: u32, mut body: &[u8]) -> bool {
        while !body.is_empty() {
            if self.credit == 0 {
                self.read_until(STALL, |peer| peer.credit > 0);
                if self.credit == 0 {
                    self.seen.stalled = true;
                    return false;
                }
            }
            let (piece, rest) = body.split_at(body.len().min(16_384).min(self.credit));
            self.credit -= piece.len();
            if !self.send(&wire::data(stream, 0, piece)) {
                return false;
            }
            body = rest;
        }
        true
    }

    /// Reads until the predicate holds, the connection ends, or the time is over.
    pub fn read_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        loop {
            self.read_available();
            if self.seen.ended || done(self) || start.elapsed() >= limit {
                return;
            }
            self.write_owed();
            self.wait(PollFlags::POLLIN, Duration::from_millis(20));
        }
    }

    /// Reads for the given time.
    pub fn read_for(&mut self, span: Duration) {
        self.read_until(span, |_| false);
    }

    /// Sends PING and reads until its acknowledgement or the end: the server has then processed
    /// everything before it.
    pub fn settle(mut self) -> Seen {
        self.deaf = false;
        if self.send(&wire::ping(LAST_PING)) {
            self.read_until(PATIENCE, |peer| peer.settled);
        } else {
            self.read_until(STALL, |_| false);
        }
        self.seen.stalled |= !self.settled && !self.seen.ended;
        self.seen
    }

    /// Waits for the server to end the connection.
    pub fn wait_for_end(mut self) -> Seen {
        self.read_until(PATIENCE, |_| false);
        self.seen
    }

    fn wait(&self, what: PollFlags, span: Duration) {
        let mut sets = [PollFd::new(self.stream.as_fd(), what)];
        let span = PollTimeout::from(span.as_millis() as u16);
        // Errors are ignored here, because the next read or write reports them.
        let _ = poll(&mut sets, span);
    }

    fn write_owed(&mut self) {
        let owed = std::mem::take(&mut self.owed);
        if self.polite && !owed.is_empty() {
            self.send_at_once(&owed);
        }
    }

    /// Reads what has arrived, without waiting.
    fn read_available(&mut self) {
        let mut buffer = [0; 64 << 10];
        while !self.seen.ended {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.seen.ended = true,
                Ok(len) => {
                    self.inbox.extend_from_slice(&buffer[..len]);
                    self.take_frames();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.seen.ended = true,
            }
        }
    }

    fn take_frames(&mut self) {
        let inbox = std::mem::take(&mut self.inbox);
        let mut rest = &inbox[..];
        while let Some((head, after)) = rest.split_first_chunk::<{ wire::HEAD_BYTES }>() {
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, after)) = after.split_at_checked(len) else {
                break;
            };
            let stream = word(&head[5..]) & 0x7fff_ffff;
            self.on_frame(head[3], head[4], stream, payload);
            rest = after;
        }
        self.inbox = rest.to_vec();
    }

    fn on_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        match kind {
            wire::SETTINGS if flags & wire::ACK == 0 => {
                self.greeted = true;
                self.owed
                    .extend(wire::frame(wire::SETTINGS, wire::ACK, 0, []));
            }
            wire::PING if flags & wire::ACK != 0 => {
                self.settled |= payload == LAST_PING.to_be_bytes();
            }
            wire::GOAWAY => self.seen.go_away = Some(ErrorCode(word(&payload[4..]))),
            wire::RST_STREAM => self.seen.note_reset(ErrorCode(word(payload))),
            wire::WINDOW_UPDATE if stream == 0 => self.credit += word(payload) as usize,
            wire::HEADERS => {
                self.seen.heads += 1;
                self.on_block(payload);
            }
            wire::DATA if !payload.is_empty() => self.seen.messages += 1,
            _ => {}
        }
    }

    fn on_block(&mut self, block: &[u8]) {
        const LIMITS: ListLimits = ListLimits {
            bytes_soft: 1 << 20,
            bytes_hard: 1 << 20,
            fields_soft: 1 << 10,
            fields_hard: 1 << 10,
        };
        self.list.clear();
        let decoded = self.decoder.decode(block, &mut self.list, LIMITS);
        assert!(decoded.is_ok(), "the server's header block is malformed");
        for field in self.list.iter() {
            match field.name {
                b"grpc-status" if field.value != b"0" => self.seen.status = number(field.value),
                b":status" if field.value != b"200" => self.seen.http_status = number(field.value),
                _ => {}
            }
        }
    }
}

fn word(bytes: &[u8]) -> u32 {
    let bytes = bytes.first_chunk().copied();
    u32::from_be_bytes(bytes.expect("a server's frame holds what its type says"))
}

fn number(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
