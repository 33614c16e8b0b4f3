//! Generated server of one service: the trait to implement, and the struct that serves it.

use crate::service::{Method, Paths, Service};
use crate::writer::{Outcome, Writer};

const RC: &str = "::std::rc::Rc";

pub(crate) fn write(service: &Service, paths: &Paths, stubs: bool, out: &mut Writer) {
    out.line(format!("/// Server of `{}`.", service.full_name));
    out.open_module(&service.server_module, &service.attributes.server_module);
    write_trait(service, paths, stubs, out);
    out.line("");
    write_struct(service, out);
    out.line("");
    write_register(service, paths, out);
    out.close("}");
}

fn write_trait(service: &Service, paths: &Paths, stubs: bool, out: &mut Writer) {
    out.docs(
        &service.comments,
        &format!("Handlers of `{}`.", service.full_name),
    );
    out.lines(&service.attributes.the_trait);
    if service.methods.is_empty() {
        return out.line(format!("pub trait {}: 'static {{}}", service.name));
    }
    out.open(format!("pub trait {}: 'static {{", service.name));
    for (index, method) in service.methods.iter().enumerate() {
        if index > 0 {
            out.line("");
        }
        write_trait_method(method, paths, stubs, out);
    }
    out.close("}");
}

fn write_trait_method(
    method: &Method,
    Paths { runtime, .. }: &Paths,
    stubs: bool,
    out: &mut Writer,
) {
    let Method { input, output, .. } = method;
    out.docs(&method.comments, &format!("Handles `{}`.", method.path));
    if method.deprecated {
        out.line("#[deprecated]");
    }
    let mut arguments = vec!["&self".to_owned()];
    arguments.push(match method.client_streams {
        false => format!("request: {runtime}::Request<{input}>"),
        true => format!("requests: &mut {runtime}::Streaming<{input}>"),
    });
    let mut success = format!("{runtime}::Response<{output}>");
    if method.server_streams {
        arguments.push(format!("out: &mut {runtime}::Sender<{output}>"));
        success = "()".to_owned();
    }
    let outcome = Outcome {
        success: vec![success],
        status: format!("{runtime}::Status"),
        end: if stubs { " {" } else { ";" },
    };
    out.signature(&format!("async fn {}", method.name), &arguments, &outcome);
    if stubs {
        out.line("::core::result::Result::Err(");
        let text = format!("{} is not implemented", method.path);
        out.line(format!("    {runtime}::Status::unimplemented(\"{text}\"),"));
        out.line(")");
        out.close("}");
    }
}

/// Returns the type parameter of the server struct; it differs from the trait's name.
fn parameter(service: &Service) -> &'static str {
    match service.name.as_str() {
        "T" => "U",
        _ => "T",
    }
}

fn write_struct(service: &Service, out: &mut Writer) {
    let (name, t) = (&service.name, parameter(service));
    out.line(format!("/// Serves a [`{name}`]; one per shard."));
    out.lines(&service.attributes.server);
    out.open(format!("pub struct {name}Server<{t}> {{"));
    out.line(format!("inner: {RC}<{t}>,"));
    out.close("}");
    out.line("");
    out.open_impl(&format!("impl<{t}: {name}>"), &format!("{name}Server<{t}>"));
    out.line("/// Serves `inner`.");
    out.open(format!("pub fn new(inner: {t}) -> Self {{"));
    out.line(format!("Self::from_rc({RC}::new(inner))"));
    out.close("}");
    out.line("");
    out.line("/// Serves an `inner` that has other users on this shard.");
    out.open(format!("pub fn from_rc(inner: {RC}<{t}>) -> Self {{"));
    out.line("Self { inner }");
    out.close("}");
    out.close("}");
}

fn write_register(service: &Service, Paths { runtime, .. }: &Paths, out: &mut Writer) {
    let (name, t) = (&service.name, parameter(service));
    let head = format!("impl<{t}: {name}> {runtime}::server::Service");
    out.open_impl(&head, &format!("for {name}Server<{t}>"));
    let module = format!("super::{}", service.methods_module);
    out.line(format!("const NAME: &'static str = {module}::NAME;"));
    out.line("const DESCRIPTOR_SET: &'static [u8] = super::FILE_DESCRIPTOR_SET;");
    out.line("");
    if service.methods.is_empty() {
        out.line(format!(
            "fn register(self, _routes: &mut {runtime}::server::Routes) {{}}"
        ));
        return out.close("}");
    }
    out.open(format!(
        "fn register(self, routes: &mut {runtime}::server::Routes) {{"
    ));
    for method in &service.methods {
        write_route(method, service, &module, out);
    }
    out.close("}");
    out.close("}");
}

fn write_route(method: &Method, service: &Service, module: &str, out: &mut Writer) {
    let (name, t) = (&service.name, parameter(service));
    let (argument, passed) = match method.client_streams {
        false => ("request", "request"),
        true => ("mut requests", "&mut requests"),
    };
    let (argument_out, passed_out) = match method.server_streams {
        false => ("", ""),
        true => (", mut out", ", &mut out"),
    };
    let head = format!("|service: {RC}<{t}>, {argument}{argument_out}| async move {{");
    // Called through the trait, because the `Rc` has methods of its own, such as `clone`.
    let call = format!(
        "<{t} as {name}>::{}(&service, {passed}{passed_out}).await",
        method.name
    );
    out.open(format!("routes.{}(", method.verb()));
    out.line(format!("{module}::{},", method.constant));
    out.line("&self.inner,");
    let line = format!("{head} {call} }},");
    if out.fits(&line) {
        out.line(line);
    } else {
        out.open(head);
        out.line(call);
        out.close("},");
    }
    out.close(");");
}
