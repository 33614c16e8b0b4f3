//! The module of constants of one service: its name and its methods.

use crate::names::from_inner_module;
use crate::service::{Method, Paths, Service};
use crate::writer::Writer;

pub(crate) fn write(service: &Service, paths: &Paths, out: &mut Writer) {
    out.line(format!(
        "/// The name and the methods of `{}`.",
        service.full_name
    ));
    // A package is often included into a module of the same name, as `health` is.
    out.line("#[allow(clippy::module_inception)]");
    out.open(format!("pub mod {} {{", service.module));
    if !service.methods.is_empty() {
        // Short names are safe here: nothing else in this module is a type.
        out.line(format!("use {}::{{Kind, Method}};", paths.codec));
        out.line("");
    }
    out.line("/// The full name of the service.");
    out.line(format!("pub const NAME: &str = \"{}\";", service.full_name));
    for method in &service.methods {
        out.line("");
        out.line(format!("/// `{}`", method.path));
        write_method(method, out);
    }
    out.close("}");
}

fn write_method(method: &Method, out: &mut Writer) {
    let types = [
        from_inner_module(&method.input),
        from_inner_module(&method.output),
    ];
    let start = format!("pub const {}: Method<", method.constant);
    let head = format!("{start}{}> =", types.join(", "));
    let arguments = [
        format!("\"{}\"", method.path),
        format!("Kind::{}", method.kind()),
    ];
    let call = format!("Method::new({});", arguments.join(", "));
    if out.fits(&head) && out.fits(&format!("    {call}")) {
        return out.assign(&head, &call);
    }
    let mut last = format!("{head} ");
    if !out.fits(&format!("{head} Method::new(")) {
        out.list(&start, &types);
        last = "> = ".to_owned();
    }
    if out.fits(&format!("{last}{call}")) {
        return out.line(last + &call);
    }
    out.list(&format!("{last}Method::new("), &arguments);
    out.line(");");
}
