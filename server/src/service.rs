//! What a service is, and settings that hold for one service alone.

use std::rc::Rc;

use corespun_codec::Encoding;

use crate::interceptor::Interceptor;
use crate::routes::Routes;

/// A service that can be served: what the generated `…Server` types are.
pub trait Service {
    /// Its full name, `package.Service`.
    const NAME: &'static str;

    /// The schema, a serialized `google.protobuf.FileDescriptorSet` with all imports; empty when
    /// reflection is to know no more than the name.
    const DESCRIPTOR_SET: &'static [u8] = &[];

    /// Adds its methods.
    fn register(self, routes: &mut Routes);

    /// The same service with its messages compressed as `encoding` for callers that accept it,
    /// whatever the server's setting is; [`Encoding::Identity`] keeps them plain.
    fn compress(self, encoding: Encoding) -> Scoped<Self>
    where
        Self: Sized,
    {
        Scoped::new(self).compress(encoding)
    }

    /// The same service with an interceptor around its calls, behind those of the server and those
    /// that were added to the service before.
    fn intercept(self, interceptor: impl Interceptor) -> Scoped<Self>
    where
        Self: Sized,
    {
        Scoped::new(self).intercept(interceptor)
    }
}

/// What holds for the calls of some methods.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    /// What messages go out compressed as; `None` leaves it to the server's setting.
    pub(crate) encoding: Option<Encoding>,
    /// Who is asked about each call, in order.
    pub(crate) interceptors: Vec<Rc<dyn Interceptor>>,
}

impl Scope {
    /// Somebody is asked about calls, and told of their end.
    pub(crate) fn is_watched(&self) -> bool {
        !self.interceptors.is_empty()
    }

    /// This scope inside another.
    fn inside(self, around: &Self) -> Self {
        Self {
            encoding: self.encoding.or(around.encoding),
            interceptors: [&around.interceptors[..], &self.interceptors].concat(),
        }
    }
}

/// A service with settings of its own.
pub struct Scoped<S> {
    service: S,
    scope: Scope,
}

impl<S: Service> Scoped<S> {
    fn new(service: S) -> Self {
        Self {
            service,
            scope: Scope::default(),
        }
    }

    /// As [`Service::compress`]; what was said before is forgotten.
    pub fn compress(mut self, encoding: Encoding) -> Self {
        self.scope.encoding = Some(encoding);
        self
    }

    /// As [`Service::intercept`], behind those that were added before.
    pub fn intercept(mut self, interceptor: impl Interceptor) -> Self {
        self.scope.interceptors.push(Rc::new(interceptor));
        self
    }
}

impl<S: Service> Service for Scoped<S> {
    const NAME: &'static str = S::NAME;
    const DESCRIPTOR_SET: &'static [u8] = S::DESCRIPTOR_SET;

    fn register(self, routes: &mut Routes) {
        let scope = self.scope.inside(routes.scope());
        routes.within(scope, |routes| self.service.register(routes));
    }
}
