//! The connection: its parts, its configuration, and the questions one may ask it.
//!
//! Methods come in four kinds. *Input*: [`Connection::receive`], [`Connection::advance`].
//! *Commands*: `open`,
//! `send_headers`, `send_data`, `data_in_place`, `release`, `expect`, `set_pressure`, `reset`,
//! `ping`, `drain`, `go_away`, `keep_alive`, `limit_pings`.
//! *Output*: [`Connection::transmit`]. *Questions*: everything that takes `&self`.

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

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers the streams that the peer opens.
    Server,
    /// Opens streams.
    Client,
}

/// How a connection is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which end this is.
    pub role: Role,
    /// What the peer may ask of us.
    pub limits: Limits,
}

impl Config {
    /// A server with default limits.
    pub fn server() -> Self {
        Self {
            role: Role::Server,
            limits: Limits::default(),
        }
    }

    /// A client with the limits of [`Limits::client`].
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
    /// The peer has acknowledged our SETTINGS, so it keeps to the windows they gave.
    settled: bool,
    sender: Sender,
    shutdown: Shutdown,
    abuse: Abuse,
    credit: Credit,
    timers: Timers,
    presence: Presence,
}

/// What is needed to write.
struct Sender {
    encoder: Encoder,
    window: Window,
    out: Vec<u8>,
    /// Streams with queued bytes and an open window, in the order of their turns.
    ready: VecDeque<StreamKey>,
    /// Streams whose queue has run empty, until the caller has asked for them.
    drained: VecDeque<StreamKey>,
    /// Memory in bytes of all queues.
    queued: usize,
}

/// Stream identifiers used so far.
struct Ids {
    next_local: u32,
    last_peer: u32,
    /// What the peer's latest leap passed over: closed without ever having been open.
    skipped: Range<u32>,
    resets: RecentResets,
}

impl Ids {
    /// The peer opens `stream`, which closes all idle ones below it (RFC 9113 §5.1.1).
    fn peer_opens(&mut self, stream: u32) {
        if stream > self.last_peer + 2 {
            self.skipped = self.last_peer + 1..stream;
        }
        self.last_peer = stream;
    }
}

impl Connection {
    /// A new connection with its first frames already in the output: the preface (client),
    /// SETTINGS, and the connection's WINDOW_UPDATE.
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

    /// The fields of the last `Headers` or `Trailers` event whose block was new.
    pub fn headers(&self) -> &HeaderList {
        &self.fields.list
    }

    /// Streams open in either direction, those with only queued bytes left included.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// Streams that the peer (server) or we (client) have opened since the connection began, those
    /// refused for a limit included.
    pub fn streams_opened(&self) -> u64 {
        self.abuse.streams()
    }

    /// The connection's windows in bytes: what we may send, and what the peer may (RFC 9113 §6.9).
    pub fn windows(&self) -> (usize, usize) {
        let (local, peer) = (self.sender.window, &self.receive_window);
        (local.available(), peer.available())
    }

    /// The stream is open in some direction.
    pub fn is_open(&self, stream: StreamKey) -> bool {
        self.streams.at(stream).is_some()
    }

    /// The peer's first SETTINGS have come whole: it does speak HTTP/2.
    pub fn is_established(&self) -> bool {
        self.reader.is_established
    }

    /// How many streams the peer allows this side to have open at once
    /// (SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113 §6.5.2); `u32::MAX` if it has not said.
    pub fn peer_streams_max(&self) -> u32 {
        self.peer.concurrent_streams_max
    }

    /// Largest header list in bytes that the peer wants to get (SETTINGS_MAX_HEADER_LIST_SIZE,
    /// RFC 9113 §6.5.2, counted with 32 bytes per field); `usize::MAX` if it has not said.
    pub fn peer_header_list_bytes_max(&self) -> usize {
        match self.peer.header_list_bytes_max {
            u32::MAX => usize::MAX,
            bytes => bytes as usize,
        }
    }

    /// First bytes, at most 128, of a server that speaks another protocol
    /// ([`crate::Cause::OtherProtocol`]); empty once it has begun its SETTINGS.
    pub fn greeting(&self) -> &[u8] {
        self.reader.greeting()
    }

    /// Input is welcome. False while so much output is not transmitted, or so many replies to
    /// frames of the peer, that more input would only add to it: receive nothing until then.
    pub fn wants_input(&self) -> bool {
        self.abuse.queued_replies < self.limits.queued_replies_high
            && self.sender.out.len() < self.limits.output_bytes_high
    }

    /// An identifier whose stream was never opened (RFC 9113 §5.1.1). Push is off, so every even
    /// identifier stays idle.
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
