//! Guard as an interceptor of a server.

use corespun_server::{Answer, Incoming, Interceptor, Step};

use crate::guard::Guard;

/// Refuses calls that the policy does not admit, before their handler. The handler finds the claims
/// of a token as `request.extensions().get::<Rc<Claims>>()`.
impl Interceptor for Guard {
    fn start(&self, call: &mut Incoming) -> Result<Step, Answer> {
        if let Some(claims) = self.admit(call.method(), call.request())? {
            call.extensions_mut().insert(claims);
        }
        Ok(Step::Pass)
    }
}
