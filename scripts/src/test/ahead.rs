//! What later stages fetch and build from elsewhere, in the time in which the first ones compile.
//!
//! Downloads wait for the network and compilers for each other, so this costs little there. It is
//! over before the first case runs, as many of those measure time. What fails here is tried again
//! by the stage that needs it, which says what this machine lacks.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Context;
use crate::{interop, peers, probes, python};

/// How long it may go on when it is wanted.
const PATIENCE: Duration = Duration::from_secs(300);

/// The work that is done meanwhile.
pub struct Ahead(JoinHandle<()>);

impl Ahead {
    /// Begins with it.
    pub fn begin(context: &Context) -> Self {
        let context = context.clone();
        Self(thread::spawn(move || {
            for fetch in [python::fetch, peers::fetch, interop::fetch, probes::fetch] {
                fetch(&context);
            }
        }))
    }

    /// Waits until it is done, but not for a network that does not answer. Each stage looks at what
    /// there is, so that nothing depends on how this ended.
    pub fn finish(self) {
        let began = Instant::now();
        while !self.0.is_finished() && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(50));
        }
    }
}
