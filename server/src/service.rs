//! The [`Service`] trait, and settings of a single service.

use std::rc::Rc;

use corespun_codec::Encoding;

use crate::interceptor::Interceptor;
use crate::routes::Routes;

/// Service that a server can offer; implemented by the generated `…Server` types.
pub trait Service {
    /// Full name of the service, `package.Service`.
    const NAME: &'static str;

    /// Schema for reflection: a serialized `google.protobuf.FileDescriptorSet` with all imports;
    /// empty to publish only the name.
    const DESCRIPTOR_SET: &'static [u8] = &[];

    /// Adds the methods of the service.
    fn register(self, routes: &mut Routes);

    /// Compresses the messages of this service with `encoding` if the client accepts it, whatever
    /// the server's setting is; [`Encoding::Identity`] turns compression off.
    fn compress(self, encoding: Encoding) -> Scoped<Self>
    where
        Self: Sized,
    {
        Scoped::new(self).compress(encoding)
    }

    /// Adds an interceptor for the calls of this service, after those of the server and those added
    /// to the service before.
    fn intercept(self, interceptor: impl Interceptor) -> Scoped<Self>
    where
        Self: Sized,
    {
        Scoped::new(self).intercept(interceptor)
    }
}

/// Settings of the calls of some methods.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    /// Compression of sent messages; `None` uses the server's setting.
    pub(crate) encoding: Option<Encoding>,
    /// Interceptors of each call, in order.
    pub(crate) interceptors: Vec<Rc<dyn Interceptor>>,
}

impl Scope {
    /// Returns true if there are interceptors.
    pub(crate) fn is_watched(&self) -> bool {
        !self.interceptors.is_empty()
    }

    /// Merges this scope into the enclosing one.
    fn inside(self, around: &Self) -> Self {
        Self {
            encoding: self.encoding.or(around.encoding),
            interceptors: [&around.interceptors[..], &self.interceptors].concat(),
        }
    }
}

/// Service with settings of its own.
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

    /// Sets compression like [`Service::compress`]; replaces an earlier setting.
    pub fn compress(mut self, encoding: Encoding) -> Self {
        self.scope.encoding = Some(encoding);
        self
    }

    /// Adds an interceptor like [`Service::intercept`], after those added before.
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
