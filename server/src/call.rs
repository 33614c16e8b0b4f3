//! State of one call, and the parsed form of a request head.

use std::rc::Rc;
use std::time::Duration;

use corespun_codec::message::Sending;
use corespun_codec::pipe::Pipe;
use corespun_codec::{ContentType, HeadError, MessageBytes, RequestHead, RequestParts};
use corespun_runtime::JoinHandle;

use crate::plain::{PlainHead, PlainResponse};
use crate::routes::Route;
use crate::watch::Watch;
use crate::web::WebForm;

/// Parsed request head and its target. Kept for reuse while the client repeats the same head.
pub(crate) struct Known {
    pub(crate) head: Rc<RequestHead>,
    pub(crate) target: Target,
    pub(crate) form: ReplyForm,
}

/// Properties of the reply, from the request head and the server's settings.
#[derive(Clone, Copy)]
pub(crate) struct ReplyForm {
    pub(crate) content_type: ContentType,
    pub(crate) sending: Sending,
    /// Form of a gRPC-Web call; `None` for a native call.
    pub(crate) web: Option<WebForm>,
}

/// Target of a request head: a method, a plain request, or a response that is ready.
pub(crate) enum Target {
    Method(Route),
    Refused(HeadError),
    /// Plain request: not a gRPC call.
    Plain(Box<PlainHead>),
    /// Response that needs no handler.
    Ready(Box<PlainResponse>),
}

impl Known {
    /// Returns true if the method is exempt from admission control.
    pub(crate) fn is_exempt(&self) -> bool {
        matches!(&self.target, Target::Method(route) if route.exempt)
    }

    /// Returns the request parts that a handler receives in addition to the messages.
    pub(crate) fn parts(&self, deadline: Option<Duration>, compressed: bool) -> RequestParts {
        RequestParts {
            head: Some(Rc::clone(&self.head)),
            deadline,
            compressed,
            ..RequestParts::default()
        }
    }
}

/// Contents of a stream's slot. `id` detects a slot that was reused by another stream.
#[derive(Default)]
pub(crate) enum Call {
    /// No call, or a call that has been answered.
    #[default]
    Vacant,
    /// The request message is being received.
    Collecting(Box<Collecting>),
    /// The request message is complete, and its handler waits to be started.
    Parked(Box<Collecting>),
    /// The request message is expected, and no byte of it has arrived: the common case.
    Expecting {
        id: u32,
        known: Rc<Known>,
        deadline: Option<Duration>,
        heard: Duration,
    },
    /// A unary handler runs as a task.
    Waiting {
        id: u32,
        known: Rc<Known>,
        task: JoinHandle<()>,
        watch: Option<Box<Watch>>,
    },
    /// A streaming handler runs as a task.
    Streaming {
        id: u32,
        known: Rc<Known>,
        pipe: Pipe,
        task: JoinHandle<()>,
        watch: Option<Box<Watch>>,
    },
    /// A plain request whose body is being received.
    Plain(Box<PlainCall>),
}

/// Complete request message, without its prefix.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    /// Encoded message, decompressed if it was received compressed.
    pub(crate) bytes: &'a [u8],
    /// Size of the message on the wire, in bytes.
    pub(crate) wire_bytes: usize,
    /// True if the message was received compressed.
    pub(crate) compressed: bool,
}

impl<'a> Whole<'a> {
    /// Creates a message that was received uncompressed.
    pub(crate) fn uncompressed(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            wire_bytes: bytes.len(),
            compressed: false,
        }
    }

    /// Returns the size of the message, for observers.
    pub(crate) fn size(self) -> MessageBytes {
        MessageBytes {
            plain: self.bytes.len(),
            wire: self.wire_bytes,
        }
    }
}

/// Request message that has been received in part.
pub(crate) struct Collecting {
    pub(crate) id: u32,
    pub(crate) known: Rc<Known>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) heard: Duration,
    pub(crate) body: Vec<u8>,
}

/// Request that is not complete.
pub(crate) struct Incomplete {
    pub(crate) id: u32,
    pub(crate) deadline: Option<Duration>,
    /// Moment at which the latest part was received; `None` if the request is complete.
    pub(crate) heard: Option<Duration>,
}

/// Plain request whose head has been received.
pub(crate) struct PlainCall {
    pub(crate) id: u32,
    pub(crate) known: Rc<Known>,
    pub(crate) heard: Duration,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn id(&self) -> Option<u32> {
        match self {
            Self::Vacant => None,
            Self::Collecting(collecting) | Self::Parked(collecting) => Some(collecting.id),
            Self::Plain(plain) => Some(plain.id),
            Self::Expecting { id, .. } | Self::Waiting { id, .. } | Self::Streaming { id, .. } => {
                Some(*id)
            }
        }
    }

    /// Returns the deadline and progress of a request that is not complete. A handler that runs
    /// enforces its own deadline.
    pub(crate) fn incomplete(&self) -> Option<Incomplete> {
        match self {
            Self::Collecting(collecting) => Some(Incomplete {
                id: collecting.id,
                deadline: collecting.deadline,
                heard: Some(collecting.heard),
            }),
            Self::Parked(collecting) => Some(Incomplete {
                id: collecting.id,
                deadline: collecting.deadline,
                heard: None,
            }),
            Self::Expecting {
                id,
                deadline,
                heard,
                ..
            } => Some(Incomplete {
                id: *id,
                deadline: *deadline,
                heard: Some(*heard),
            }),
            Self::Plain(plain) => Some(Incomplete {
                id: plain.id,
                deadline: None,
                heard: Some(plain.heard),
            }),
            Self::Vacant | Self::Waiting { .. } | Self::Streaming { .. } => None,
        }
    }

    /// Cancels the handler if one runs.
    pub(crate) fn cancel(self) {
        match self {
            Self::Waiting { task, .. } | Self::Streaming { task, .. } => task.abort(),
            Self::Vacant
            | Self::Collecting(_)
            | Self::Parked(_)
            | Self::Expecting { .. }
            | Self::Plain(_) => {}
        }
    }
}
