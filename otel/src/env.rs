//! OpenTelemetry environment variables as settings of a tracer and its exporter.
//!
//! Semantics: the OpenTelemetry specification, "Environment Variable Specification" and
//! "OpenTelemetry Protocol Exporter". The specification ignores invalid values. Here they are
//! errors, because a process that does not trace as configured is noticed too late.

mod variable;

use corespun_client::{ClientTlsConfig, Connector, Roots};

use crate::otlp::Otlp;
use crate::sampler::Sampler;
use crate::tracer::{Error, Tracer, TracerBuilder};
pub(crate) use variable::Lookup;
use variable::Variable;

/// Default endpoint of a collector.
const ENDPOINT: &str = "http://localhost:4317";

/// Returns both names of an exporter variable; the one for traces comes first and takes precedence.
macro_rules! exporter {
    ($name:literal) => {
        &[
            concat!("OTEL_EXPORTER_OTLP_TRACES_", $name),
            concat!("OTEL_EXPORTER_OTLP_", $name),
        ]
    };
}

/// Creates a tracer of the service `name`, unless the variables set another name.
pub(crate) fn tracer(name: String, lookup: Lookup<'_>) -> Result<TracerBuilder, Error> {
    let mut builder = Tracer::builder(name);
    let off = Variable::first(lookup, &["OTEL_SDK_DISABLED"])?;
    if off.map_or(Ok(false), |variable| variable.is_true())? {
        return Ok(builder.off());
    }
    if let Some(variable) = Variable::first(lookup, &["OTEL_RESOURCE_ATTRIBUTES"])? {
        for (name, value) in variable.pairs()? {
            builder = builder.attribute(name, value);
        }
    }
    if let Some(variable) = Variable::first(lookup, &["OTEL_SERVICE_NAME"])? {
        builder = builder.attribute("service.name", variable.text());
    }
    if let Some(sampler) = sampler(lookup)? {
        builder = builder.sampler(sampler);
    }
    if is_exported(lookup)? {
        builder = builder.export(otlp(lookup)?);
    }
    Ok(builder)
}

fn sampler(lookup: Lookup<'_>) -> Result<Option<Sampler>, Error> {
    let Some(variable) = Variable::first(lookup, &["OTEL_TRACES_SAMPLER"])? else {
        return Ok(None);
    };
    let ratio = || {
        let argument = Variable::first(lookup, &["OTEL_TRACES_SAMPLER_ARG"])?;
        let ratio = argument.map_or(Ok(1.0), |argument| argument.ratio());
        ratio.map(Sampler::ratio)
    };
    let sampler = match &*variable.word() {
        "always_on" => Sampler::ALWAYS.regardless(),
        "always_off" => Sampler::NEVER.regardless(),
        "traceidratio" => ratio()?.regardless(),
        "parentbased_always_on" => Sampler::ALWAYS,
        "parentbased_always_off" => Sampler::NEVER,
        "parentbased_traceidratio" => ratio()?,
        _ => {
            let why = "expected always_on, always_off, traceidratio, or one of them behind \
                       parentbased_";
            return Err(variable.bad(why));
        }
    };
    Ok(Some(sampler))
}

fn is_exported(lookup: Lookup<'_>) -> Result<bool, Error> {
    let Some(variable) = Variable::first(lookup, &["OTEL_TRACES_EXPORTER"])? else {
        return Ok(true);
    };
    match &*variable.word() {
        "otlp" => Ok(true),
        "none" => Ok(false),
        _ => Err(variable.bad("expected otlp or none")),
    }
}

/// Creates the exporter that the variables describe.
pub(crate) fn otlp(lookup: Lookup<'_>) -> Result<Otlp, Error> {
    if let Some(variable) = Variable::first(lookup, exporter!("PROTOCOL"))?
        && variable.word() != "grpc"
    {
        return Err(variable.bad("only grpc is supported"));
    }
    let mut otlp = Otlp::new(endpoint(lookup)?);
    if let Some(variable) = Variable::first(lookup, exporter!("HEADERS"))? {
        let inherited = &mut otlp.inherited.headers;
        // HTTP/2 requires lower case; the user may have written another.
        let take = |key: &str, value: &str| inherited.append(&key.to_ascii_lowercase(), value);
        variable.secret_pairs(take)?;
    }
    if let Some(variable) = Variable::first(lookup, exporter!("TIMEOUT"))? {
        otlp = otlp.timeout(variable.timeout()?);
    }
    if let Some(variable) = Variable::first(lookup, exporter!("COMPRESSION"))? {
        match &*variable.word() {
            "gzip" => otlp = otlp.gzip(),
            "none" => {}
            _ => return Err(variable.bad("expected gzip or none")),
        }
    }
    otlp.inherited.tls = connector(lookup)?;
    batches(otlp, lookup)
}

