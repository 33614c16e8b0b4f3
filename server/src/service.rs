//! What a service is, and settings that hold for one service alone.

use corespun_codec::Encoding;

use crate::routes::Routes;

/// A service that can be served: what the generated `…Server` types are.
pub trait Service {
    /// Its full name, `package.Service`.
    const NAME: &'static str;

    /// Adds its methods.
    fn register(self, routes: &mut Routes);

    /// The same service with its messages compressed as `encoding` for callers that accept it,
    /// whatever the server's setting is; [`Encoding::Identity`] keeps them plain.
    fn compress(self, encoding: Encoding) -> Scoped<Self>
    where
        Self: Sized,
    {
        let scope = Scope {
            encoding: Some(encoding),
        };
        Scoped {
            service: self,
            scope,
        }
    }
}

/// What holds for the calls of some methods.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    /// What messages go out compressed as; `None` leaves it to the server's setting.
    pub(crate) encoding: Option<Encoding>,
}

impl Scope {
    /// This scope inside another.
    fn inside(self, around: &Self) -> Self {
        Self {
            encoding: self.encoding.or(around.encoding),
        }
    }
}

/// A service with settings of its own.
pub struct Scoped<S> {
    service: S,
    scope: Scope,
}

impl<S: Service> Service for Scoped<S> {
    const NAME: &'static str = S::NAME;

    fn register(self, routes: &mut Routes) {
        let scope = self.scope.inside(routes.scope());
        routes.within(scope, |routes| self.service.register(routes));
    }
}
