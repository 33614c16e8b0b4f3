//! Generated module of constants of one service: its name and its methods.

use crate::service::{Method, Paths, Service};
use crate::writer::Writer;

pub(crate) fn write(service: &Service, Paths { codec, .. }: &Paths, out: &mut Writer) {
    out.line(format!("/// Methods of `{}`.", service.full_name));
    out.open_module(&service.methods_module, &[]);
    out.line("/// Full name of the service.");
    out.line(format!("pub const NAME: &str = \"{}\";", service.full_name));
    for method in &service.methods {
        out.line("");
        out.line(format!("/// `{}`", method.path));
        write_method(method, codec, out);
    }
    out.close("}");
}

fn write_method(method: &Method, codec: &str, out: &mut Writer) {
    let types = [method.input.clone(), method.output.clone()];
    let start = format!("pub const {}: {codec}::Method<", method.constant);
    let head = format!("{start}{}> =", types.join(", "));
    let arguments = [
        format!("\"{}\"", method.path),
        format!("{codec}::Kind::{}", method.kind()),
    ];
    let call = format!("{codec}::Method::new({});", arguments.join(", "));
    if out.fits(&head) && out.fits(&format!("    {call}")) {
        return out.assign(&head, &call);
    }
    let mut last = format!("{head} ");
    if !out.fits(&format!("{head} {codec}::Method::new(")) {
        out.list(&start, &types);
        last = "> = ".to_owned();
    }
    if out.fits(&format!("{last}{call}")) {
        return out.line(last + &call);
    }
    out.list(&format!("{last}{codec}::Method::new("), &arguments);
    out.line(");");
}
