//! One call's life, and what is known of a request head.

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

/// A request head that was read, and where it leads. Kept for as long as the caller repeats it.
pub(crate) struct Known {
    pub(crate) head: Rc<RequestHead>,
    pub(crate) target: Target,
    pub(crate) form: ReplyForm,
}

/// What a request's head and the server's settings decide about the reply.
#[derive(Clone, Copy)]
pub(crate) struct ReplyForm {
    pub(crate) content_type: ContentType,
    pub(crate) sending: Sending,
    /// The call comes from a browser.
    pub(crate) web: Option<WebForm>,
}

/// Where a request head leads.
pub(crate) enum Target {
    Method(Route),
    Refused(HeadError),
    /// Not a call at all.
    Plain(Box<PlainHead>),
    /// The answer is known already.
    Ready(Box<PlainResponse>),
}

impl Known {
    /// The method is answered however busy the server is.
    pub(crate) fn is_exempt(&self) -> bool {
        matches!(&self.target, Target::Method(route) if route.exempt)
    }

    /// What a handler gets beside the messages.
    pub(crate) fn parts(&self, deadline: Option<Duration>, compressed: bool) -> RequestParts {
        RequestParts {
            head: Some(Rc::clone(&self.head)),
            deadline,
            compressed,
            ..RequestParts::default()
        }
    }
}

/// What stands in a stream's slot. `id` tells whether it is still the same stream.
#[derive(Default)]
pub(crate) enum Call {
    /// No call, or one that has been answered.
    #[default]
    Vacant,
    /// The one request message is coming.
    Collecting(Box<Collecting>),
    /// The one request message is here, and its handler is not to be started yet.
    Parked(Box<Collecting>),
    /// The same, for the common case that nothing of it has come yet.
    Expecting {
        id: u32,
        known: Rc<Known>,
        deadline: Option<Duration>,
        heard: Duration,
    },
    /// A unary handler waits as a task.
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
    /// A plain request whose body is coming.
    Plain(Box<PlainCall>),
}

/// A request message that has come whole, without its prefix.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    /// As encoded: inflated, if it came compressed.
    pub(crate) bytes: &'a [u8],
    /// How many bytes of it travelled.
    pub(crate) wire_bytes: usize,
    /// It came compressed.
    pub(crate) compressed: bool,
}

impl<'a> Whole<'a> {
    /// A message that came as it was encoded.
    pub(crate) fn uncompressed(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            wire_bytes: bytes.len(),
            compressed: false,
        }
    }

    /// Its size, for those who count.
    pub(crate) fn size(self) -> MessageBytes {
        MessageBytes {
            plain: self.bytes.len(),
            wire: self.wire_bytes,
        }
    }
}

/// A request message of which a part has come.
pub(crate) struct Collecting {
    pub(crate) id: u32,
    pub(crate) known: Rc<Known>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) heard: Duration,
    pub(crate) body: Vec<u8>,
}

/// A request that has not come whole.
pub(crate) struct Incomplete {
    pub(crate) id: u32,
    pub(crate) deadline: Option<Duration>,
    /// When the latest part of it came; `None` if nothing more has to come.
    pub(crate) heard: Option<Duration>,
}

/// A plain request of which the head has come.
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

    /// What bounds the rest of the request, while it has not come whole: a handler that runs
    /// watches over its own deadline.
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

    /// Drops the handler, if one runs.
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
