//! One HTTP/2 connection: its parts, its configuration and its getters.
//!
//! Methods come in four kinds. *Input*: [`Connection::receive`], [`Connection::advance`].
//! *Commands*: `open`, `send_headers`, `send_data`, `data_in_place`, `release`, `expect`,
//! `set_pressure`, `reset`, `ping`, `drain`, `go_away`, `keep_alive`, `limit_pings`. *Output*:
//! [`Connection::transmit`]. *Getters*: everything that takes `&self`.

mod abuse;
mod closed;
mod control;
mod credit;
mod data;
mod fields;
mod keepalive;
mod opening;
mod queued;
mod queues;
mod reader;
mod receive;
mod send;
mod shutdown;
#[cfg(test)]
mod tests;
mod time;
mod waste;

pub use credit::Pressure;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use crate::flow::{ReceiveWindow, WINDOW_BYTES_INITIAL, Window};
use crate::frame::{PREFACE, write};
use crate::headers::HeaderList;
use crate::hpack::Encoder;
use crate::limits::Limits;
use crate::settings::{PeerSettings, id};
use crate::stream::{StreamKey, StreamTable};
use abuse::Abuse;
use closed::RecentResets;
use credit::Credit;
use fields::FieldReader;
use keepalive::Presence;
use reader::Reader;
use shutdown::Shutdown;
use time::Timers;

/// Side of the connection, which decides who opens streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The server: it answers the streams that its peer opens.
    Server,
    /// The client: it opens streams.
    Client,
}

/// Configuration of a [`Connection`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Side of the connection that this end is.
    pub role: Role,
    /// Limits on what the peer may make this end do or hold.
    pub limits: Limits,
}

impl Config {
    /// Returns the configuration of a server with the default limits.
    pub fn server() -> Self {
        Self {
            role: Role::Server,
            limits: Limits::default(),
        }
    }

    /// Returns the configuration of a client with the limits of [`Limits::client`].
    pub fn client() -> Self {
        Self {
            role: Role::Client,
            limits: Limits::client(),
        }
    }
}

/// One HTTP/2 connection without its socket.
pub struct Connection {
    role: Role,
    limits: Limits,
    reader: Reader,
    fields: FieldReader,
    streams: StreamTable,
    ids: Ids,
    peer: PeerSettings,
    receive_window: ReceiveWindow,
    /// True once the peer has acknowledged our SETTINGS, so that it must keep to our windows.
    settled: bool,
    sender: Sender,
    shutdown: Shutdown,
    abuse: Abuse,
    credit: Credit,
    timers: Timers,
    presence: Presence,
}

/// State of the write side: the encoder, the output buffer and the queues.
struct Sender {
    encoder: Encoder,
    window: Window,
    out: Vec<u8>,
    /// Streams with queued bytes and an open window, in the order in which they may send.
    ready: VecDeque<StreamKey>,
    /// Streams whose queue has run empty and that the caller has not taken yet.
    drained: VecDeque<StreamKey>,
    /// Memory of all queues, in bytes.
    queued: usize,
}

/// Stream identifiers used so far.
struct Ids {
    next_local: u32,
    last_peer: u32,
    /// Identifiers that the peer's latest new stream skipped; they count as closed.
    skipped: Range<u32>,
    resets: RecentResets,
}

impl Ids {
    /// Records that the peer opens `stream`, which closes all idle ones below it (RFC 9113 §5.1.1).
    fn peer_opens(&mut self, stream: u32) {
        if stream > self.last_peer + 2 {
            self.skipped = self.last_peer + 1..stream;
        }
        self.last_peer = stream;
    }
}

impl Connection {
    /// Returns a connection whose first frames are already in the output: the preface (client),
    /// SETTINGS, and a WINDOW_UPDATE for the connection.
    pub fn new(config: Config) -> Self {
        let role = config.role;
        let limits = config.limits.lawful();
        let mut out = Vec::new();
        if role == Role::Client {
            out.extend_from_slice(PREFACE);
        }
        write_settings(&mut out, role, &limits);
        let window_bytes = limits.connection_window_bytes;
        if window_bytes > WINDOW_BYTES_INITIAL {
            write::window_update(&mut out, 0, window_bytes - WINDOW_BYTES_INITIAL);
        }
        Self {
            role,
            reader: Reader::new(role),
            fields: FieldReader::new(&limits),
            streams: StreamTable::default(),
            ids: Ids {
                next_local: 1,
                last_peer: 0,
                skipped: 0..0,
                resets: RecentResets::default(),
            },
            peer: PeerSettings::initial(),
            receive_window: ReceiveWindow::new(window_bytes),
            settled: false,
            sender: Sender {
                encoder: Encoder::new(),
                window: Window::new(WINDOW_BYTES_INITIAL),
                out,
                ready: VecDeque::new(),
                drained: VecDeque::new(),
                queued: 0,
            },
            shutdown: Shutdown::default(),
            abuse: Abuse::new(&limits),
            credit: Credit::default(),
            timers: Timers::default(),
            presence: Presence::default(),
            limits,
        }
    }

