//! Generated client of one service: a method per RPC over a channel.

use crate::names;
use crate::service::{Method, Paths, Service};
use crate::writer::{Outcome, Writer};

/// Widest call chain in columns that rustfmt keeps on one line.
const CHAIN_COLUMNS_MAX: usize = 60;

pub(crate) fn write(service: &Service, paths: &Paths, out: &mut Writer) {
    let (name, runtime) = (&service.name, &paths.runtime);
    out.line(format!("/// Client of `{}`.", service.full_name));
    out.open_module(&service.client_module, &service.attributes.client_module);
    out.line(format!("/// Calls `{}`.", service.full_name));
    out.line("#[derive(::core::clone::Clone)]");
    out.lines(&service.attributes.client);
    out.open(format!("pub struct {name}Client {{"));
    out.line(format!("channel: {runtime}::Channel,"));
    out.close("}");
    out.line("");
    out.open(format!("impl {name}Client {{"));
    out.line("/// Calls through `channel`.");
    out.open(format!(
        "pub fn new(channel: {runtime}::Channel) -> Self {{"
    ));
    out.line("Self { channel }");
    out.close("}");
    out.line("");
    write_connect(runtime, out);
    let module = format!("super::{}", service.methods_module);
    for method in &service.methods {
        out.line("");
        write_method(method, &module, paths, out);
    }
    out.close("}");
    out.close("}");
}

fn write_connect(runtime: &str, out: &mut Writer) {
    out.line("/// Calls through a channel of its own, to `address`.");
    let outcome = Outcome {
        success: vec!["Self".to_owned()],
        status: format!("{runtime}::Status"),
        end: " {",
    };
    out.signature(
        "pub async fn connect",
        &["address: &str".to_owned()],
        &outcome,
    );
    out.line(format!(
        "::core::result::Result::Ok(Self::new({runtime}::Channel::connect(address).await?))"
    ));
    out.close("}");
}

fn write_method(method: &Method, module: &str, Paths { runtime, .. }: &Paths, out: &mut Writer) {
    let Method { input, output, .. } = method;
    let message = if method.client_streams { "()" } else { input };
    let success = match (method.client_streams, method.server_streams) {
        (false, false) => vec![format!("{runtime}::Response<{output}>")],
        (false, true) => vec![format!(
            "{runtime}::Response<{runtime}::Streaming<{output}>>"
        )],
        (true, false) => vec![format!("{runtime}::ClientStreaming<{input}, {output}>")],
        (true, true) => {
            vec![
                format!("{runtime}::Sender<{input}>"),
                format!("{runtime}::Streaming<{output}>"),
            ]
        }
    };
    out.docs(&method.comments, &format!("Calls `{}`.", method.path));
    if method.deprecated {
        out.line("#[deprecated]");
    }
    let arguments = [
        "&self".to_owned(),
        format!("request: impl {runtime}::IntoRequest<{message}>"),
    ];
    let outcome = Outcome {
        success,
        status: format!("{runtime}::Status"),
        end: " {",
    };
    let name = names::client_method(&method.name);
    out.signature(&format!("pub async fn {name}"), &arguments, &outcome);
    write_call(method, module, runtime, out);
    out.close("}");
}

fn write_call(method: &Method, module: &str, runtime: &str, out: &mut Writer) {
    let verb = method.verb();
    let into = format!("{runtime}::IntoRequest::into_request(request)");
    let call = format!("{verb}({module}::{}, {into})", method.constant);
    let line = format!("self.channel.{call}.await");
    if line.len() <= CHAIN_COLUMNS_MAX {
        return out.line(line);
    }
    out.nested("self.channel", [format!(".{call}").as_str(), ".await"]);
}
