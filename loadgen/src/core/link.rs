//! Opening of a lane's connection: before the run, and again whenever it is lost.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use super::CoreState;
use crate::call::Chooser;
use crate::connection::LoadConnection;
use crate::endpoint::OPEN_MAX;
use crate::error::LoadError;
use crate::lane::{Lane, Link};
use crate::schedule::{Share, Timetable};

/// Pause after a failed attempt, doubled after each further one. A connection that ended within
/// this time counts as a failed attempt.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Opens a connection for the first time; an error ends the run.
pub(super) async fn open_first(
    core: &Rc<CoreState>,
    index: usize,
) -> Result<Rc<RefCell<Lane>>, LoadError> {
    let plan = &core.plan;
    let share = Share {
        lane: index,
        lanes: plan.shape.connections,
        seed: plan.seed,
    };
    let schedule = plan.schedule.as_ref();
    let timetable = schedule.map(|all| Timetable::new(all, share, plan.pace.duration));
    let chooser = Chooser::new(share, &plan.mix);
    let lane = Lane::new(timetable, chooser, plan.shape.streams);
    let lane = Rc::new(RefCell::new(lane));
    open(core, &lane).await.map_err(LoadError::Connect)?;
    match speaking(&lane).await {
        Link::Up => Ok(lane),
        link => Err(LoadError::Speak {
            address: plan.target.to_string(),
            cause: match link {
                Link::Down(cause) => cause,
                _ => "the server sent GOAWAY at once".to_owned(),
            },
        }),
    }
}

async fn open(core: &Rc<CoreState>, lane: &Rc<RefCell<Lane>>) -> std::io::Result<()> {
    let berth = lane.borrow_mut().moor();
    let connection = LoadConnection::new(core.clone(), lane.clone(), berth);
    let lost = lane.clone();
    let failed = move |cause| lost.borrow_mut().set_link(berth, Link::Down(cause));
    let target = &core.plan.target;
    let socket = target.connect(Box::new(connection), failed).await?;
    lane.borrow_mut().socket = Some(socket);
    Ok(())
}

/// Waits until the server has sent its SETTINGS, or the connection has ended.
async fn speaking(lane: &RefCell<Lane>) -> Link {
    let speaking = poll_fn(|cx| lane.borrow_mut().poll_link(false, cx));
    match corespun_runtime::timeout(OPEN_MAX, speaking).await {
        Ok(link) => link,
        Err(_) => {
            let seconds = OPEN_MAX.as_secs();
            Link::Down(format!("no SETTINGS frame came within {seconds} s"))
        }
    }
}

/// Opens a connection whenever none accepts calls, until the window ends: at once, and after a
/// failed attempt with a pause.
pub(super) async fn keep_open(core: Rc<CoreState>, lane: Rc<RefCell<Lane>>) {
    let mut up_since = Duration::ZERO;
    loop {
        poll_fn(|cx| lane.borrow_mut().poll_link(true, cx)).await;
        let gone = corespun_runtime::now();
        if gone >= core.phases.get().end {
            return;
        }
        core.record.borrow_mut().lost += 1;
        lane.borrow_mut().down_since = Some(gone);
        let mut pause = match gone.saturating_sub(up_since) < PAUSE_MIN {
            true => PAUSE_MIN,
            false => Duration::ZERO,
        };
        loop {
            corespun_runtime::sleep(pause).await;
            if corespun_runtime::now() >= core.phases.get().end {
                return;
            }
            pause = (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            if open(&core, &lane).await.is_ok() && speaking(&lane).await == Link::Up {
                break;
            }
        }
        up_since = corespun_runtime::now();
        lane.borrow_mut().down_since = None;
        core.unconnected(gone, up_since);
        core.record.borrow_mut().reconnects += 1;
    }
}
