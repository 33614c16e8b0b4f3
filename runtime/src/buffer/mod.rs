//! Who owns bytes while the kernel does.

pub(crate) mod allocator;
pub(crate) mod pool;
pub(crate) mod provided;
mod region;
