//! The server's side of one service: the trait to implement, and what serves it.

use crate::service::{Method, Paths, Service};
use crate::writer::{Outcome, Writer};

const RC: &str = "::std::rc::Rc";

pub(crate) fn write(service: &Service, paths: &Paths, out: &mut Writer) {
    write_trait(service, paths, out);
    out.line("");
    write_struct(service, out);
    out.line("");
    write_register(service, paths, out);
}

fn write_trait(service: &Service, paths: &Paths, out: &mut Writer) {
    out.docs(
        &service.comments,
        &format!("The service `{}`.", service.full_name),
    );
    // Names come from the proto, and clippy has rules for those of Rust.
    out.line("#[allow(async_fn_in_trait, clippy::all)]");
    if service.methods.is_empty() {
        return out.line(format!("pub trait {}: 'static {{}}", service.name));
    }
    out.open(format!("pub trait {}: 'static {{", service.name));
    for (index, method) in service.methods.iter().enumerate() {
        if index > 0 {
            out.line("");
        }
        write_trait_method(method, paths, out);
    }
    out.close("}");
}

fn write_trait_method(method: &Method, Paths { runtime, .. }: &Paths, out: &mut Writer) {
    let Method { input, output, .. } = method;
    out.docs(&method.comments, &format!("Answers `{}`.", method.path));
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
        end: ";",
    };
    out.signature(&format!("async fn {}", method.name), &arguments, &outcome);
}

fn write_struct(service: &Service, out: &mut Writer) {
    let name = &service.name;
    out.line(format!("/// Serves a [`{name}`]; one per shard."));
    out.open(format!("pub struct {name}Server<T> {{"));
    out.line(format!("inner: {RC}<T>,"));
    out.close("}");
    out.line("");
    out.open_impl(&format!("impl<T: {name}>"), &format!("{name}Server<T>"));
    out.line("/// Serves `inner`.");
    out.open("pub fn new(inner: T) -> Self {");
    out.line(format!("Self::from_rc({RC}::new(inner))"));
    out.close("}");
    out.line("");
    out.line("/// Serves an `inner` that has other users on this shard.");
    out.open(format!("pub fn from_rc(inner: {RC}<T>) -> Self {{"));
    out.line("Self { inner }");
    out.close("}");
    out.close("}");
}

fn write_register(service: &Service, Paths { runtime, .. }: &Paths, out: &mut Writer) {
    let Service {
        name,
        module,
        methods,
        ..
    } = service;
    let head = format!("impl<T: {name}> {runtime}::server::Service");
    out.open_impl(&head, &format!("for {name}Server<T>"));
    out.line(format!("const NAME: &'static str = {module}::NAME;"));
    out.line("const DESCRIPTOR_SET: &'static [u8] = FILE_DESCRIPTOR_SET;");
    out.line("");
    if methods.is_empty() {
        out.line(format!(
            "fn register(self, _routes: &mut {runtime}::server::Routes) {{}}"
        ));
        return out.close("}");
    }
    if methods.iter().any(|method| method.deprecated) {
        out.line("#[allow(deprecated)]");
    }
    out.open(format!(
        "fn register(self, routes: &mut {runtime}::server::Routes) {{"
    ));
    for method in methods {
        write_route(method, module, out);
    }
    out.close("}");
    out.close("}");
}

fn write_route(method: &Method, module: &str, out: &mut Writer) {
    let (argument, passed) = match method.client_streams {
        false => ("request", "request"),
        true => ("mut requests", "&mut requests"),
    };
    let (argument_out, passed_out) = match method.server_streams {
        false => ("", ""),
        true => (", mut out", ", &mut out"),
    };
    let head = format!("|service: {RC}<T>, {argument}{argument_out}| async move {{");
    // Called through the trait, for the `Rc` has methods of its own, such as `clone`.
    let call = format!("T::{}(&service, {passed}{passed_out}).await", method.name);
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