/// Sets the batching of spans.
fn batches(mut otlp: Otlp, lookup: Lookup<'_>) -> Result<Otlp, Error> {
    if let Some(variable) = Variable::first(lookup, &["OTEL_BSP_SCHEDULE_DELAY"])? {
        otlp = otlp.pause(variable.duration()?);
    }
    if let Some(variable) = Variable::first(lookup, &["OTEL_BSP_EXPORT_TIMEOUT"])? {
        otlp = otlp.retry_time_max(variable.timeout()?);
    }
    if let Some(variable) = Variable::first(lookup, &["OTEL_BSP_MAX_QUEUE_SIZE"])? {
        otlp = otlp.queue_spans_max(variable.count()?);
    }
    if let Some(variable) = Variable::first(lookup, &["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"])? {
        let (batch, queue) = (variable.count()?, otlp.queue_spans_max);
        if batch > queue {
            return Err(variable.bad(format!("the queue holds only {queue} spans")));
        }
        otlp = otlp.batch_spans_max(batch);
    }
    Ok(otlp)
}

/// Returns the endpoint as a target with scheme and port.
fn endpoint(lookup: Lookup<'_>) -> Result<String, Error> {
    let insecure = Variable::first(lookup, exporter!("INSECURE"))?;
    let insecure = insecure.map_or(Ok(false), |variable| variable.is_true())?;
    let Some(variable) = Variable::first(lookup, exporter!("ENDPOINT"))? else {
        return Ok(ENDPOINT.to_owned());
    };
    target(variable.text(), insecure).map_err(|why| variable.bad(why))
}

fn target(text: &str, insecure: bool) -> Result<String, &'static str> {
    if text.starts_with("unix:") {
        return Ok(text.to_owned());
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None if insecure => ("http".to_owned(), text),
        None => ("https".to_owned(), text),
    };
    let usual = match &*scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err("the scheme is neither http nor https"),
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.is_empty() || host.contains(['/', '?', '#', '@']) {
        return Err("expected a host and a port alone: gRPC knows no other path");
    }
    // The colons of an address of IPv6 stand between brackets.
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    match behind.rsplit_once(':') {
        None => Ok(format!("{scheme}://{host}:{usual}")),
        Some((_, port)) if matches!(port.parse(), Ok(1..=u16::MAX)) => {
            Ok(format!("{scheme}://{host}"))
        }
        Some(_) => Err("the port is not a number from 1 to 65535"),
    }
}

/// Returns the TLS settings of the variables, if there are any.
fn connector(lookup: Lookup<'_>) -> Result<Option<Connector>, Error> {
    let load = |config: ClientTlsConfig, blamed: &Variable| {
        let connector = config.load().map_err(|error| blamed.bad(error))?;
        Ok::<_, Error>(Some(connector))
    };
    let (mut config, mut connector) = (ClientTlsConfig::new(Roots::mozilla()), None);
    if let Some(roots) = Variable::first(lookup, exporter!("CERTIFICATE"))? {
        config = ClientTlsConfig::new(Roots::from_pem_file(roots.text()));
        // Loaded separately, so that its errors are not attributed to the client certificate.
        connector = load(config.clone(), &roots)?;
    }
    let chain = Variable::first(lookup, exporter!("CLIENT_CERTIFICATE"))?;
    let key = Variable::first(lookup, exporter!("CLIENT_KEY"))?;
    match (chain, key) {
        (Some(chain), Some(key)) => load(config.identity_files(chain.text(), key.text()), &chain),
        (Some(chain), None) => Err(chain.bad("its private key is not named")),
        (None, Some(key)) => Err(key.bad("its certificate is not named")),
        (None, None) => Ok(connector),
    }
}

#[cfg(test)]
mod tests;
