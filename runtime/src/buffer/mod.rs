//! Buffers that the kernel reads or writes, and their ownership meanwhile.

pub(crate) mod allocator;
pub(crate) mod pool;
pub(crate) mod provided;
mod region;
