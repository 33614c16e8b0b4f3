//! The connection: its parts, its configuration, and the questions one may ask it.
//!
//! Methods come in four kinds. *Input*: [`Connection::receive`]. *Commands*: `open`,
//! `send_headers`, `send_data`, `data_in_place`, `release`, `reset`, `ping`, `drain`, `go_away`.
//! *Output*: [`Connection::transmit`]. *Questions*: everything that takes `&self`.

mod control;
mod data;
mod fields;
mod reader;
mod receive;
mod send;
mod shutdown;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::flow::{ReceiveWindow, WINDOW_BYTES_INITIAL, Window};
use crate::frame::{PREFACE, write};
use crate::headers::HeaderList;
use crate::hpack::Encoder;
use crate::limits::{Limits, ResetBudget};
use crate::settings::{PeerSettings, id};
use crate::stream::{StreamKey, StreamTable};
use fields::FieldReader;
use reader::Reader;
use shutdown::Shutdown;

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
        Self { role: Role::Server, limits: Limits::default() }
    }

    /// A client with default limits.
    pub fn client() -> Self {
        Self { role: Role::Client, limits: Limits::default() }
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
    sender: Sender,
    shutdown: Shutdown,
    abuse: Abuse,
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
}

/// Stream identifiers used so far.
struct Ids {
    next_local: u32,
    last_peer: u32,
    resets: RecentResets,
}

/// Counters against peers that cost more than they bring.
struct Abuse {
    resets: ResetBudget,
    queued_replies: u32,
    empty_data_frames: u32,
}

impl Connection {
    /// A new connection with its first frames already in the output: the preface (client),
    /// SETTINGS, and the connection's WINDOW_UPDATE.
    pub fn new(config: Config) -> Self {
        let Config { role, limits } = config;
        let mut out = Vec::new();
        if role == Role::Client {
            out.extend_from_slice(PREFACE);
        }
        write_settings(&mut out, role, &limits);
        let window_bytes = limits.connection_window_bytes.max(WINDOW_BYTES_INITIAL);
        if window_bytes > WINDOW_BYTES_INITIAL {
            write::window_update(&mut out, 0, window_bytes - WINDOW_BYTES_INITIAL);
        }
        Self {
            role,
            reader: Reader::new(role),
            fields: FieldReader::new(&limits),
            streams: StreamTable::default(),
            ids: Ids { next_local: 1, last_peer: 0, resets: RecentResets::default() },
            peer: PeerSettings::initial(),
            receive_window: ReceiveWindow::new(window_bytes),
            sender: Sender {
                encoder: Encoder::new(),
                window: Window::new(WINDOW_BYTES_INITIAL),
                out,
                ready: VecDeque::new(),
                drained: VecDeque::new(),
            },
            shutdown: Shutdown::default(),
            abuse: Abuse {
                resets: ResetBudget::new(&limits),
                queued_replies: 0,
                empty_data_frames: 0,
            },
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

    /// The stream is open in some direction.
    pub fn is_open(&self, stream: StreamKey) -> bool {
        self.streams.at(stream).is_some()
    }

    /// The peer's first SETTINGS have come: it does speak HTTP/2.
    pub fn is_established(&self) -> bool {
        self.reader.established()
    }

    /// An identifier whose stream was never opened (RFC 9113 §5.1.1). Push is off, so every even
    /// identifier stays idle.
    fn is_idle(&self, stream: u32) -> bool {
        let opened = match self.role {
            Role::Server => stream <= self.ids.last_peer,
            Role::Client => stream < self.ids.next_local,
        };
        stream % 2 == 0 || !opened
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
    let frame_bytes_max = limits.frame_bytes_max.clamp(16_384, 16_777_215);
    let mut entries = [
        (id::INITIAL_WINDOW_SIZE, limits.stream_window_bytes),
        (id::MAX_FRAME_SIZE, frame_bytes_max),
        (id::MAX_HEADER_LIST_SIZE, limits.header_list_bytes_soft as u32),
        (id::MAX_CONCURRENT_STREAMS, limits.concurrent_streams_max),
    ];
    if role == Role::Client {
        entries[3] = (id::ENABLE_PUSH, 0);
    }
    write::settings(out, &entries);
}

/// Streams that we reset of late: what the peer sent before it knew is not its fault.
#[derive(Debug, Default)]
struct RecentResets {
    ids: Vec<u32>,
    next: usize,
}

impl RecentResets {
    const KEPT: usize = 1024;

    fn push(&mut self, stream: u32) {
        if self.ids.len() < Self::KEPT {
            self.ids.push(stream);
        } else {
            self.ids[self.next] = stream;
            self.next = (self.next + 1) % Self::KEPT;
        }
    }

    fn contains(&self, stream: u32) -> bool {
        self.ids.contains(&stream)
    }
}