    /// Returns the fields of the last `Headers` or `Trailers` event whose block was new.
    pub fn headers(&self) -> &HeaderList {
        &self.fields.list
    }

    /// Returns the number of streams open in either direction, including those that only have
    /// queued bytes left to send.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// Returns the number of streams opened since the connection began: by the peer on a server, by
    /// this end on a client. Streams refused for a limit are counted.
    pub fn streams_opened(&self) -> u64 {
        self.abuse.streams()
    }

    /// Returns the connection's two flow-control windows in bytes: for sending, then for receiving
    /// (RFC 9113 §6.9).
    pub fn windows(&self) -> (usize, usize) {
        let (local, peer) = (self.sender.window, &self.receive_window);
        (local.available(), peer.available())
    }

    /// Returns `true` if the stream is open in at least one direction.
    pub fn is_open(&self, stream: StreamKey) -> bool {
        self.streams.at(stream).is_some()
    }

    /// Returns `true` once the peer's first SETTINGS frame has arrived in full, which shows that
    /// the peer speaks HTTP/2.
    pub fn is_established(&self) -> bool {
        self.reader.is_established
    }

    /// Returns the number of streams that the peer allows this side to have open at once
    /// (SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113 §6.5.2); `u32::MAX` if it has set no limit.
    pub fn peer_streams_max(&self) -> u32 {
        self.peer.concurrent_streams_max
    }

    /// Returns the largest header list in bytes that the peer accepts
    /// (SETTINGS_MAX_HEADER_LIST_SIZE, RFC 9113 §6.5.2, counted with 32 bytes per field);
    /// `usize::MAX` if it has set no limit.
    pub fn peer_header_list_bytes_max(&self) -> usize {
        match self.peer.header_list_bytes_max {
            u32::MAX => usize::MAX,
            bytes => bytes as usize,
        }
    }

    /// Returns the first bytes, at most 128, of a server that speaks another protocol
    /// ([`crate::Cause::OtherProtocol`]); empty once the server has begun its SETTINGS.
    pub fn greeting(&self) -> &[u8] {
        self.reader.greeting()
    }

    /// Returns `false` while the connection holds so much untransmitted output, or so many replies
    /// to the peer's frames, that more input would only add to it. Stop reading from the socket
    /// meanwhile.
    pub fn wants_input(&self) -> bool {
        self.abuse.queued_replies < self.limits.queued_replies_high
            && self.sender.out.len() < self.limits.output_bytes_high
    }

    /// Returns `true` if the stream with this identifier was never opened (RFC 9113 §5.1.1). Push
    /// is off, so every even identifier stays idle.
    fn is_idle(&self, stream: u32) -> bool {
        let opened = match self.role {
            Role::Server => stream <= self.ids.last_peer || self.shutdown.refuses(stream),
            Role::Client => stream < self.ids.next_local,
        };
        stream.is_multiple_of(2) || !opened
    }
}

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("open_streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}

fn write_settings(out: &mut Vec<u8>, role: Role, limits: &Limits) {
    let list_bytes_max = u32::try_from(limits.header_list_bytes_soft).unwrap_or(u32::MAX);
    let mut entries = [
        (id::INITIAL_WINDOW_SIZE, limits.stream_window_bytes),
        (id::MAX_FRAME_SIZE, limits.frame_bytes_max),
        (id::MAX_HEADER_LIST_SIZE, list_bytes_max),
        (id::MAX_CONCURRENT_STREAMS, limits.concurrent_streams_max),
    ];
    if role == Role::Client {
        entries[3] = (id::ENABLE_PUSH, 0);
    }
    write::settings(out, &entries);
}
