//! Analysis of a comparison: from turns to ratios, and to one sentence.

use super::gate::{Usual, rejection};
use super::{CompareArgs, Comparison, Metric, Side, Slice, Turn};
use crate::args::without_user;
use crate::process::Machine;
use crate::report::Report;
use crate::stats::{Estimate, Verdict, judge, median, noise_floor, ratio};
use crate::warnings::keep_first;

/// CPU share of the generator in a closed loop above which it may limit the rate.
const GENERATOR_SHARE_MAX: f64 = 0.85;

/// Share of one CPU below which the target does not limit the rate.
const TARGET_SHARE_MIN: f64 = 0.90;

/// Compared metric: name, unit, whether larger is better, and its value in a turn.
type Row = (&'static str, &'static str, bool, fn(&Slice) -> Option<f64>);

const ROWS: [Row; 7] = [
    ("rps", "calls/s", true, |slice| Some(slice.rps)),
    ("p50", "µs", false, |slice| slice.latency_us.p50),
    ("p90", "µs", false, |slice| slice.latency_us.p90),
    ("p99", "µs", false, |slice| slice.latency_us.p99),
    ("p999", "µs", false, |slice| slice.latency_us.p999),
    ("max", "µs", false, |slice| slice.latency_us.max),
    ("cpu_us", "CPU-µs/call", false, |slice| slice.cpu_us),
];

/// Returns true if comparisons have a ratio with this name.
pub(in crate::command) fn is_compared(name: &str) -> bool {
    ROWS.iter().any(|row| row.0 == name)
}

/// Computes the result from the turns that were made, of `planned`.
pub(super) fn compare(
    args: &CompareArgs,
    turns: Vec<(Turn, Report)>,
    planned: usize,
) -> Comparison {
    let usual = Usual::of(turns.iter().map(|(_, report)| report));
    let slices: Vec<Slice> = turns
        .iter()
        .map(|(turn, report)| slice(*turn, report, usual))
        .collect();
    let generator_limited = generator_limited(&turns);
    let is_open = args.run.pace.rate.is_some();
    let metrics: Vec<Metric> = ROWS
        .iter()
        // In an open loop both are offered the same.
        .filter(|row| !(is_open && row.0 == "rps"))
        .map(|row| metric(row, &slices, args.order_seed, generator_limited))
        .filter(|metric| metric.a.is_some() || metric.b.is_some())
        .collect();
    let names = [args.a_name.clone(), args.b_name.clone()];
    let mut comparison = Comparison {
        verdict: sentence(&names, &metrics),
        names,
        targets: [&args.a, &args.b].map(|target| without_user(target)),
        metrics,
        pairs: pairs(&slices),
        slices,
        a: merged(&turns, Side::A, usual),
        b: merged(&turns, Side::B, usual),
        generator_limited,
        machine: Machine::read(),
        warnings: Vec::new(),
    };
    comparison.warnings = warnings(&comparison, turns.len(), planned);
    comparison
}

fn slice(turn: Turn, report: &Report, usual: Usual) -> Slice {
    Slice {
        pair: turn.pair,
        noise: turn.noise,
        side: turn.side,
        rps: report.counts.rps,
        latency_us: report.latency_us,
        late_us: report.late_us,
        cpu_us: report.cost.target_cpu_us_per_rpc,
        generator_cpu_share: report.cost.generator_cpu_share,
        steal_share: report.cost.steal_share,
        rejected: rejection(report, usual),
    }
}

/// Returns true if the generator may have limited the rate of a closed loop. If the CPU time of the
/// target is unknown, a busy generator is enough.
fn generator_limited(turns: &[(Turn, Report)]) -> bool {
    let busy = turns.iter().filter(|(_, report)| {
        let used = report.cost.target_use.as_ref();
        let share = used.map(|used| used.cpu_s / report.setup.duration_s.max(1e-9));
        !report.setup.is_open()
            && report.cost.generator_cpu_share > GENERATOR_SHARE_MAX
            && share.is_none_or(|share| share < TARGET_SHARE_MIN)
    });
    busy.count() * 2 > turns.len()
}

fn metric(row: &Row, slices: &[Slice], seed: u64, generator_limited: bool) -> Metric {
    let (name, unit, large_is_better, value) = *row;
    let logs = |noise: bool, all: bool| pair_logs(slices, value, noise, all);
    let ratio_of = |noise, all| ratio(&logs(noise, all), seed);
    let estimate = ratio_of(false, false);
    // Where too few turns of A beside itself count, all of them give a floor that is higher still.
    let noise = noise_floor(ratio_of(true, false).or_else(|| ratio_of(true, true)));
    let of = |side| {
        let values = slices
            .iter()
            .filter(|slice| !slice.noise && slice.side == side && slice.rejected.is_none());
        let values = values.filter_map(value);
        match name {
            // What a reader takes a maximum for: no call of any turn took longer.
            "max" => values.max_by(f64::total_cmp),
            _ => median(values),
        }
    };
    let is_generators = generator_limited && name != "cpu_us" || is_late(name, slices);
    let verdict = match is_generators {
        true => Verdict::CannotTell,
        false => judge(estimate, noise, large_is_better),
    };
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        large_is_better,
        a: of(Side::A),
        b: of(Side::B),
        ratio: estimate,
        unfiltered: ratio_of(false, true),
        is_generators,
        noise,
        verdict,
    }
}

