//! Service of an agent: one run at a time for each coordinator, on separate threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender as Teller, TryRecvError};
use std::thread;
use std::time::Duration;

use clap::Parser;
use corespun::{Sender, Status, Streaming};

use super::VERSION;
use super::files::Unpacked;
use super::wire::{self, News, Order, Prepare, news, order};
use crate::args::{Command, CommandLine, RunArgs};
use crate::interrupt::Interrupt;
use crate::plan::Plan;
use crate::progress::Observer;
use crate::report::{Report, Second};
use crate::run::observe;
use crate::timeline::Moment;

/// Interval at which the messages of the run are checked.
const LOOK: Duration = Duration::from_millis(10);

/// Service that makes runs.
pub(super) struct Runs;

impl wire::Agent for Runs {
    async fn run(
        &self,
        orders: &mut Streaming<Order>,
        out: &mut Sender<News>,
    ) -> Result<(), Status> {
        let first = orders.message().await?.and_then(|order| order.order);
        let Some(order::Order::Prepare(prepare)) = first else {
            return Err(Status::invalid_argument("the first order must be prepare"));
        };
        let (args, files) = read(prepare)?;
        let run = Run::start(args).map_err(Status::failed_precondition)?;
        let done = serve(&run, orders, out).await;
        // Whatever happened, nothing is left running.
        run.interrupt.set(nix::libc::SIGTERM);
        drop(files);
        done
    }
}

/// Parses the order for a run, and removes flags that only concern the coordinator.
fn read(prepare: Prepare) -> Result<(RunArgs, Unpacked), Status> {
    if prepare.version != VERSION {
        let version = prepare.version;
        let text = format!("this agent speaks version {VERSION}, not {version}");
        return Err(Status::failed_precondition(text));
    }
    let words = ["corespun-load".to_owned()]
        .into_iter()
        .chain(prepare.words);
    let line = CommandLine::try_parse_from(words);
    let line = line.map_err(|error| Status::invalid_argument(error.kind().to_string()))?;
    let mut args = match line.command {
        Command::Run(args) => *args,
        Command::Replay(args) => args.into_run(),
        _ => return Err(Status::invalid_argument("agents only run")),
    };
    let files = Unpacked::write(&prepare.files).map_err(Status::invalid_argument)?;
    let replaced = files.replace(&mut args);
    replaced.map_err(|error| Status::invalid_argument(error.to_string()))?;
    (args.output, args.watch) = Default::default();
    (args.target_pid, args.target_cgroup, args.pace.record) = (None, None, None);
    Ok((args, files))
}

/// Forwards messages of the run and orders of the coordinator until the run is over.
async fn serve(
    run: &Run,
    orders: &mut Streaming<Order>,
    out: &mut Sender<News>,
) -> Result<(), Status> {
    let mut listening = true;
    loop {
        match run.told.try_recv() {
            Ok(Told::News(news)) => {
                let last = matches!(news, news::News::Report(_));
                out.send(News { news: Some(news) }).await?;
                if last {
                    return Ok(());
                }
                continue;
            }
            Ok(Told::Failed(cause)) => return Err(Status::failed_precondition(cause)),
            Err(TryRecvError::Disconnected) => return Err(Status::internal("the run panicked")),
            Err(TryRecvError::Empty) => {}
        }
        if !listening {
            corespun::sleep(LOOK).await;
            continue;
        }
        if let Ok(order) = corespun::timeout(LOOK, orders.message()).await {
            match order?.and_then(|order| order.order) {
                Some(order::Order::Begin(_)) => run.begin.store(true, Ordering::Release),
                Some(order::Order::Stop(_)) => run.interrupt.set(nix::libc::SIGINT),
                Some(order::Order::Prepare(_)) => {
                    return Err(Status::invalid_argument("a run was prepared already"));
                }
                None => listening = false,
            }
        }
    }
}

/// Run on a separate thread.
struct Run {
    told: Receiver<Told>,
    begin: Arc<AtomicBool>,
    interrupt: Interrupt,
}

enum Told {
    News(news::News),
    Failed(String),
}

impl Run {
    fn start(args: RunArgs) -> Result<Self, String> {
        let plan = Plan::new(&args).map_err(|error| error.to_string())?;
        let (teller, told) = mpsc::channel();
        let begin = Arc::<AtomicBool>::default();
        let interrupt = Interrupt::manual();
        let mut messenger = Messenger {
            teller,
            begin: begin.clone(),
            ready: false,
        };
        let raised = interrupt.clone();
        let work = move || {
            let told = match observe(plan, &mut messenger, &raised) {
                Ok(report) => Told::News(news::News::Report(without_seconds(report))),
                Err(error) => Told::Failed(error.to_string()),
            };
            // A coordinator that is gone hears nothing.
            let _ = messenger.teller.send(told);
        };
        let thread = thread::Builder::new().name("agent-run".to_owned());
        thread.spawn(work).map_err(|error| error.to_string())?;
        Ok(Self {
            told,
            begin,
            interrupt,
        })
    }
}

fn without_seconds(mut report: Report) -> Vec<u8> {
    report.seconds.clear();
    serde_json::to_vec(&report).unwrap_or_default()
}

/// Observer that sends progress to the coordinator, and delays the run until its start order.
struct Messenger {
    teller: Teller<Told>,
    begin: Arc<AtomicBool>,
    ready: bool,
}

impl Messenger {
    fn tell(&self, news: news::News) {
        // A coordinator that is gone hears nothing.
        let _ = self.teller.send(Told::News(news));
    }
}

impl Observer for Messenger {
    fn may_begin(&mut self) -> bool {
        if !self.ready {
            self.ready = true;
            self.tell(news::News::Ready(true));
        }
        self.begin.load(Ordering::Acquire)
    }

    fn interval(&mut self, moment: Moment<'_>) {
        let Some(at) = moment.since_measure else {
            return;
        };
        let second = Second::of(moment.interval, at.as_secs_f64());
        if !moment.after_end || second.calls > 0 {
            let second = serde_json::to_vec(&second).unwrap_or_default();
            self.tell(news::News::Second(second));
        }
    }
}
