//! Section of a page about the machine, the generator and the command line.

use crate::chart::escape;
use crate::process::Machine;
use crate::report::Report;
use crate::units::{bytes, count, percent, several};

/// Returns the section on the machine of the generator and the command line.
pub(super) fn environment(machine: &Machine, report: Option<&Report>) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(report) = report {
        rows.extend(of_report(report));
    }
    let virtual_machine = if machine.virtual_machine {
        ", virtual"
    } else {
        ""
    };
    rows.extend([
        (
            "processor",
            format!("{} × {}{virtual_machine}", machine.cpus, machine.cpu),
        ),
        ("kernel", machine.kernel.clone()),
        (
            "frequency governor",
            machine.governor.clone().unwrap_or_default(),
        ),
        ("host", machine.host.clone()),
    ]);
    let item = |(name, value): &(&str, String)| {
        format!(
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escape(name),
            escape(value)
        )
    };
    let items: String = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(item)
        .collect();
    format!("<section><h2>Where and how</h2><dl class=\"where\">{items}</dl></section>\n")
}

fn of_report(report: &Report) -> Vec<(&'static str, String)> {
    let (setup, cost) = (&report.setup, &report.cost);
    let share = |share: Option<f64>| share.map_or(String::new(), percent);
    let used = cost.target_use.as_ref();
    let memory = |which: Option<u64>| which.map_or(String::new(), bytes);
    let switches = used
        .and_then(|used| used.switches)
        .map_or(String::new(), |switches| {
            let calls = report.counts.ended_in_window.max(1) as f64;
            let all = (switches.voluntary + switches.involuntary) as f64 / calls;
            format!(
                "{all:.2} a call, {} of them involuntary",
                count(switches.involuntary as f64)
            )
        });
    let delay = used
        .and_then(|used| used.run_delay_s)
        .map_or(String::new(), |seconds| {
            percent(seconds / setup.duration_s.max(1e-9))
        });
    vec![
        (
            "generator",
            format!(
                "{}, {}, {}",
                setup.generator,
                setup.engine,
                several(setup.cores, "core")
            ),
        ),
        ("generator busy", percent(cost.generator_cpu_share)),
        ("its busiest core", percent(cost.busiest_core_share)),
        ("command", setup.command.join(" ")),
        (
            "target measured",
            setup.measured.clone().unwrap_or_default(),
        ),
        (
            "target memory",
            memory(used.and_then(|used| used.memory.resident_bytes)),
        ),
        (
            "target memory at most",
            memory(used.and_then(|used| used.memory.peak_bytes)),
        ),
        ("target switches", switches),
        ("target ready without a CPU", delay),
        ("steal", share(cost.steal_share)),
        ("tasks waiting for a CPU", share(cost.pressure.cpu)),
    ]
}