/// Returns true if this latency is mostly the generator's own delay in most turns of a side that
/// count.
fn is_late(name: &str, slices: &[Slice]) -> bool {
    [Side::A, Side::B].into_iter().any(|side| {
        let counted = slices
            .iter()
            .filter(|slice| !slice.noise && slice.side == side && slice.rejected.is_none());
        let is_late = |slice: &&Slice| {
            let late = slice.late_us.as_ref();
            late.is_some_and(|late| slice.latency_us.is_mostly(late, name))
        };
        counted.clone().filter(is_late).count() * 2 > counted.count()
    })
}

/// Returns the logarithm of A to B for each pair whose turns both count and have the value.
fn pair_logs(
    slices: &[Slice],
    value: fn(&Slice) -> Option<f64>,
    noise: bool,
    all: bool,
) -> Vec<f64> {
    let of_kind: Vec<&Slice> = slices.iter().filter(|slice| slice.noise == noise).collect();
    let pairs = of_kind.chunk_by(|one, other| one.pair == other.pair);
    let log = |pair: &[&Slice]| {
        let mut sum = 0.0;
        for slice in pair {
            let log = value(slice).filter(|value| *value > 0.0)?.ln();
            sum += if slice.side == Side::A { log } else { -log };
        }
        (pair.len() == 2 && (all || counts(pair))).then_some(sum)
    };
    pairs.filter_map(log).collect()
}

fn counts(pair: &[&Slice]) -> bool {
    pair.len() == 2 && pair.iter().all(|slice| slice.rejected.is_none())
}

fn pairs(slices: &[Slice]) -> (usize, usize) {
    let both: Vec<&Slice> = slices.iter().filter(|slice| !slice.noise).collect();
    let pairs = || both.chunk_by(|one, other| one.pair == other.pair);
    (pairs().filter(|pair| counts(pair)).count(), pairs().count())
}

/// Merges all turns of a side that count into one report without a timeline.
fn merged(turns: &[(Turn, Report)], side: Side, usual: Usual) -> Option<Box<Report>> {
    let counted = turns.iter().filter(|(turn, report)| {
        !turn.noise && turn.side == side && rejection(report, usual).is_none()
    });
    let reports: Vec<Report> = counted.map(|(_, report)| report.clone()).collect();
    let mut merged = Report::merge(&reports).ok()?;
    merged.seconds.clear();
    Some(Box::new(merged))
}

/// Returns the verdict in one sentence: the tail latency first, because comparisons are made for
/// it, then the cost.
fn sentence(names: &[String; 2], metrics: &[Metric]) -> String {
    let [a, b] = names;
    let find = |name: &str| metrics.iter().find(|metric| metric.name == name);
    let lead = ["p99", "p90", "p50", "rps", "cpu_us"]
        .into_iter()
        .find_map(|name| find(name).filter(|metric| metric.ratio.is_some()));
    let Some(lead) = lead else {
        return format!("Cannot tell {a} from {b}: too few turns count.");
    };
    let mut text = match lead.verdict {
        Verdict::Faster | Verdict::Slower => format!("{a} is {} than {b}", lead.verdict),
        Verdict::WithinNoise => format!("{a} and {b} are within noise of each other"),
        Verdict::CannotTell => format!("Cannot tell {a} from {b} by {}", lead.name),
    };
    if let (Some(estimate), true) = (lead.ratio, lead.verdict != Verdict::CannotTell) {
        text += &format!(": {} {}", lead.name, times(estimate));
    }
    if let Some(cpu) = find("cpu_us").filter(|cpu| cpu.name != lead.name)
        && let Some(estimate) = cpu.ratio
    {
        text += match cpu.verdict {
            Verdict::Faster | Verdict::Slower => "; CPU per call ",
            Verdict::WithinNoise | Verdict::CannotTell => "; CPU per call, not told apart, ",
        };
        text += &times(estimate);
    }
    text + "."
}

/// Formats a ratio as `0.40 × (0.38 to 0.43)`.
fn times(estimate: Estimate) -> String {
    let Estimate { ratio, low, high } = estimate;
    format!("{ratio:.2} × ({low:.2} to {high:.2})")
}

/// Returns a warning with the latencies that are mostly the generator's own delay.
fn made_by_generator(comparison: &Comparison) -> Option<String> {
    let late = comparison
        .metrics
        .iter()
        .filter(|metric| metric.is_generators);
    let names: Vec<&str> = late.map(|metric| metric.name.as_str()).collect();
    (!comparison.generator_limited && !names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("generator late: {names} cannot be judged, because its own delay is most of them")
    })
}

fn warnings(comparison: &Comparison, made: usize, planned: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    if made < planned {
        warnings.push(format!("interrupted: {made} of {planned} turns were made"));
    }
    if comparison.generator_limited {
        let text = "generator limited: the generator was busier than the targets, so that only \
                    CPU per call can be told";
        warnings.push(text.to_owned());
    }
    warnings.extend(made_by_generator(comparison));
    let (good, all) = comparison.pairs;
    if good < all {
        let mut reasons = comparison
            .slices
            .iter()
            .filter_map(|s| s.rejected.as_deref());
        let first = reasons.next().unwrap_or("not all turns were made");
        warnings.push(format!(
            "pairs left out: {} of {all}; the first because of {first}",
            all - good
        ));
    }
    let kinds = [
        "closed loop",
        "generator saturated",
        "falling behind",
        "fewer streams",
        "streams busy",
        "connection lost",
        "steal",
        "40 ms plateau",
        "cut off",
        "too few samples",
        "single connection",
    ];
    let reports = [&comparison.a, &comparison.b].into_iter().flatten();
    for warning in reports.flat_map(|report| &report.warnings) {
        if kinds.iter().any(|kind| warning.starts_with(kind)) {
            keep_first(&mut warnings, warning);
        }
    }
    warnings
}
